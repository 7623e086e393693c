//! A CA and a configuration, before anything that is measured runs.

use anyhow::Result;
use harness::{
    Bootstrap, Challtestsrv, Domains, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar, SidecarOptions,
    Testbed,
};

/// A CA and a configuration, for a start that is measured.
pub(crate) struct Stage {
    pub(crate) place: Place,
    pub(crate) dns: Challtestsrv,
    pub(crate) pebble: Pebble,
    pub(crate) bootstrap: Bootstrap,
    pub(crate) sidecar: SidecarOptions,
}

impl Stage {
    /// A stage with these certificates wanted.
    pub(crate) fn set(certificates: &[Domains]) -> Result<Self> {
        Self::at(Place::new("bench")?, &PebbleOptions::default(), certificates)
    }

    /// The same at a place where other programs run already.
    pub(crate) fn at(place: Place, pebble: &PebbleOptions, certificates: &[Domains]) -> Result<Self> {
        let dns = Challtestsrv::start(&place)?;
        let pebble = Pebble::start(&place, &dns, pebble)?;
        let bootstrap = Bootstrap::placed(&place, &pebble)?.domains(certificates)?;
        Ok(Self { place, dns, pebble, bootstrap, sidecar: SidecarOptions::default() })
    }

    /// Starts sidecar and Envoy.
    pub(crate) fn start(self, envoy: EnvoyOptions) -> Result<Testbed> {
        let Self { place, dns, pebble, mut bootstrap, sidecar } = self;
        let sidecar = Sidecar::start(&place, sidecar)?;
        let envoy = Envoy::start(&place, &mut bootstrap, envoy)?;
        Ok(Testbed { envoy, sidecar, pebble, dns, place })
    }
}
