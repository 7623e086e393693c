//! `envoy-autocert run`: everything in one command.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::http::Endpoint;
use harness::tls::{Served, handshake};
use harness::{Backend, PebbleOptions, Process, Signal, Stage, artifacts, until};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;

/// Time limit of any step on a machine that is busy with other tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A CA, a server, and `run` in front of it.
pub(crate) struct Scene {
    pub(crate) run: Process,
    pub(crate) backend: Backend,
    pub(crate) stage: Stage,
}

impl Scene {
    /// Starts a scene with the static configuration in one file and the dynamic one in another.
    pub(crate) fn of_files(name: &str, dynamic: impl FnOnce(&Backend) -> String) -> Result<Self> {
        Self::with(name, "{}", &[], dynamic)
    }

    /// The same with options of the entry point `web`, and more arguments.
    pub(crate) fn with(
        name: &str,
        http: &str,
        arguments: &[&str],
        dynamic: impl FnOnce(&Backend) -> String,
    ) -> Result<Self> {
        Self::on(Stage::new(name, &PebbleOptions::default())?, http, arguments, dynamic)
    }

    /// The same with a CA that runs already.
    pub(crate) fn on(
        stage: Stage,
        http: &str,
        arguments: &[&str],
        dynamic: impl FnOnce(&Backend) -> String,
    ) -> Result<Self> {
        let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let text = format!(
            "entryPoints:\n  web: {{ address: \"{}\", http: {http} }}\n  websecure: {{ address: \"{}\" }}\n\
             providers: {{ file: {{ filename: {:?} }} }}\n\
             certificatesResolvers:\n  le:\n    acme:\n      email: ops@example.com\n      keyType: EC256\n      \
             caServer: {}\n      caCertificates: [{:?}]\n      storage: {:?}\n      \
             httpChallenge: {{ entryPoint: web }}\n",
            stage.place.web_address(),
            stage.place.websecure_address(),
            stage.place.file("dynamic.yml"),
            stage.pebble.directory(),
            stage.place.authority.root,
            stage.place.file("acme.json"),
        );
        fs::write(stage.place.file("traefik.yml"), text)?;
        fs::write(stage.place.file("dynamic.yml"), dynamic(&backend))?;
        let config = stage.place.file("traefik.yml").display().to_string();
        let arguments: Vec<&str> = ["--config", &config].into_iter().chain(arguments.iter().copied()).collect();
        Self::start(stage, backend, &arguments)
    }

    pub(crate) fn start(stage: Stage, backend: Backend, arguments: &[&str]) -> Result<Self> {
        Self::start_with(stage, backend, arguments, &[])
    }

    /// The same with environment variables.
    pub(crate) fn start_with(
        stage: Stage,
        backend: Backend,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Self> {
        let log = stage.place.file("run.log");
        let run = Process::start(&artifacts::sidecar()?, &log, |command| {
            command.arg("run").args(arguments);
            command.arg("--runtime-dir").arg(stage.place.file("run"));
            command.env("ENVOY_AUTOCERT_ENVOY", artifacts::envoy().unwrap_or_default());
            command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
            command.envs(variables.iter().copied());
        })?;
        Ok(Self { run, backend, stage })
    }

    pub(crate) fn served(&mut self, name: &str) -> Result<Served> {
        let roots = self.stage.pebble.roots()?;
        let address = self.stage.place.websecure_address();
        until(&format!("a certificate for {name}"), LIMIT, || {
            self.run.check()?;
            handshake(address, name, &roots)
        })
    }

    pub(crate) fn site(&self, name: &str) -> Result<Endpoint> {
        let address = self.stage.place.websecure_address();
        Ok(Endpoint::Tls { address, name: name.to_owned(), roots: self.stage.pebble.roots()? })
    }

    pub(crate) fn dynamic(&self) -> PathBuf {
        self.stage.place.file("dynamic.yml")
    }

    /// Waits for a line in the log.
    pub(crate) fn says(&mut self, part: &str) -> Result<()> {
        until(&format!("{part:?} in the log"), LIMIT, || {
            self.run.check()?;
            let said = self.run.log().contains(part);
            if said { Ok(()) } else { bail!("not yet") }
        })
    }

    /// The process of Envoy, which names its configuration.
    fn envoy(&self) -> Result<u32> {
        let bootstrap = self.stage.place.file("run/bootstrap.json").display().to_string();
        for entry in fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if pid != self.run.pid() && String::from_utf8_lossy(&line).contains(&bootstrap) {
                return Ok(pid);
            }
        }
        bail!("there is no Envoy")
    }
}

/// A router and a service for each name.
fn routers(backend: &Backend, names: &[&str]) -> String {
    let router = |name: &&str| {
        let key = name.replace('.', "-");
        format!("    {key}: {{ rule: Host(`{name}`), service: site, tls: {{ certResolver: le }} }}\n")
    };
    let routers: String = names.iter().map(router).collect();
    let server = format!("http://{}", backend.address());
    format!(
        "http:\n  routers:\n{routers}  services:\n    site: {{ loadBalancer: {{ servers: [{{ url: {server:?} }}] }} }}\n"
    )
}

#[test]
fn a_configuration_of_traefiks_runs_with_one_command_and_ends_in_order() -> Result<()> {
    let mut scene = Scene::of_files("run-files", |backend| routers(backend, &["a.example"]))?;
    assert_eq!(scene.served("a.example")?.names, ["a.example"]);
    let reply = scene.site("a.example")?.get("/hello")?;
    assert_eq!((reply.status, reply.header("x-backend")), (200, "yes"));
    assert_eq!(scene.site("a.example")?.request(hyper::Method::GET, "/", "b.example", "")?.status, 404);
    let envoy = scene.envoy()?;
    let status = scene.run.stop()?;
    ensure!(status.success(), "{status}: {}", scene.run.log());
    ensure!(!PathBuf::from(format!("/proc/{envoy}")).exists(), "Envoy is still there");
    ensure!(scene.run.log().contains("ended; everything is saved"), "{}", scene.run.log());
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(scene.stage.place.file("acme.json"))?)?;
    assert_eq!(stored["le"]["Certificates"][0]["domain"]["main"], "a.example");
    Ok(())
}

#[test]
fn a_few_flags_are_enough() -> Result<()> {
    let stage = Stage::new("run-flags", &PebbleOptions::default())?;
    let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let of = |name: &str, value: String| format!("--{name}={value}");
    let http = stage.place.web_address().port();
    let https = stage.place.websecure_address().port();
    let arguments = [
        "--domain=flags.example,www.flags.example".to_owned(),
        of("upstream", backend.address().to_string()),
        of("ca-server", stage.pebble.directory()),
        of("storage", stage.place.file("acme.json").display().to_string()),
        of("http-port", http.to_string()),
        of("https-port", https.to_string()),
        of("certificatesresolvers.default.acme.cacertificates", stage.place.authority.root.display().to_string()),
    ];
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut scene = Scene::start(stage, backend, &arguments)?;
    assert_eq!(scene.served("www.flags.example")?.names, ["flags.example", "www.flags.example"]);
    assert_eq!(scene.site("flags.example")?.get("/")?.header("x-backend"), "yes");
    let plain = Endpoint::Tcp(scene.stage.place.web_address());
    let location = |host: &str| -> Result<String> {
        Ok(plain.request(hyper::Method::GET, "/x", host, "")?.header("location").to_owned())
    };
    // A client that comes through a mapping of ports, and one that does not.
    assert_eq!(location("flags.example")?, "https://flags.example/x");
    assert_eq!(location(&format!("flags.example:{http}"))?, format!("https://flags.example:{https}/x"));
    assert_eq!(location("flags.example:1")?, "https://flags.example:443/x");
    let stored: serde_json::Value = serde_json::from_slice(&fs::read(scene.stage.place.file("acme.json"))?)?;
    assert_eq!(stored["default"]["Account"]["Email"], "", "no --email, no contact");
    ensure!(scene.run.log().contains("--email: none given"), "{}", scene.run.log());
    Ok(())
}

#[test]
fn a_new_router_is_picked_up_and_no_connection_is_dropped() -> Result<()> {
    let mut scene = Scene::of_files("run-reload", |backend| routers(backend, &["old.example"]))?;
    scene.served("old.example")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut connection = runtime.block_on(scene.site("old.example")?.connect())?;
    let mut ask = |path: &str| -> Result<u16> {
        let request = Request::get(path).header("host", "old.example").body(Full::<Bytes>::default())?;
        runtime.block_on(async {
            connection.ready().await.context("the connection was closed")?;
            let (head, body) = connection.send_request(request).await?.into_parts();
            body.collect().await?;
            Ok(head.status.as_u16())
        })
    };
    assert_eq!(ask("/before")?, 200);
    fs::write(scene.dynamic(), routers(&scene.backend, &["old.example", "new.example"]))?;
    assert_eq!(scene.served("new.example")?.names, ["new.example"]);
    assert_eq!(scene.site("new.example")?.get("/")?.status, 200);
    assert_eq!(ask("/after")?, 200, "the same connection");
    let other = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    fs::write(scene.dynamic(), routers(&other, &["old.example"]))?;
    until("requests at the other server", LIMIT, || {
        assert_eq!(ask("/moved")?, 200, "the same connection");
        if other.requests().is_empty() { bail!("none yet") } else { Ok(()) }
    })?;
    Ok(())
}

#[test]
fn a_bad_change_is_reported_and_what_was_there_stays() -> Result<()> {
    let mut scene = Scene::of_files("run-bad", |backend| routers(backend, &["a.example"]))?;
    scene.served("a.example")?;
    let bad = routers(&scene.backend, &["a.example"]).replace("Host(`a.example`)", "Hots(`a.example`)");
    fs::write(scene.dynamic(), bad)?;
    scene.says("the previous configuration stays in force")?;
    ensure!(scene.run.log().contains("http.routers.a-example.rule"), "{}", scene.run.log());
    assert_eq!(scene.site("a.example")?.get("/")?.status, 200);
    // F8: the log is not the only report.
    let sidecar = Endpoint::Unix(scene.stage.place.file("run/api.sock"));
    let ask = |path: &str| -> Result<String> { Ok(String::from_utf8(sidecar.get(path)?.body.to_vec())?) };
    let told = "the changed configuration is refused, and the previous one stays in force: ";
    let ready = ask("/readyz")?;
    ensure!(ready.starts_with("ready\n") && ready.contains(told) && ready.contains("a-example.rule"), "{ready}");
    let configuration = || -> Result<serde_json::Value> {
        Ok(serde_json::from_str::<serde_json::Value>(&ask("/status")?)?["configuration"].take())
    };
    ensure!(configuration()?["refused"]["lines"][0].as_str().is_some_and(|line| line.contains("rule")));
    ensure!(ask("/metrics")?.contains("\nenvoy_autocert_config_last_reload_success 0\n"), "{}", ask("/metrics")?);
    fs::write(scene.dynamic(), routers(&scene.backend, &["a.example"]))?;
    scene.says("the configuration is valid again")?;
    let told = (configuration()?, ask("/readyz")?);
    ensure!(told.0["refused"].is_null() && !told.1.contains("configuration"), "{told:?}");
    ensure!(ask("/metrics")?.contains("\nenvoy_autocert_config_last_reload_success 1\n"), "{}", ask("/metrics")?);
    fs::write(scene.dynamic(), routers(&scene.backend, &["b.example"]))?;
    scene.says("no longer referenced by any router: a.example")?;
    scene.served("b.example")?;
    let path = scene.stage.place.file("traefik.yml");
    fs::write(&path, fs::read_to_string(&path)?.replace("ops@example.com", "others@example.com"))?;
    scene.says("certificatesResolvers has changed: restart envoy-autocert to use it")?;
    Ok(())
}

#[test]
fn an_envoy_that_dies_is_started_again() -> Result<()> {
    let mut scene = Scene::of_files("run-dies", |backend| routers(backend, &["a.example"]))?;
    scene.served("a.example")?;
    let before = scene.envoy()?;
    kill(before)?;
    until("another Envoy", LIMIT, || {
        let now = scene.envoy()?;
        if now == before { bail!("it is still the one before") } else { Ok(()) }
    })?;
    scene.served("a.example")?;
    let log = scene.run.log();
    ensure!(!log.lines().any(|line| line.trim_end().ends_with("envoy-autocert:")), "an empty line: {log}");
    Ok(())
}

#[test]
fn envoy_ends_with_a_run_that_is_killed() -> Result<()> {
    let mut scene = Scene::of_files("run-killed", |backend| routers(backend, &["a.example"]))?;
    scene.says("Envoy is up")?;
    let envoy = PathBuf::from(format!("/proc/{}", scene.envoy()?));
    scene.run.kill();
    until("the end of Envoy", LIMIT, || if envoy.exists() { bail!("it is still there") } else { Ok(()) })
}

#[test]
fn a_wrong_configuration_ends_it_with_a_line_for_each_mistake() -> Result<()> {
    let wrong = "http: { routers: { a: { rule: \"Host(\", service: site } } }\n".to_owned();
    let mut scene = Scene::of_files("run-wrong", |_| wrong)?;
    let status = scene.run.wait(LIMIT)?;
    assert_eq!(status.code(), Some(1));
    let log = scene.run.log();
    ensure!(log.contains("http.routers.a.rule") && log.contains("http.routers.a.service"), "{log}");
    Ok(())
}

fn kill(pid: u32) -> Result<()> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid)?).context("a process")?;
    Ok(rustix::process::kill_process(pid, Signal::KILL)?)
}
