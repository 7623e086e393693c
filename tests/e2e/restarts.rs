//! Restarts: stored certificates are served again at once, and nothing is ordered anew.

use std::time::Duration;

use anyhow::Result;
use harness::{Testbed, domains};
use serde_json::json;

use crate::{PATIENCE, engine_knows};

/// Time limit: a slow machine's handshakes, without an order.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Checks that the same certificate is served after `restart`, without a new order.
fn survives(name: &str, restart: impl FnOnce(&mut Testbed) -> Result<()>) -> Result<()> {
    let mut testbed = Testbed::start(name, &[&["again.example"]])?;
    let before = testbed.served("again.example", PATIENCE)?;
    restart(&mut testbed)?;
    assert_eq!(testbed.served("again.example", AT_ONCE)?.serial, before.serial);
    engine_knows(&testbed, 1)?;
    assert_eq!((testbed.accounts(), testbed.orders()), (1, 1));
    Ok(())
}

#[test]
fn envoy_restarts() -> Result<()> {
    survives("restart-envoy", |testbed| testbed.envoy.restart())
}

#[test]
fn the_sidecar_restarts() -> Result<()> {
    survives("restart-sidecar", |testbed| testbed.sidecar.restart())
}

#[test]
fn both_restart() -> Result<()> {
    survives("restart-both", |testbed| {
        testbed.envoy.kill();
        testbed.sidecar.restart()?;
        testbed.envoy.restart()
    })
}

#[test]
fn stored_certificates_are_served_while_the_ca_is_down() -> Result<()> {
    let mut testbed = Testbed::start("ca-down", &[&["stored.example"]])?;
    let before = testbed.served("stored.example", PATIENCE)?;
    let roots = testbed.pebble.roots()?;
    testbed.envoy.kill();
    testbed.pebble.kill();
    testbed.sidecar.restart()?;
    testbed.envoy.restart()?;
    assert_eq!(testbed.served_by("stored.example", &roots, AT_ONCE)?.serial, before.serial);
    engine_knows(&testbed, 1)
}

#[test]
fn a_ca_that_lost_its_state_gets_one_new_account() -> Result<()> {
    let mut testbed = Testbed::start("ca-lost", &[&["old.example"]])?;
    testbed.served("old.example", PATIENCE)?;
    assert_eq!(testbed.accounts(), 1);
    testbed.pebble.restart()?;
    testbed.reconfigure(|bootstrap| {
        bootstrap.domains(&domains(&[&["old.example"], &["new.example"]]))?.engine("retryMin", &json!("500ms"))
    })?;
    testbed.served("new.example", PATIENCE)?;
    engine_knows(&testbed, 2)?;
    let created = testbed.pebble.log().matches("accounts in memory").count();
    assert_eq!(created, 2, "one account in each of the CA's two lives");
    Ok(())
}
