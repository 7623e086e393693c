//! Envoy or the sidecar, killed and started again and again while an order is under way: the CA gets few requests.

use anyhow::{Result, ensure};
use harness::{Fault, Relay, Resource, until};
use serde_json::{Value, json};

use crate::PATIENCE;
use crate::faults::scene::Scene;

/// Number of crashes.
const CRASHES: usize = 6;

/// Limit of requests meanwhile. After a crash the successor waits for its predecessor's lease, then asks for the
/// directory, a nonce, the order and its authorization.
const MOST: usize = 3 * CRASHES;

/// Makes the CA appear to be validating the challenge, as long as this lasts.
fn takes_its_time(relay: &Relay) {
    let pending = |resource: &mut Value| {
        resource["status"] = json!("pending");
        for challenge in resource["challenges"].as_array_mut().into_iter().flatten() {
            challenge["status"] = json!("processing");
        }
    };
    relay.treat(Resource::Order, Fault::json(pending));
    // The first poll finds an unanswered challenge.
    relay.treat_nth(Resource::Authorization, 1..usize::MAX, Fault::json(pending));
}

/// Whatever crashes, there is one order, which is finished in the end.
fn crashes(name: &str, crash: impl Fn(&mut Scene) -> Result<()>) -> Result<()> {
    let mut scene = Scene::start(name, takes_its_time)?;
    until("the CA's verdict", PATIENCE, || {
        ensure!(scene.testbed.pebble.log().contains("set VALID"), "not yet");
        Ok(())
    })?;
    let begun = scene.count(Resource::Any);
    for _ in 0..CRASHES {
        crash(&mut scene)?;
    }
    let asked = scene.count(Resource::Any) - begun;
    println!("{asked} requests in {CRASHES} crashes");
    ensure!(asked <= MOST, "{asked} requests in {CRASHES} crashes");
    scene.relay.relent();
    scene.served()?;
    for (resource, what) in [
        (Resource::NewAccount, "accounts"),
        (Resource::NewOrder, "orders"),
        (Resource::Challenge, "words on the challenge"),
        (Resource::Finalize, "signing requests"),
    ] {
        ensure!(scene.count(resource) == 1, "{} {what}", scene.count(resource));
    }
    Ok(())
}

#[test]
fn an_envoy_that_crashes_again_and_again_orders_once() -> Result<()> {
    crashes("envoy-loop", |scene| scene.testbed.envoy.restart())
}

#[test]
fn a_sidecar_that_crashes_again_and_again_orders_once() -> Result<()> {
    crashes("sidecar-loop", |scene| scene.testbed.sidecar.restart())
}
