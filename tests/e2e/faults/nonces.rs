//! Nonces (RFC 8555 §6.5): each is used once.

use anyhow::{Result, ensure};
use harness::{Fault, PebbleOptions, Resource, TestbedOptions};

use super::scene::Scene;

/// Resources whose requests carry a nonce.
const SIGNED: [Resource; 7] = [
    Resource::Authorization,
    Resource::Certificate,
    Resource::Challenge,
    Resource::Finalize,
    Resource::NewAccount,
    Resource::NewOrder,
    Resource::Order,
];

#[test]
fn where_no_answer_brings_one_each_request_fetches_its_own() -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_WFE_NONCEREJECT", 30);
    let mut scene = Scene::with(
        "no-nonces",
        &TestbedOptions { pebble, ..TestbedOptions::default() },
        |relay| {
            SIGNED.iter().for_each(|resource| relay.treat(*resource, Fault::without("replay-nonce")));
            relay.treat_next(Resource::NewNonce, Fault::answer(503, &[("retry-after", "1")], "busy"));
        },
        Ok,
    )?;
    scene.served()?;
    let spent = scene.relay.journal().iter().filter(|exchange| exchange.nonce().is_some()).count();
    // The first nonce was refused.
    let fetched = scene.count(Resource::NewNonce) - 1;
    ensure!(fetched == spent, "{spent} requests with {fetched} nonces");
    Ok(())
}

#[test]
fn what_is_no_nonce_is_not_sent_back() -> Result<()> {
    let mut scene = Scene::start("odd-nonces", |relay| {
        let odd = "x".repeat(10_000);
        relay.treat_nth(Resource::NewOrder, 0..1, Fault::header("replay-nonce", odd));
        relay.treat_nth(Resource::Authorization, 0..1, Fault::header("replay-nonce", "not base64url: ++//=="));
    })?;
    scene.served()?;
    for exchange in scene.relay.journal() {
        let nonce = exchange.nonce().unwrap_or_default();
        ensure!(nonce.len() < 100 && !nonce.contains(' '), "{nonce} was sent to {}", exchange.path);
    }
    Ok(())
}
