//! The start of `run`: occupied ports, configurations that Envoy refuses, the messages when all is up, logs in JSON,
//! and the remains of a killed process.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use harness::tls::handshake;
use harness::{Backend, PebbleOptions, Process, Stage, artifacts, until};
use serde_json::Value;

use crate::PATIENCE;

/// A CA and a server for several `run`s, with a temporary directory of their own.
struct Scene {
    backend: Backend,
    stage: Stage,
}

impl Scene {
    fn new(name: &str) -> Result<Self> {
        let stage = Stage::new(name, &PebbleOptions::default())?;
        let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        fs::DirBuilder::new().mode(0o700).create(stage.place.file("tmp"))?;
        Ok(Self { backend, stage })
    }

    /// Starts `run` for this name, with files named for it.
    fn run(&self, name: &str, web: SocketAddr, websecure: SocketAddr, more: &[&str]) -> Result<Process> {
        let place = &self.stage.place;
        Process::start(&artifacts::sidecar()?, &place.file(&format!("{name}.log")), |command| {
            command.args(["run", "--email=me@example.com", "--key-type=EC256"]).arg(format!("--domain={name}"));
            command.arg(format!("--upstream={}", self.backend.address()));
            command.arg(format!("--ca-server={}", self.stage.pebble.directory()));
            command.arg(format!("--storage={}", place.file(&format!("{name}.json")).display()));
            command.arg(format!("--entryPoints.web.address={web}"));
            command.arg(format!("--entryPoints.websecure.address={websecure}"));
            let root = place.authority.root.display();
            command.arg(format!("--certificatesresolvers.default.acme.cacertificates={root}"));
            command.args(more).env("TMPDIR", place.file("tmp"));
            command.env("ENVOY_AUTOCERT_ENVOY", artifacts::envoy().unwrap_or_default());
            command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
        })
    }

    /// The directories of running and of killed processes.
    fn directories(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(self.stage.place.file("tmp"))?;
        Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<_>>()?)
    }
}

fn says(run: &mut Process, part: &str) -> Result<()> {
    until(&format!("{part:?} in the log"), PATIENCE, || {
        run.check()?;
        let said = run.log().contains(part);
        if said { Ok(()) } else { bail!("not yet") }
    })
}

/// The objects of a log that has nothing but JSON.
fn objects(log: &str) -> Result<Vec<Value>> {
    log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

#[test]
fn a_port_that_somebody_has_is_reported_before_anybody_is_disturbed() -> Result<()> {
    let scene = Scene::new("ports")?;
    let web = scene.stage.place.web_address();
    let websecure = scene.stage.place.websecure_address();
    let mut first = scene.run("first.example", web, websecure, &["--log-format", "json"])?;
    says(&mut first, "https://first.example:")?;
    let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;

    let everywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, websecure.port()));
    let mut second = scene.run("second.example", foreign.local_addr()?, everywhere, &[])?;
    assert_eq!(second.wait(PATIENCE)?.code(), Some(1));
    let told = second.log();
    let by_first = format!("port {} is in use by envoy (pid ", websecure.port());
    let to_end = format!("which envoy-autocert (pid {}) started: end envoy-autocert", first.pid());
    ensure!(told.contains(&by_first) && told.contains(&to_end), "{told}");
    let by_test = format!("port {} is in use by ", foreign.local_addr()?.port());
    ensure!(told.contains(&by_test) && told.contains(&format!("(pid {})", std::process::id())), "{told}");
    ensure!(!scene.stage.place.file("second.example.json").exists(), "nothing was begun");
    first.check()?;
    let roots = scene.stage.pebble.roots()?;
    for _ in 0..10 {
        assert_eq!(handshake(websecure, "first.example", &roots)?.names, ["first.example"]);
    }

    // Its Envoy may still be ending when the next one starts, as after a restart by systemd.
    ensure!(scene.directories()?.len() == 1, "{:?}", scene.directories()?);
    first.kill();
    let mut next = scene.run("first.example", web, websecure, &["--log-format", "json"])?;
    until("another start", PATIENCE, || {
        next.check()?;
        ensure!(next.log().matches("https://first.example:").count() == 2, "not yet");
        Ok(())
    })?;
    ensure!(scene.directories()?.len() == 1, "a killed one's is swept: {:?}", scene.directories()?);
    ensure!(next.stop()?.success(), "{}", next.log());
    ensure!(scene.directories()?.is_empty(), "{:?}", scene.directories()?);

    let log = objects(&next.log())?;
    let said = |part: &str| {
        let is_it = |line: &&Value| line["message"].as_str().is_some_and(|message| message.contains(part));
        log.iter().find(is_it).with_context(|| format!("{part:?} is not in the log"))
    };
    let issued = said("first.example: issued by")?;
    assert_eq!((&issued["level"], &issued["target"]), (&"INFO".into(), &"envoy".into()));
    said("the new certificate is served")?;
    let up = said("https://first.example:")?["message"].as_str().unwrap_or_default();
    ensure!(up.contains(" is up: valid until 20") && up.contains("status: curl --unix-socket "), "{up}");
    let is_empty = |line: &Value| line["message"].as_str().is_none_or(|said| said.trim_end().ends_with("autocert:"));
    ensure!(!log.iter().any(is_empty), "an empty line: {log:?}");
    ensure!(said("statically linked extensions").is_err(), "Envoy's start is in the log");
    Ok(())
}

#[test]
fn what_can_not_be_listened_on_is_reported_with_what_mends_it() -> Result<()> {
    let scene = Scene::new("elsewhere")?;
    let elsewhere = SocketAddr::from(([192, 0, 2, 7], 8080));
    let mut run =
        scene.run("a.example", elsewhere, scene.stage.place.websecure_address(), &["--log-format", "json"])?;
    assert_eq!(run.wait(PATIENCE)?.code(), Some(1));
    let log = objects(&run.log())?;
    let told = log.last().and_then(|line| line["message"].as_str()).unwrap_or_default();
    let expected = "192.0.2.7:8080 (entry point web): 192.0.2.7 is no address of this machine";
    ensure!(told.starts_with(expected), "{told}");
    Ok(())
}

/// The last lines of a `run` that ends because its Envoy refuses the configuration.
fn refused(scene: &Scene, name: &str, more: &[&str]) -> Result<String> {
    let place = &scene.stage.place;
    let mut run = scene.run(name, place.web_address(), place.websecure_address(), more)?;
    assert_eq!(run.wait(PATIENCE)?.code(), Some(1));
    let log = run.log();
    let (before, told) =
        log.split_once("Envoy does not take the configuration; it says:\n").with_context(|| log.clone())?;
    ensure!(before.contains("sidecar ready"), "it was validated before its first start: {log}");
    ensure!(!log.contains("initial_metadata") && !log.contains("x-envoy-autocert-token"), "{log}");
    ensure!(scene.directories()?.is_empty(), "{:?}", scene.directories()?);
    Ok(told.to_owned())
}

/// Faults in any part that Envoy reads: the bootstrap, or the files of listeners and of routes.
#[test]
fn what_envoy_refuses_at_its_first_start_is_reported_as_by_its_validation() -> Result<()> {
    let scene = Scene::new("refused")?;
    let no_plugin = scene.stage.place.file("no.wasm");
    fs::write(&no_plugin, "no plugin")?;
    let told = refused(&scene, "plugin.example", &[&format!("--plugin={}", no_plugin.display())])?;
    ensure!(told.contains("Unable to create Wasm"), "{told}");

    // Larger than Envoy's largest program, in a rule that Traefik accepts.
    let file = scene.stage.place.file("long.yml");
    let rule = format!("PathRegexp(`^/{}$`)", "[ab]{999}".repeat(40));
    fs::write(
        &file,
        format!("http: {{ routers: {{ long: {{ rule: '{rule}', service: noop@internal, tls: {{}} }} }} }}\n"),
    )?;
    let told = refused(&scene, "routes.example", &[&format!("--config={}", file.display())])?;
    ensure!(told.contains("RE2 program size of"), "{told}");
    Ok(())
}
