//! A whole installation: DNS, CA, sidecar and Envoy.

use std::time::Duration;

use anyhow::{Context, Result};

use crate::http::Endpoint;
use crate::tls::{Roots, Served, handshake};
use crate::{
    Bootstrap, Challtestsrv, Domains, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar, SidecarOptions, until,
};

/// Options that differ from test to test.
#[derive(Clone, Debug, Default)]
pub struct TestbedOptions {
    /// The CA.
    pub pebble: PebbleOptions,
    /// The sidecar.
    pub sidecar: SidecarOptions,
    /// Envoy.
    pub envoy: EnvoyOptions,
}

/// A whole installation with its CA. The fields are in the order in which they are dropped.
#[derive(Debug)]
pub struct Testbed {
    /// The proxy.
    pub envoy: Envoy,
    /// Our sidecar.
    pub sidecar: Sidecar,
    /// The CA.
    pub pebble: Pebble,
    /// The DNS.
    pub dns: Challtestsrv,
    /// The directory and the ports.
    pub place: Place,
}

impl Testbed {
    /// Starts an installation with defaults, to get these certificates.
    ///
    /// # Errors
    /// When a program does not come up.
    pub fn start(name: &str, certificates: &[&[&str]]) -> Result<Self> {
        Self::with(name, &TestbedOptions::default(), |bootstrap| bootstrap.domains(&domains(certificates)))
    }

    /// Starts everything; `configure` changes the shipped configuration of Envoy.
    ///
    /// # Errors
    /// When a program does not come up.
    pub fn with(
        name: &str,
        options: &TestbedOptions,
        configure: impl FnOnce(Bootstrap) -> Result<Bootstrap>,
    ) -> Result<Self> {
        let stage = Stage::new(name, &options.pebble)?;
        let bootstrap = configure(stage.bootstrap()?)?;
        stage.play(bootstrap, options)
    }

    /// Restarts Envoy with another configuration.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn reconfigure(&mut self, configure: impl FnOnce(Bootstrap) -> Result<Bootstrap>) -> Result<()> {
        let mut bootstrap = configure(Bootstrap::placed(&self.place, &self.pebble)?)?;
        self.envoy.configure(&mut bootstrap)?;
        self.envoy.restart()
    }

    /// Waits until a certificate from the CA is served for a name.
    ///
    /// # Errors
    /// The last error of the handshake, at the time limit.
    pub fn served(&mut self, name: &str, limit: Duration) -> Result<Served> {
        let roots = self.pebble.roots()?;
        self.served_by(name, &roots, limit)
    }

    /// The same with the root of a CA that may have ended by now.
    ///
    /// # Errors
    /// The last error of the handshake, at the time limit.
    pub fn served_by(&mut self, name: &str, roots: &Roots, limit: Duration) -> Result<Served> {
        let address = self.place.websecure_address();
        until(&format!("a certificate for {name}"), limit, || {
            self.envoy.check()?;
            handshake(address, name, roots)
        })
        .with_context(|| format!("in {}", self.place.path().display()))
    }

    /// The listener `web`, without TLS.
    pub fn web(&self) -> Endpoint {
        Endpoint::Tcp(self.place.web_address())
    }

    /// Number of orders that the CA got since its first start.
    pub fn orders(&self) -> usize {
        self.pebble.requests("/order-plz")
    }

    /// Number of accounts that the CA was asked for since its first start.
    pub fn accounts(&self) -> usize {
        self.pebble.requests("/sign-me-up")
    }
}

/// DNS and CA, before ours starts: for a test that must know the CA to configure Envoy.
#[derive(Debug)]
pub struct Stage {
    /// The CA.
    pub pebble: Pebble,
    /// The DNS.
    pub dns: Challtestsrv,
    /// The directory and the ports.
    pub place: Place,
}

impl Stage {
    /// Starts DNS and CA.
    ///
    /// # Errors
    /// When a program does not come up.
    pub fn new(name: &str, pebble: &PebbleOptions) -> Result<Self> {
        Self::at(Place::new(name)?, pebble)
    }

    /// The same at a place where other programs run already.
    ///
    /// # Errors
    /// When a program does not come up.
    pub fn at(place: Place, pebble: &PebbleOptions) -> Result<Self> {
        let dns = Challtestsrv::start(&place)?;
        let pebble = Pebble::start(&place, &dns, pebble)?;
        Ok(Self { pebble, dns, place })
    }

    /// The shipped configuration of Envoy, placed here.
    ///
    /// # Errors
    /// When something that must be replaced is not there.
    pub fn bootstrap(&self) -> Result<Bootstrap> {
        Bootstrap::placed(&self.place, &self.pebble)
    }

    /// Starts the sidecar, and Envoy with this configuration.
    ///
    /// # Errors
    /// When a program does not come up.
    pub fn play(self, mut bootstrap: Bootstrap, options: &TestbedOptions) -> Result<Testbed> {
        let Self { pebble, dns, place } = self;
        let sidecar = Sidecar::start(&place, options.sidecar.clone())?;
        let envoy = Envoy::start(&place, &mut bootstrap, options.envoy.clone())?;
        Ok(Testbed { envoy, sidecar, pebble, dns, place })
    }
}

/// Names as [`Bootstrap::domains`] takes them.
pub fn domains(certificates: &[&[&str]]) -> Vec<Domains> {
    certificates.iter().map(|names| names.iter().map(|name| (*name).to_owned()).collect()).collect()
}
