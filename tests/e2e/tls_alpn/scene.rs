//! An Envoy with the chain of TLS-ALPN-01 and without the plugin: the test acts as engine and as CA.

use std::net::SocketAddr;

use anyhow::Result;
use harness::tls::{Roots, Served, handshake};
use harness::{Authority, FakeEngine, PebbleOptions, SidecarOptions, Stage, Testbed, TestbedOptions};

/// The name that visitors are served a certificate for.
pub const SITE: &str = "site.example";

pub struct Scene {
    pub engine: FakeEngine,
    roots: Roots,
    testbed: Testbed,
}

impl Scene {
    pub fn start(name: &str) -> Result<Self> {
        let stage = Stage::new(name, &PebbleOptions::default())?;
        let site = Authority::of(stage.place.path(), "site", &[SITE])?;
        let pair = format!("{},{}", site.certificate.display(), site.key.display());
        let sidecar = SidecarOptions { arguments: vec!["--cert".to_owned(), pair], ..SidecarOptions::default() };
        let bootstrap = stage.bootstrap()?.secrets([SITE])?.challenge_chain()?.without_plugin()?;
        let testbed = stage.play(bootstrap, &TestbedOptions { sidecar, ..TestbedOptions::default() })?;
        let roots = Roots::from_pem(&std::fs::read_to_string(site.root)?)?;
        Ok(Self { engine: FakeEngine::take(testbed.sidecar.api())?, roots, testbed })
    }

    /// The address of the listener with both chains.
    pub fn address(&self) -> SocketAddr {
        self.testbed.place.websecure_address()
    }

    /// The certificate that a visitor is served.
    pub fn visit(&self) -> Result<Served> {
        handshake(self.address(), SITE, &self.roots)
    }
}
