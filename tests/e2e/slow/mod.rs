//! Slow clients of every kind at an Envoy started by `run`: they keep nobody out, and clients with a reason to be slow
//! are served.

mod beside;
mod deadlines;
mod limits;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use harness::crowd::Target;
use harness::http::Endpoint;
use harness::tls::handshake;
use harness::{PebbleOptions, Process, Site, Stage, artifacts, until};

const NAME: &str = "site.example";
const LIMIT: Duration = Duration::from_secs(60);

/// A CA, a server, and `run` in front of it.
struct Scene {
    run: Process,
    stage: Stage,
    _site: Site,
}

impl Scene {
    /// Starts a scene with more flags, and with a limit of open files if it is to differ from this process's.
    fn start(test: &str, files: Option<u32>, flags: &[&str]) -> Result<Self> {
        let stage = Stage::new(test, &PebbleOptions::default())?;
        let site = Site::start()?;
        let of = |name: &str, value: &dyn std::fmt::Display| format!("--{name}={value}");
        let arguments = [
            of("domain", &NAME),
            of("email", &"me@example.com"),
            of("key-type", &"EC256"),
            of("upstream", &site.address()),
            of("ca-server", &stage.pebble.directory()),
            of("storage", &stage.place.file("acme.json").display()),
            of("entryPoints.web.address", &stage.place.web_address()),
            of("entryPoints.websecure.address", &stage.place.websecure_address()),
            of("certificatesresolvers.default.acme.cacertificates", &stage.place.authority.root.display()),
            of("runtime-dir", &stage.place.file("run").display()),
        ];
        let limit = files.map_or_else(String::new, |files| format!("ulimit -n {files} && "));
        let run = Process::start(Path::new("/bin/sh"), &stage.place.file("run.log"), |command| {
            command
                .arg("-c")
                .arg(format!("{limit}exec \"$0\" run \"$@\""))
                .arg(artifacts::sidecar().unwrap_or_default());
            command.args(&arguments).args(flags);
            command.env("ENVOY_AUTOCERT_ENVOY", artifacts::envoy().unwrap_or_default());
            command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
        })?;
        let mut scene = Self { run, stage, _site: site };
        let roots = scene.stage.pebble.roots()?;
        let address = scene.stage.place.websecure_address();
        until("the certificate", LIMIT, || {
            scene.run.check()?;
            handshake(address, NAME, &roots)
        })?;
        Ok(scene)
    }

    /// The entry point with TLS.
    fn websecure(&self) -> Result<Target> {
        let address = self.stage.place.websecure_address();
        Ok(Target { address, name: NAME.to_owned(), roots: self.stage.pebble.roots()? })
    }

    /// The entry point without TLS, which redirects and answers challenges.
    fn web(&self) -> Result<Target> {
        Ok(Target { address: self.stage.place.web_address(), ..self.websecure()? })
    }

    fn site(&self) -> Result<Endpoint> {
        let Target { address, name, roots } = self.websecure()?;
        Ok(Endpoint::Tls { address, name, roots })
    }

    fn admin(&self) -> Endpoint {
        Endpoint::Unix(self.stage.place.file("run/admin.sock"))
    }

    /// The process of Envoy, which names its configuration.
    fn envoy(&self) -> Result<u32> {
        let bootstrap = self.stage.place.file("run/bootstrap.json").display().to_string();
        for entry in std::fs::read_dir("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
            let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
            if pid != self.run.pid() && String::from_utf8_lossy(&line).contains(&bootstrap) {
                return Ok(pid);
            }
        }
        bail!("there is no Envoy")
    }

    /// A statistic of Envoy's.
    fn statistic(&self, name: &str) -> Result<u64> {
        let reply = self.admin().get(&format!("/stats?usedonly&filter=^{name}$"))?.text();
        Ok(reply.trim().rsplit_once(": ").and_then(|(_, count)| count.parse().ok()).unwrap_or_default())
    }
}
