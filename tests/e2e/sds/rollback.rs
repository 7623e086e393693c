//! A certificate that Envoy itself rejects: visitors keep the previous one, and other certificates are renewed.

use anyhow::{Result, ensure};
use harness::until;

use super::SOON;
use super::client::{Client, Mode, Protocol};
use super::engine::Engine;
use super::scene::Scene;

/// Two certificates of one TLS context. While Envoy holds one that it refuses, it refuses every update of the context.
fn rolled_back(protocol: Protocol) -> Result<()> {
    let mut scene = Scene::start("rollback", "none")?;
    let mut engine = Engine::of(&mut scene)?;
    let a = engine.publish(&scene, "a.test")?;
    let b = engine.publish(&scene, "b.test")?;
    let client = Client::start(&scene, protocol, Mode::Classic(&["a.test", "b.test"]))?;
    client.serves("a.test", &a, SOON)?;
    client.serves("b.test", &b, SOON)?;

    let bad = engine.publish_refused(&scene, "b.test")?;
    let renewed = engine.publish(&scene, "a.test")?;
    client.serves("a.test", &renewed, SOON)?;
    client.serves("b.test", &b, SOON)?;
    // The sidecar writes an even number of digits.
    let bad = format!("{bad:0>2}");
    until("the rollback of the bad one alone", SOON, || {
        let status = engine.status()?;
        let told = &status["certificates"]["rolledBack"];
        ensure!(told.as_array().is_some_and(|told| told.len() == 1) && told[0]["serial"] == *bad, "{told}");
        ensure!(status["envoys"][0]["rejected"] == 0, "{}", status["envoys"]);
        ensure!(engine.replaced()? == [bad.clone()], "{:?}", engine.replaced()?);
        Ok(())
    })?;

    let mended = engine.publish(&scene, "b.test")?;
    client.serves("b.test", &mended, SOON)?;
    client.serves("a.test", &renewed, SOON)?;
    until("the end of the rollback", SOON, || {
        let status = engine.status()?;
        ensure!(status["certificates"]["counts"]["rolledBack"] == 0, "{status}");
        ensure!(engine.replaced()?.is_empty(), "{:?}", engine.replaced()?);
        Ok(())
    })
}

#[test]
fn of_two_secrets_with_a_stream_each_the_rejected_one_is_rolled_back() -> Result<()> {
    rolled_back(Protocol::Delta)
}

#[test]
fn of_two_secrets_of_one_stream_the_rejected_one_is_rolled_back() -> Result<()> {
    rolled_back(Protocol::AdsDelta)
}

#[test]
fn in_the_state_of_the_world_the_rejected_one_is_rolled_back() -> Result<()> {
    rolled_back(Protocol::AdsStateOfTheWorld)
}
