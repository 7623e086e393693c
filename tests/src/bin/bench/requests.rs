//! Requests through Envoy with one worker: without the plugin, with it, and the plugin's own answers.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Bootstrap, Envoy, EnvoyOptions, PebbleOptions, Place, Testbed, artifacts, domains, until};
use serde_json::{Value, json};

use crate::figure::{Figure, Goal, median};
use crate::stage::Stage;
use crate::{ROUNDS, run};

/// Address of the name whose challenge stays open: only this benchmark listens there.
const ELSEWHERE: [u8; 4] = [127, 0, 0, 9];
const OPEN: &str = "open.example";
const PREFIX: &str = "/.well-known/acme-challenge/";

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let one_worker = || EnvoyOptions { concurrency: 1, ..EnvoyOptions::default() };
    let mut stage = Stage::set(&domains(&[&[OPEN]]))?;
    *stage.bootstrap.routes("web")? = direct_response("Hello.\n");
    stage.dns.set_address(OPEN, ELSEWHERE.into())?;
    let listener = TcpListener::bind(SocketAddr::from((ELSEWHERE, stage.place.web)))?;
    let testbed = stage.start(one_worker())?;
    let (token, _held) = open_challenge(&listener)?;
    // The CA waits for its validation and must not give up: it is suspended while the plugin answers.
    testbed.pebble.suspend()?;
    let path = format!("{PREFIX}{token}");
    let answer = testbed.web().request(hyper::Method::GET, &path, OPEN, "")?;
    ensure!(answer.status == 200, "the open challenge is answered with {}", answer.status);

    let plain = Plain::start(&testbed, &answer.text())?;
    let with_plugin = testbed.place.web_address();
    let mut others = Pair::default();
    let mut challenges = Pair::default();
    for _ in 0..ROUNDS {
        others.baseline.push(load(plain.address, "/")?);
        others.measured.push(load(with_plugin, "/")?);
        challenges.baseline.push(load(plain.address, &path)?);
        challenges.measured.push(load(with_plugin, &path)?);
    }
    testbed.pebble.resume()?;
    let mut figures = of_run()?;
    figures.extend(others.figures("requests beside the plugin, behind its matcher", 0.95));
    figures.extend(challenges.figures("challenge answers by the plugin", 0.6));
    Ok(figures)
}

/// Requests at port 80 of `run`, where the routes of challenges enable the plugin, and at the same listener without
/// either, in the same Envoy: its worker has one core's caches, and its main thread the same work.
fn of_run() -> Result<Vec<Figure>> {
    let stage = harness::Stage::new("bench-run-requests", &PebbleOptions::default())?;
    let mut run = run::start(&stage.place, &stage.pebble, &["--concurrency", "1"])?;
    run::until_served(&mut run, &stage.place, &stage.pebble.roots()?)?;
    let plain = SocketAddr::from(([127, 0, 0, 1], harness::ports::free()?));
    add_without_plugin(&stage.place, plain.port())?;
    until("the listener without the plugin", Duration::from_secs(60), || Ok(TcpStream::connect(plain)?))?;
    let mut pair = Pair::default();
    for _ in 0..ROUNDS {
        pair.baseline.push(load(plain, "/")?);
        pair.measured.push(load(stage.place.web_address(), "/")?);
    }
    run.stop()?;
    Ok(pair.figures("requests beside the plugin of `run`", 0.98))
}

/// Adds the listener `web` of a `run` to its listeners, on another port, without the plugin and the routes for it.
fn add_without_plugin(place: &Place, port: u16) -> Result<()> {
    let read = |file: &Path| -> Result<Value> { Ok(serde_json::from_slice(&fs::read(file)?)?) };
    let file = place.file("run/listeners.json");
    let mut all = read(&file)?;
    let listeners = all["resources"].as_array_mut().context("no listeners")?;
    let mut listener = listeners.iter().find(|listener| listener["name"] == "web").context("no web")?.clone();
    listener["name"] = json!("plain");
    listener["address"]["socket_address"]["port_value"] = json!(port);
    let manager = listener.pointer_mut("/filter_chains/0/filters/0/typed_config").context("no manager")?;
    let manager = manager.as_object_mut().context("no manager")?;
    manager["http_filters"].as_array_mut().context("no filters")?.remove(0);
    let rds = manager.remove("rds").context("no rds")?;
    let path = rds.pointer("/config_source/path_config_source/path").and_then(Value::as_str).context("no file")?;
    let mut routes = read(Path::new(path))?["resources"][0].take();
    for host in routes["virtual_hosts"].as_array_mut().context("no virtual hosts")? {
        let routes = host["routes"].as_array_mut().context("no routes")?;
        routes.retain(|route| route.get("typed_per_filter_config").is_none());
    }
    routes.as_object_mut().context("no routes")?.remove("@type");
    manager.insert("route_config".to_owned(), routes);
    listeners.push(listener);
    let new = place.file("run/.listeners.bench");
    fs::write(&new, all.to_string())?;
    Ok(fs::rename(new, file)?)
}

pub(crate) fn direct_response(body: &str) -> Value {
    json!([{ "match": { "prefix": "/" }, "direct_response": { "status": 200, "body": { "inline_string": body } } }])
}

/// Waits for the CA to ask for the challenge, and keeps its connection.
fn open_challenge(listener: &TcpListener) -> Result<(String, TcpStream)> {
    let (stream, _) = listener.accept()?;
    let mut line = String::new();
    BufReader::new(stream.try_clone()?).read_line(&mut line)?;
    let token =
        line.split(' ').nth(1).and_then(|path| path.strip_prefix(PREFIX)).context("the CA asked for no token")?;
    Ok((token.to_owned(), stream))
}

/// An Envoy without the plugin.
pub(crate) struct Plain {
    _envoy: Envoy,
    pub(crate) address: SocketAddr,
}

impl Plain {
    pub(crate) fn start(testbed: &Testbed, answer: &str) -> Result<Self> {
        let port = harness::ports::free()?;
        let mut bootstrap = Bootstrap::placed(&testbed.place, &testbed.pebble)?.without_singleton();
        bootstrap.web_filters()?.remove(0);
        let mut routes = direct_response(answer);
        if let (Some(list), Some(other)) = (routes.as_array_mut(), direct_response("Hello.\n").get(0)) {
            list[0]["match"]["prefix"] = json!(PREFIX);
            list.push(other.clone());
        }
        *bootstrap.routes("web")? = routes;
        let listeners = bootstrap.value()["static_resources"]["listeners"].as_array_mut().context("no listeners")?;
        listeners.retain(|listener| listener["name"] == "web");
        listeners[0]["address"]["socket_address"]["port_value"] = json!(port);
        let options = EnvoyOptions { concurrency: 1, name: "plain".to_owned(), ..EnvoyOptions::default() };
        let _envoy = Envoy::start(&testbed.place, &mut bootstrap, options)?;
        Ok(Self { _envoy, address: ([127, 0, 0, 1], port).into() })
    }
}

/// Results of one run of wrk.
pub(crate) struct Load {
    per_second: f64,
    p99_millis: f64,
}

fn load(address: SocketAddr, path: &str) -> Result<Load> {
    load_for(OPEN, address, path)
}

/// The same for another host. Responses may be redirects.
pub(crate) fn load_for(host: &str, address: SocketAddr, path: &str) -> Result<Load> {
    let output = Command::new(artifacts::wrk()?)
        .args(["--threads", "1", "--connections", "16", "--duration", "2s", "--latency"])
        .args(["--header", &format!("Host: {host}")])
        .arg(format!("http://{address}{path}"))
        .output()
        .context("wrk")?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success() && !text.contains("Non-2xx"), "wrk: {text}");
    let field = |name: &str| text.lines().find_map(|line| line.trim().strip_prefix(name)).context("wrk's output");
    let per_second = field("Requests/sec:")?.trim().parse()?;
    Ok(Load { per_second, p99_millis: millis(field("99%")?.trim())? })
}

fn millis(text: &str) -> Result<f64> {
    for (unit, factor) in [("us", 0.001), ("ms", 1.0), ("s", 1000.0)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    anyhow::bail!("{text} is no duration of wrk's")
}

/// Alternating runs of wrk, with and without the thing measured.
#[derive(Default)]
pub(crate) struct Pair {
    pub(crate) baseline: Vec<Load>,
    pub(crate) measured: Vec<Load>,
}

impl Pair {
    pub(crate) fn figures(&self, name: &str, least: f64) -> Vec<Figure> {
        let middle = |loads: &[Load], part: fn(&Load) -> f64| median(&loads.iter().map(part).collect::<Vec<_>>());
        let rate = |loads| middle(loads, |load| load.per_second);
        let p99 = |loads| middle(loads, |load| load.p99_millis);
        let measured = &self.measured;
        let baseline = &self.baseline;
        let goal = Goal::RatioAtLeast(least);
        vec![
            Figure::new(&format!("{name}, rate"), rate(measured), "1/s", Some(rate(baseline)), &goal),
            Figure::new(&format!("{name}, p99"), p99(measured), "ms", Some(p99(baseline)), &Goal::None),
        ]
    }
}
