//! Envoy or the sidecar, killed and started again and again while an order is under way: the CA hardly notices.

use anyhow::{Result, ensure};
use harness::{PebbleOptions, Resource, World, WorldOptions, until};

use crate::PATIENCE;
use crate::faults::scene::{Scene, eagerly};

/// How often it crashes.
const CRASHES: usize = 10;

/// What one start may ask before it crashes: the directory, a nonce, the order, its authorization; and, once, for the
/// order itself.
const EACH: usize = 12;

/// The CA is at its look at the challenge for all that time; afterwards the order is finished, and it is the only one.
fn crashes(name: &str, crash: impl Fn(&mut World) -> Result<()>) -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_VA_NOSLEEP", 0).set("PEBBLE_VA_SLEEPTIME", 10);
    let mut scene = Scene::with(name, &WorldOptions { pebble, ..WorldOptions::default() }, |_| (), eagerly)?;
    until("the challenge", PATIENCE, || {
        ensure!(scene.count(Resource::Challenge) > 0, "not yet");
        Ok(())
    })?;
    let begun = scene.count(Resource::Any);
    for _ in 0..CRASHES {
        let before = scene.count(Resource::Any);
        crash(&mut scene.world)?;
        until("another request", PATIENCE, || {
            ensure!(scene.count(Resource::Any) > before, "none yet");
            Ok(())
        })?;
    }
    let asked = scene.count(Resource::Any) - begun;
    println!("{asked} requests in {CRASHES} crashes");
    ensure!(asked <= CRASHES * EACH, "{asked} requests in {CRASHES} crashes");
    scene.served()?;
    ensure!(scene.count(Resource::NewOrder) == 1, "{} orders", scene.count(Resource::NewOrder));
    ensure!(scene.count(Resource::NewAccount) == 1, "{} accounts", scene.count(Resource::NewAccount));
    ensure!(scene.count(Resource::Finalize) == 1, "{} requests to finalize", scene.count(Resource::Finalize));
    Ok(())
}

#[test]
fn an_envoy_that_crashes_again_and_again_orders_once() -> Result<()> {
    crashes("envoy-loop", |world| world.envoy.restart())
}

#[test]
fn a_sidecar_that_crashes_again_and_again_orders_once() -> Result<()> {
    crashes("sidecar-loop", |world| world.sidecar.restart())
}
