//! What is stored is served at once after any restart, and nothing is ordered again.

use std::time::Duration;

use anyhow::Result;
use harness::World;
use harness::tls::{Roots, Served};

const NAME: &str = "restarts.example";

/// How soon a stored certificate must be served again: nothing has to be asked of anybody.
const AT_ONCE: Duration = Duration::from_secs(10);

fn issued() -> Result<(World, Roots, Served)> {
    let mut world = World::start("restarts", &[&[NAME]])?;
    let roots = world.pebble.roots()?;
    let served = world.served(NAME, Duration::from_secs(60))?;
    Ok((world, roots, served))
}

/// Serves the same certificate at once, and has placed no other order.
fn serves_the_same(world: &mut World, roots: &Roots, before: &Served) -> Result<()> {
    assert_eq!(world.served_by(NAME, roots, AT_ONCE)?.serial, before.serial);
    assert_eq!(world.orders(), 1);
    Ok(())
}

#[test]
fn envoy_restarted_serves_the_same_certificate() -> Result<()> {
    let (mut world, roots, before) = issued()?;
    world.envoy.restart()?;
    serves_the_same(&mut world, &roots, &before)
}

#[test]
fn the_sidecar_restarted_serves_the_same_certificate_to_a_new_envoy() -> Result<()> {
    let (mut world, roots, before) = issued()?;
    world.sidecar.restart()?;
    serves_the_same(&mut world, &roots, &before)?;
    world.envoy.restart()?;
    serves_the_same(&mut world, &roots, &before)
}

#[test]
fn envoy_goes_on_serving_without_the_sidecar() -> Result<()> {
    let (mut world, roots, before) = issued()?;
    world.sidecar.kill();
    serves_the_same(&mut world, &roots, &before)
}

#[test]
fn both_restarted_while_the_ca_is_down_serve_the_same_certificate() -> Result<()> {
    let (mut world, roots, before) = issued()?;
    world.envoy.kill();
    world.sidecar.kill();
    let orders = world.orders();
    world.pebble.kill();
    world.sidecar.restart()?;
    world.envoy.restart()?;
    assert_eq!(world.served_by(NAME, &roots, AT_ONCE)?.serial, before.serial);
    assert_eq!(orders, 1);
    Ok(())
}

#[test]
fn a_stopped_sidecar_has_written_everything() -> Result<()> {
    let (mut world, roots, before) = issued()?;
    world.sidecar.stop()?;
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(world.sidecar.storage())?)?;
    assert_eq!(stored["le"]["Certificates"][0]["domain"]["main"], NAME);
    assert_eq!(stored["le"]["Account"]["Registration"]["body"]["status"], "valid");
    world.sidecar.restart()?;
    world.envoy.restart()?;
    serves_the_same(&mut world, &roots, &before)
}
