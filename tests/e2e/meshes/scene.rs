//! A mesh: its objects as `render` prints them, its control plane, an Envoy of it, and the sidecar in the pod.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::control_plane::{ControlPlane, Objects, Resource};
use anyhow::{Context, Result, ensure};
use harness::tls::{Served, handshake};
use harness::{
    Backend, Bootstrap, EnvoyOptions, PebbleOptions, SidecarOptions, Stage, Testbed, TestbedOptions, artifacts, tokens,
    until,
};

use crate::PATIENCE;

/// A running mesh. The fields are in the order in which they are dropped.
pub struct Mesh {
    pub testbed: Testbed,
    pub plane: ControlPlane,
    _modules: Option<Backend>,
}

/// The programs that run before the mesh does.
pub struct Before {
    pub stage: Stage,
    pub series: &'static str,
}

impl Before {
    /// DNS and CA, with certificates of this validity.
    pub fn new(name: &str, series: &'static str, validity: Duration) -> Result<Self> {
        let stage = Stage::new(&format!("{name}-{series}"), &PebbleOptions::default().validity(validity))?;
        Ok(Self { stage, series })
    }

    /// The output of `render --format FORMAT`, with everything filled in that a user fills in.
    pub fn render(&self, format: &str, hosts: &[&str], flags: &[&str]) -> Result<Objects> {
        let place = &self.stage.place;
        let configuration = place.file("traefik.yml");
        let root = place.authority.root.display().to_string();
        let routers: String = hosts
            .iter()
            .enumerate()
            .map(|(index, host)| {
                format!("    r{index}: {{ rule: Host(`{host}`), service: s, tls: {{ certResolver: le }} }}\n")
            })
            .collect();
        fs::write(
            &configuration,
            format!(
                "entryPoints: {{ web: {{ address: ':{}' }}, websecure: {{ address: ':{}' }} }}
certificatesResolvers:
  le:
    acme:
      email: ops@example.com
      caServer: {}
      caCertificates: [{root}]
      keyType: EC256
      httpChallenge: {{ entryPoint: web }}
http:
  services: {{ s: {{ loadBalancer: {{ servers: [{{ url: 'http://127.0.0.1:1' }}] }} }} }}
  routers:
{routers}",
                place.web,
                place.websecure,
                self.stage.pebble.directory()
            ),
        )?;
        let done = Command::new(artifacts::sidecar()?)
            .args(["render", "--format", format, "--config"])
            .arg(&configuration)
            .arg("--api-socket")
            .arg(place.file("run/api.sock"))
            .args(flags)
            .output()?;
        let told = String::from_utf8_lossy(&done.stderr).into_owned();
        ensure!(done.status.success(), "render: {told}");
        let text = tokens::fill(&String::from_utf8(done.stdout)?).replace("${ENVOY_AUTOCERT_IMAGE}", "an-image");
        ensure!(
            !text.contains("stringData: {}") && !text.contains("{ENVOY_AUTOCERT"),
            "something is not filled in: {text}"
        );
        Objects::read(&text)
    }

    /// A fixture, moved to this place.
    pub fn fixture(&self, name: &str) -> Result<String> {
        let path = artifacts::repository().join("tests/fixtures").join(name);
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(text.replace("${XDS}", &self.stage.place.file("xds.sock").display().to_string()))
    }

    /// Starts the control plane, the sidecar, and Envoy.
    pub fn play(
        self,
        bootstrap: Bootstrap,
        socket: &str,
        resources: Vec<Resource>,
        modules: Option<Backend>,
    ) -> Result<Mesh> {
        let plane = ControlPlane::start(&self.stage.place.file("xds.sock"), resources)?;
        let mesh_socket = self.stage.place.file(&format!("run/{socket}"));
        let sidecar = SidecarOptions {
            arguments: vec![format!("--mesh-sds-socket={}", mesh_socket.display())],
            ..SidecarOptions::default()
        };
        let binary = Some(artifacts::envoy_of(self.series)?);
        let envoy = EnvoyOptions { binary, concurrency: 1, ..EnvoyOptions::default() };
        let options = TestbedOptions { sidecar, envoy, ..TestbedOptions::default() };
        let testbed = self.stage.play(bootstrap, &options)?;
        Ok(Mesh { testbed, plane, _modules: modules })
    }
}

impl Mesh {
    /// Waits for a certificate of the CA's, and for Envoy to have accepted everything.
    pub fn served(&mut self, name: &str) -> Result<Served> {
        let served = self.testbed.served(name, PATIENCE);
        // A rejection by Envoy tells more than a missing certificate.
        self.plane.check()?;
        let served = served?;
        until("Envoy's answers to the control plane", PATIENCE, || self.plane.settled())?;
        Ok(served)
    }

    /// Replaces the resources while visitors connect, all of whom must succeed; ends when a name has its certificate.
    pub fn update(&mut self, resources: Vec<Resource>, name: &str, visited: &str) -> Result<()> {
        let address = self.testbed.place.websecure_address();
        let roots = self.testbed.pebble.roots()?;
        let over = AtomicBool::new(false);
        let visit = || -> Result<usize> {
            let mut visits = 0;
            while !over.load(Ordering::Relaxed) {
                handshake(address, visited, &roots).with_context(|| format!("visit {visits}"))?;
                visits += 1;
                thread::sleep(Duration::from_millis(20));
            }
            Ok(visits)
        };
        thread::scope(|threads| {
            let visitor = threads.spawn(visit);
            self.plane.replace(resources);
            let served = self.served(name);
            over.store(true, Ordering::Relaxed);
            let visits = visitor.join().map_err(|_| anyhow::anyhow!("the visitor panicked"))??;
            served?;
            ensure!(visits > 0, "nobody came");
            Ok(())
        })
    }

    /// Waits until another certificate is served.
    pub fn renewed(&mut self, first: &Served, name: &str) -> Result<()> {
        let roots = self.testbed.pebble.roots()?;
        let address = self.testbed.place.websecure_address();
        until("another serial number", 2 * PATIENCE, || {
            self.testbed.envoy.check()?;
            let served = handshake(address, name, &roots)?;
            ensure!(served.serial != first.serial, "still the first one");
            Ok(())
        })?;
        self.plane.settled()
    }
}
