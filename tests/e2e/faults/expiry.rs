//! A certificate that expires while its CA is unavailable.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::tls::handshake;
use harness::{Fault, PebbleOptions, Resource, TestbedOptions, until};

use super::scene::{NAME, Scene, eagerly};
use crate::{PATIENCE, stat};

#[test]
fn an_expired_certificate_is_served_until_the_ca_is_back_and_then_renewed_without_a_restart() -> Result<()> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(12));
    let mut scene = Scene::with("expired", &TestbedOptions { pebble, ..TestbedOptions::default() }, |_| (), eagerly)?;
    scene.served()?;
    scene.relay.treat(Resource::Any, Fault::ResetBefore);
    let address = scene.testbed.place.websecure_address();
    let roots = scene.testbed.pebble.roots()?;
    until("the certificate's end", PATIENCE, || {
        let refusal = match handshake(address, NAME, &roots) {
            Ok(_) => anyhow::bail!("it is still valid"),
            Err(refusal) => format!("{refusal:#}"),
        };
        // Refused by the client, which was shown it: the default certificate would have an unknown issuer.
        ensure!(refusal.contains("expired"), "{refusal}");
        ensure!(stat(&scene.testbed, "certificates.state.expired")? == 1, "no metric tells of it");
        Ok(())
    })?;
    scene.relay.relent();
    scene.served()?;
    until("its renewal in the metrics", PATIENCE, || {
        ensure!(stat(&scene.testbed, "certificates.state.expired")? == 0, "still expired");
        Ok(())
    })
}
