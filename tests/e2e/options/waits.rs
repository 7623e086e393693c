//! `certificateTimeout`, `httpChallenge.delay`, `certificatesDuration`: the waits of an order.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::tls::handshake;
use harness::{Fault, PebbleOptions, Relay, Resource, Stage, Testbed, TestbedOptions, domains, until};
use serde_json::{Value, json};

use super::{between, line};
use crate::{PATIENCE, engine_knows, stat};

const NAME: &str = "waits.example";

/// Delay that a busy machine may add to a wait.
const SLACK: Duration = Duration::from_secs(5);

/// A testbed whose CA is behind a relay, with an option of the resolver.
fn testbed(option: &str, value: &Value, prepare: impl FnOnce(&Relay)) -> Result<(Testbed, Relay)> {
    let options = TestbedOptions::default();
    let stage = Stage::new("waits", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    prepare(&relay);
    let bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
    let bootstrap = bootstrap.engine("retryMin", &json!("500ms"))?.engine("retryMax", &json!("1s"))?;
    Ok((stage.play(bootstrap.resolver(option, value)?, &options)?, relay))
}

/// Time between the challenge's publication, which follows the request for the authorization, and the response to the
/// challenge.
fn waited(relay: &Relay) -> Result<Duration> {
    let first = |resource| relay.asked(resource).first().map(|exchange| exchange.at).context("it was not asked");
    Ok(first(Resource::Challenge)? - first(Resource::Authorization)?)
}

#[test]
fn the_ca_is_told_of_a_challenge_after_the_delay_and_no_sooner() -> Result<()> {
    let (mut testbed, relay) = testbed("httpChallenge", &json!({ "entryPoint": "web", "delay": "2s" }), |_| ())?;
    testbed.served(NAME, PATIENCE)?;
    let waited = waited(&relay)?;
    ensure!((Duration::from_secs(2)..Duration::from_secs(2) + SLACK).contains(&waited), "waited {waited:?}");
    Ok(())
}

#[test]
fn a_negative_delay_is_none() -> Result<()> {
    let (mut testbed, relay) = testbed("httpChallenge", &json!({ "entryPoint": "web", "delay": "-1h" }), |_| ())?;
    testbed.served(NAME, PATIENCE)?;
    ensure!(waited(&relay)? < SLACK, "waited {:?}", waited(&relay)?);
    Ok(())
}

/// Hides from the client that its certificate is ready.
fn still_processing(order: &mut Value) {
    order["status"] = json!("processing");
    order["certificate"] = Value::Null;
}

#[test]
fn a_ca_that_takes_too_long_to_issue_ends_the_try_and_its_order_is_continued() -> Result<()> {
    let (mut testbed, relay) = testbed("certificateTimeout", &json!("1s"), |relay| {
        relay.treat(Resource::Order, Fault::json(still_processing));
    })?;
    let failed = line(&mut testbed, &[NAME, ": failed (transient, 1 in a row)", "longer than 1000 ms"])?;
    let ordering = line(&mut testbed, &[NAME, ": ordering (first)"])?;
    let took = between(&ordering, &failed)?;
    // Sooner, if Pebble asks for a longer wait than that.
    ensure!(took < Duration::from_secs(1) + SLACK, "the try took {took:?}");
    relay.relent();
    testbed.served(NAME, PATIENCE)?;
    assert_eq!((testbed.orders(), relay.asked(Resource::Finalize).len()), (1, 1));
    Ok(())
}

#[test]
fn a_duration_far_beyond_the_real_lifetime_does_not_renew_at_every_look() -> Result<()> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(24));
    let options = TestbedOptions { pebble, ..TestbedOptions::default() };
    let mut testbed = Testbed::with("duration", &options, |bootstrap| {
        bootstrap.domains(&domains(&[&[NAME]]))?.resolver("certificatesDuration", &json!(8760))
    })?;
    let first = testbed.served(NAME, PATIENCE)?;
    let address = testbed.place.websecure_address();
    let roots = testbed.pebble.roots()?;
    let second = until("another serial number", PATIENCE, || {
        let served = handshake(address, NAME, &roots)?;
        ensure!(served.serial != first.serial, "still the first one");
        Ok(served)
    })?;
    let left = first.not_after - second.not_before;
    ensure!((0..=13).contains(&left.whole_seconds()), "renewed {left} before the end");
    // The renewal is counted once the sidecar has stored it, which is after it is served.
    until("one renewal, counted", PATIENCE, || {
        let renewals = stat(&testbed, "issuances.resolver.le.why.renewal")?;
        ensure!(renewals == 1, "{renewals} are counted");
        Ok(())
    })
}

#[test]
fn a_duration_of_an_hour_does_not_renew_what_lives_for_months() -> Result<()> {
    let mut testbed = Testbed::with("short-duration", &TestbedOptions::default(), |bootstrap| {
        bootstrap.domains(&domains(&[&[NAME]]))?.resolver("certificatesDuration", &json!(1))
    })?;
    testbed.served(NAME, PATIENCE)?;
    engine_knows(&testbed, 1)?;
    assert_eq!(stat(&testbed, "certificates.state.due")?, 0);
    Ok(())
}
