//! Requests to `/.well-known/acme-challenge/`: only a live challenge is answered, every other request is routed as
//! usual.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result, ensure};
use harness::http::Endpoint;
use harness::{Backend, Bootstrap, Challtestsrv, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar};
use harness::{SidecarOptions, Stage, Testbed, domains, ports, until};
use hyper::Method;
use serde_json::json;

use crate::PATIENCE;
use crate::run::Scene;

const HOST: &str = "held.example";

/// A testbed in which one challenge stays live: the CA looks for it at another server, which never responds.
struct Held {
    testbed: Testbed,
    backend: Backend,
    elsewhere: Backend,
    /// The path of the live challenge.
    path: String,
}

impl Held {
    fn start() -> Result<Self> {
        Self::with(Ok)
    }

    fn with(configure: impl FnOnce(Bootstrap) -> Result<Bootstrap>) -> Result<Self> {
        let place = Place::new("held")?;
        let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into())?;
        let elsewhere = Backend::start(SocketAddr::from(([127, 0, 0, 2], place.web)))?;
        elsewhere.hold(true);
        let dns = Challtestsrv::start(&place)?;
        dns.set_address(HOST, Ipv4Addr::new(127, 0, 0, 2))?;
        let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
        let bootstrap = Bootstrap::placed(&place, &pebble)?.backend(backend.address())?;
        let mut bootstrap = configure(bootstrap.domains(&domains(&[&[HOST]]))?)?;
        let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
        let envoy = Envoy::start(&place, &mut bootstrap, EnvoyOptions::default())?;
        let path = until("the CA's look at the challenge", PATIENCE, || {
            let requests = elsewhere.requests();
            let line = requests.first().context("not yet")?;
            Ok(line.split(' ').nth(1).context("no path")?.to_owned())
        })?;
        Ok(Self { testbed: Testbed { envoy, sidecar, pebble, dns, place }, backend, elsewhere, path })
    }
}

#[test]
fn a_live_challenge_is_answered_by_get_and_head() -> Result<()> {
    let held = Held::start()?;
    let web = held.testbed.web();
    let token = held.path.rsplit('/').next().unwrap_or_default();
    let reply = web.request(Method::GET, &held.path, HOST, "")?;
    assert_eq!(reply.status, 200);
    let (answered, thumbprint) =
        reply.text().split_once('.').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap_or_default();
    assert_eq!((answered.as_str(), thumbprint.len()), (token, 43), "a key authorization: the token and a thumbprint");
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");

    let head = web.request(Method::HEAD, &held.path, HOST, "")?;
    assert_eq!((head.status, head.body.len()), (200, 0));
    for host in ["HELD.example", "held.example:80", "held.example."] {
        assert_eq!(web.request(Method::GET, &held.path, host, "")?.body, reply.body, "{host}");
    }
    assert!(held.backend.requests().is_empty(), "a challenge reached the backend");
    held.elsewhere.hold(false);
    Ok(())
}

#[test]
fn a_request_for_a_whole_url_is_for_the_host_in_it() -> Result<()> {
    let held = Held::start()?;
    let web = held.testbed.web();
    let for_another = web.request(Method::GET, &format!("http://other.example{}", held.path), HOST, "")?;
    assert_eq!(for_another.header("x-backend"), "yes", "{}", for_another.text());
    let for_this = web.request(Method::GET, &format!("http://{HOST}{}", held.path), "other.example", "")?;
    assert_eq!((for_this.status, for_this.header("x-backend")), (200, ""));
    held.elsewhere.hold(false);
    Ok(())
}

#[test]
fn a_challenge_that_envoy_was_killed_in_is_answered_again_after_its_restart() -> Result<()> {
    let mut held = Held::start()?;
    let answer = held.testbed.web().request(Method::GET, &held.path, HOST, "")?;
    assert_eq!((answer.status, answer.header("x-backend")), (200, ""));
    held.testbed.envoy.restart()?;
    until("the same answer", PATIENCE, || {
        let again = held.testbed.web().request(Method::GET, &held.path, HOST, "")?;
        ensure!(again.body == answer.body, "{}", again.text());
        Ok(())
    })?;
    assert_eq!(held.testbed.orders(), 1);
    held.elsewhere.hold(false);
    Ok(())
}

/// Shared data can't be read under another `vm_id`.
#[test]
fn a_plugin_with_another_vm_id_knows_no_challenge() -> Result<()> {
    let port = ports::free()?;
    let held = Held::with(|mut bootstrap| {
        let mut stranger = bootstrap.named("/static_resources/listeners", "web")?.clone();
        stranger["name"] = json!("stranger");
        stranger["address"]["socket_address"]["port_value"] = json!(port);
        let filter = stranger.pointer_mut("/filter_chains/0/filters/0/typed_config/http_filters/0");
        let filter = filter.context("no filter")?;
        let plugin = &mut filter["typed_config"]["extension_config"]["typed_config"]["config"];
        plugin["vm_config"]["vm_id"] = json!("stranger");
        plugin["configuration"]["value"]["role"] = json!("responder");
        let listeners = bootstrap.value()["static_resources"]["listeners"].as_array_mut().context("no listeners")?;
        listeners.push(stranger);
        Ok(bootstrap)
    })?;
    assert_eq!(held.testbed.web().request(Method::GET, &held.path, HOST, "")?.header("x-backend"), "");
    let stranger = Endpoint::Tcp((Ipv4Addr::LOCALHOST, port).into());
    assert_eq!(stranger.request(Method::GET, &held.path, HOST, "")?.header("x-backend"), "yes");
    held.elsewhere.hold(false);
    Ok(())
}

#[test]
fn everything_else_reaches_the_backend_unchanged() -> Result<()> {
    let held = Held::start()?;
    let web = held.testbed.web();
    let (directory, token) = held.path.rsplit_once('/').context("no token")?;
    let unknown = format!("{directory}/{}", "u".repeat(token.len()));
    let cases = [
        (Method::GET, unknown, HOST),
        (Method::GET, held.path.clone(), "other.example"),
        (Method::POST, held.path.clone(), HOST),
        (Method::PUT, held.path.clone(), HOST),
        (Method::DELETE, held.path.clone(), HOST),
        (Method::OPTIONS, held.path.clone(), HOST),
        (Method::GET, format!("{}?query", held.path), HOST),
        (Method::GET, format!("{}/", held.path), HOST),
        (Method::GET, format!("{directory}//{token}"), HOST),
        (Method::GET, format!("/{}", held.path), HOST),
        (Method::GET, format!("/%2ewell-known/acme-challenge/{token}"), HOST),
        (Method::GET, format!("{directory}/../acme-challenge/{token}"), HOST),
        (Method::GET, format!("{directory}/"), HOST),
        (Method::GET, "/".to_owned(), HOST),
    ];
    for (method, path, host) in cases {
        let reply = web.request(method.clone(), &path, host, "")?;
        assert_eq!((reply.status, reply.header("x-backend")), (200, "yes"), "{method} {path} for {host}");
        if method != Method::HEAD {
            assert!(reply.text().starts_with(&format!("{method} {path} HTTP/1.1\r\n")), "{}", reply.text());
        }
    }
    held.elsewhere.hold(false);
    Ok(())
}

/// The same with `run`, whose routes enable the plugin only for requests for challenges.
fn held_by_run(name: &str, http: &str, dynamic: &str) -> Result<(Scene, Backend, String)> {
    let stage = Stage::new(name, &PebbleOptions::default())?;
    let elsewhere = Backend::start(SocketAddr::from(([127, 0, 0, 2], stage.place.web)))?;
    elsewhere.hold(true);
    stage.dns.set_address(HOST, Ipv4Addr::new(127, 0, 0, 2))?;
    let mut scene = Scene::on(stage, http, &[], |backend| {
        format!(
            "http:\n  services:\n    own: {{ loadBalancer: {{ servers: [{{ url: 'http://{}' }}] }} }}\n  middlewares:\n    \
             lan: {{ ipAllowList: {{ sourceRange: [192.0.2.0/24] }} }}\n  routers:\n    held: {{ rule: Host(`{HOST}`), \
             service: own, entryPoints: [websecure], tls: {{ certResolver: le }} }}\n{dynamic}",
            backend.address()
        )
    })?;
    let path = until("the CA's look at the challenge", PATIENCE, || {
        scene.run.check()?;
        let requests = elsewhere.requests();
        let line = requests.first().context("not yet")?;
        Ok(line.split(' ').nth(1).context("no path")?.to_owned())
    })?;
    Ok((scene, elsewhere, path))
}

#[test]
fn requests_that_the_plugin_of_run_does_not_answer_reach_their_routers() -> Result<()> {
    let (scene, elsewhere, path) = held_by_run(
        "held-run",
        "{}",
        "    challenges: { rule: 'Host(`held.example`) && PathPrefix(`/.well-known/`)', service: own, entryPoints: [web] }\n    \
         guarded: { rule: Host(`guarded.example`), service: own, entryPoints: [web], middlewares: [lan] }\n",
    )?;
    let web = Endpoint::Tcp(scene.stage.place.web_address());
    let live = web.request(Method::GET, &path, HOST, "")?;
    assert_eq!(
        (live.status, live.header("x-backend"), live.header("content-type")),
        (200, "", "application/octet-stream")
    );
    let (directory, token) = path.rsplit_once('/').context("no token")?;
    let unknown = format!("{directory}/{}", "u".repeat(token.len()));
    let odd = format!("{directory}/%23{token}");
    let cases = [
        (Method::GET, unknown.as_str(), HOST, 200, "yes"),
        (Method::POST, path.as_str(), HOST, 200, "yes"),
        (Method::GET, odd.as_str(), HOST, 400, ""),
        (Method::GET, "/", HOST, 404, ""),
        (Method::GET, path.as_str(), "guarded.example", 503, ""),
        (Method::GET, unknown.as_str(), "guarded.example", 503, ""),
        (Method::GET, path.as_str(), "other.example", 404, ""),
        (Method::GET, unknown.as_str(), "other.example", 404, ""),
        (Method::GET, unknown.as_str(), "user@held.example", 404, ""),
    ];
    for (method, path, host, status, backend) in cases {
        let reply = web.request(method.clone(), path, host, "")?;
        assert_eq!((reply.status, reply.header("x-backend")), (status, backend), "{method} {path} for {host}");
    }
    elsewhere.hold(false);
    Ok(())
}

#[test]
fn a_live_challenge_of_run_comes_before_the_redirect_of_its_entry_point() -> Result<()> {
    let redirect = "{ redirections: { entryPoint: { to: websecure, scheme: https } } }";
    let (scene, elsewhere, path) = held_by_run("held-redirect", redirect, "")?;
    let web = Endpoint::Tcp(scene.stage.place.web_address());
    assert_eq!(web.request(Method::GET, &path, HOST, "")?.status, 200);
    let (directory, token) = path.rsplit_once('/').context("no token")?;
    let unknown = format!("{directory}/{}", "u".repeat(token.len()));
    for (path, host) in [(unknown.as_str(), HOST), (path.as_str(), "other.example"), ("/", HOST)] {
        let reply = web.request(Method::GET, path, host, "")?;
        let location = reply.header("location");
        ensure!(reply.status == 301 && location.starts_with("https://") && location.ends_with(path), "{location}");
    }
    elsewhere.hold(false);
    Ok(())
}

#[test]
fn a_challenge_is_dead_once_its_certificate_is_there() -> Result<()> {
    let backend = Backend::start((Ipv4Addr::LOCALHOST, 0).into())?;
    let address = backend.address();
    let mut testbed = Testbed::with("dead", &Default::default(), |bootstrap| {
        bootstrap.backend(address)?.domains(&domains(&[&["dead.example"]]))
    })?;
    testbed.served("dead.example", PATIENCE)?;
    let log = testbed.pebble.log();
    let path = log.split_once("/.well-known/acme-challenge/").context("Pebble's log names no challenge")?.1;
    let token: String = path.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
    until("the challenge's end", PATIENCE, || {
        let path = format!("/.well-known/acme-challenge/{token}");
        let reply = testbed.web().request(Method::GET, &path, "dead.example", "")?;
        ensure!(reply.header("x-backend") == "yes", "it is still answered");
        Ok(())
    })
}
