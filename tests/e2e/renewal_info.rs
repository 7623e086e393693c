//! Renewals at the time that the CA suggests (RFC 9773).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::tls::handshake;
use harness::{PebbleOptions, Testbed, TestbedOptions, domains, until};
use serde_json::Value;

use crate::PATIENCE;

const NAME: &str = "suggested.example";

/// A testbed with a certificate whose CA was asked for renewal information.
fn testbed(name: &str, pebble: PebbleOptions) -> Result<Testbed> {
    let mut testbed = Testbed::with(name, &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&[NAME]]))
    })?;
    testbed.served(NAME, PATIENCE)?;
    Ok(testbed)
}

fn says(testbed: &Testbed, text: &str) -> Result<()> {
    until(&format!("a line about {text:?}"), PATIENCE, || {
        ensure!(testbed.envoy.log().contains(text), "nothing is said of it");
        Ok(())
    })
}

/// The stored leaf, in PEM.
fn stored_leaf(testbed: &Testbed) -> Result<String> {
    let stored: Value = serde_json::from_slice(&std::fs::read(testbed.sidecar.storage())?)?;
    let chain = stored.pointer("/le/Certificates/0/certificate").and_then(Value::as_str).context("no certificate")?;
    let chain = String::from_utf8(STANDARD.decode(chain)?)?;
    let end = "-----END CERTIFICATE-----\n";
    let (leaf, _) = chain.split_once(end).context("no PEM")?;
    Ok(format!("{leaf}{end}"))
}

#[test]
fn the_ca_is_asked_for_each_certificate_and_its_window_is_kept() -> Result<()> {
    let testbed = testbed("suggested", PebbleOptions::default())?;
    says(&testbed, "within the CA's window from")?;
    until("the window in the storage", Duration::from_secs(90), || {
        let stored = std::fs::read_to_string(testbed.sidecar.storage())?;
        ensure!(stored.contains("renewAt"), "it is not there yet");
        Ok(())
    })
}

#[test]
fn a_window_in_the_past_renews_at_once_and_the_order_names_what_it_replaces() -> Result<()> {
    let mut testbed = testbed("revoked", PebbleOptions::default())?;
    says(&testbed, "within the CA's window from")?;
    let first = testbed.served(NAME, PATIENCE)?;
    testbed.pebble.suggest(&stored_leaf(&testbed)?, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")?;
    // Pebble's Retry-After is six hours, and the last answer is cached: both are forgotten with the process.
    testbed.envoy.kill();
    testbed.sidecar.kill();
    let stored = std::fs::read_to_string(testbed.sidecar.storage())?;
    let mut stored: Value = serde_json::from_str(&stored)?;
    stored["le"]["EnvoyAutocert"]["progress"] = Value::Array(Vec::new());
    std::fs::write(testbed.sidecar.storage(), serde_json::to_string_pretty(&stored)?)?;
    testbed.sidecar.restart()?;
    testbed.envoy.restart()?;
    let address = testbed.place.websecure_address();
    let roots = testbed.pebble.roots()?;
    until("another certificate", PATIENCE, || {
        let served = handshake(address, NAME, &roots)?;
        ensure!(served.serial != first.serial, "still the first one");
        Ok(())
    })?;
    says(&testbed, "see https://ca.example/why")?;
    ensure!(testbed.pebble.log().contains("is a replacement of"), "the order did not name what it replaces");
    Ok(())
}

#[test]
fn a_window_as_long_as_the_certificates_life_leaves_it_to_its_lifetime() -> Result<()> {
    let mut testbed = testbed("short", PebbleOptions::default().validity(Duration::from_secs(60)))?;
    let first = testbed.served(NAME, PATIENCE)?;
    let address = testbed.place.websecure_address();
    let roots = testbed.pebble.roots()?;
    let renewed = until("another certificate", PATIENCE, || {
        let served = handshake(address, NAME, &roots)?;
        ensure!(served.serial != first.serial, "still the first one");
        Ok(served)
    })?;
    let left = (first.not_after - renewed.not_before).whole_seconds();
    ensure!((1..=35).contains(&left), "renewed {left} s before the end");
    Ok(())
}
