//! The sidecar or Envoy killed in the middle of an order: it is finished, with at most one order more.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{World, until};

/// A takeover takes up to 15 s, and the waits for a sidecar that is away up to 5 s.
const PATIENCE: Duration = Duration::from_secs(60);

/// The CA's endpoints in the order in which an order comes by, as Pebble calls them.
const STEPS: [&str; 7] =
    ["/sign-me-up", "/order-plz", "/authZ/", "/chalZ/", "/finalize-order/", "/my-order/", "/certZ/"];

/// Stops the world when an order has come to this step; what the CA was asked last is answered later.
fn at_step(name: &str, step: &str) -> Result<World> {
    let world = World::start(name, &[&["crash.example"]])?;
    until(&format!("a request to {step}"), PATIENCE, || {
        ensure!(world.pebble.requests(step) > 0, "none yet");
        world.pebble.suspend()
    })?;
    Ok(world)
}

fn finishes(mut world: World, step: &str) -> Result<()> {
    world.pebble.resume()?;
    world.served("crash.example", PATIENCE)?;
    assert!(world.orders() <= 2, "{} orders after a crash at {step}", world.orders());
    Ok(())
}

#[test]
fn the_sidecar_killed_at_each_step_of_an_order() -> Result<()> {
    for step in STEPS {
        let mut world = at_step("crash", step)?;
        world.sidecar.restart()?;
        finishes(world, step)?;
    }
    Ok(())
}

#[test]
fn envoy_killed_at_each_step_of_an_order() -> Result<()> {
    for step in STEPS {
        let mut world = at_step("crash", step)?;
        world.envoy.restart()?;
        finishes(world, step)?;
    }
    Ok(())
}
