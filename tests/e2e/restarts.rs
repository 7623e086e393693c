//! Restarts: what was issued is served again at once, and nothing is ordered anew.

use std::time::Duration;

use anyhow::Result;
use harness::{World, domains};
use serde_json::json;

use crate::{PATIENCE, engine_knows};

/// "At once": a slow machine's handshakes, and no order in between.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Serves the same certificate after `restart`, without a new order.
fn survives(name: &str, restart: impl FnOnce(&mut World) -> Result<()>) -> Result<()> {
    let mut world = World::start(name, &[&["again.example"]])?;
    let before = world.served("again.example", PATIENCE)?;
    restart(&mut world)?;
    assert_eq!(world.served("again.example", AT_ONCE)?.serial, before.serial);
    engine_knows(&world, 1)?;
    assert_eq!((world.accounts(), world.orders()), (1, 1));
    Ok(())
}

#[test]
fn envoy_restarts() -> Result<()> {
    survives("restart-envoy", |world| world.envoy.restart())
}

#[test]
fn the_sidecar_restarts() -> Result<()> {
    survives("restart-sidecar", |world| world.sidecar.restart())
}

#[test]
fn both_restart() -> Result<()> {
    survives("restart-both", |world| {
        world.envoy.kill();
        world.sidecar.restart()?;
        world.envoy.restart()
    })
}

#[test]
fn stored_certificates_are_served_while_the_ca_is_down() -> Result<()> {
    let mut world = World::start("ca-down", &[&["stored.example"]])?;
    let before = world.served("stored.example", PATIENCE)?;
    let roots = world.pebble.roots()?;
    world.envoy.kill();
    world.pebble.kill();
    world.sidecar.restart()?;
    world.envoy.restart()?;
    assert_eq!(world.served_by("stored.example", &roots, AT_ONCE)?.serial, before.serial);
    engine_knows(&world, 1)
}

#[test]
fn a_ca_that_lost_its_state_gets_one_new_account() -> Result<()> {
    let mut world = World::start("ca-lost", &[&["old.example"]])?;
    world.served("old.example", PATIENCE)?;
    assert_eq!(world.accounts(), 1);
    world.pebble.restart()?;
    world.reconfigure(|bootstrap| {
        bootstrap.domains(&domains(&[&["old.example"], &["new.example"]]))?.engine("retryMin", &json!("500ms"))
    })?;
    world.served("new.example", PATIENCE)?;
    engine_knows(&world, 2)?;
    let created = world.pebble.log().matches("accounts in memory").count();
    assert_eq!(created, 2, "one account in each of the CA's two lives");
    Ok(())
}
