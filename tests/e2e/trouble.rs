//! A CA with its awkward but legal behaviours.

use anyhow::{Result, ensure};
use harness::{PebbleOptions, Testbed, TestbedOptions, domains, until};
use serde_json::json;

use crate::{PATIENCE, engine_knows};

#[test]
fn half_of_all_nonces_may_be_refused() -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_WFE_NONCEREJECT", 50);
    let mut testbed = Testbed::with("nonces", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&["a.nonce.example", "b.nonce.example"]]))?.engine("retryMin", &json!("500ms"))
    })?;
    testbed.served("a.nonce.example", PATIENCE)?;
    let stats = testbed.envoy.admin()?.get("/stats")?.text();
    let refused =
        stats.lines().any(|line| line.contains("envoy_autocert.acme_requests") && line.contains(".status.400"));
    assert!(refused, "no nonce was refused, so this showed nothing");
    Ok(())
}

/// Number of challenges answered for two certificates with a name in common, one after the other.
fn challenges(reuse: u8) -> Result<usize> {
    let pebble = PebbleOptions::default().set("PEBBLE_AUTHZREUSE", reuse);
    let mut testbed = Testbed::with("reuse", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&["a.example"]]))
    })?;
    testbed.served("a.example", PATIENCE)?;
    testbed.reconfigure(|bootstrap| bootstrap.domains(&domains(&[&["a.example"], &["b.example", "a.example"]])))?;
    testbed.served("b.example", PATIENCE)?;
    engine_knows(&testbed, 2)?;
    Ok(testbed.pebble.requests("/chalZ/"))
}

#[test]
fn a_valid_authorization_is_not_proved_again() -> Result<()> {
    assert_eq!(challenges(100)?, 2);
    Ok(())
}

#[test]
fn without_reuse_each_authorization_is_proved() -> Result<()> {
    assert_eq!(challenges(0)?, 3);
    Ok(())
}

#[test]
fn a_blocked_domain_does_not_hold_up_another() -> Result<()> {
    let pebble = PebbleOptions { blocklist: vec!["blocked.example".to_owned()], ..PebbleOptions::default() };
    let mut testbed = Testbed::with("blocked", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&["blocked.example"], &["good.example"]]))?.engine("maxOrders", &json!(1))
    })?;
    testbed.served("good.example", PATIENCE)?;
    until("a log line about the blocked domain", PATIENCE, || {
        let log = testbed.envoy.log();
        let told = log.lines().any(|line| line.contains("wasm log") && line.contains("blocked.example: failed"));
        ensure!(told, "nothing is said of it");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn a_ca_that_stops_answering_costs_a_timeout_and_a_retry() -> Result<()> {
    let mut testbed = Testbed::start("silent", &[&["first.example"]])?;
    testbed.served("first.example", PATIENCE)?;
    let roots = testbed.pebble.roots()?;
    testbed.pebble.suspend()?;
    testbed.reconfigure(|bootstrap| {
        bootstrap
            .domains(&domains(&[&["first.example"], &["silent.example"]]))?
            .resolver("clientTimeout", &json!("4s"))?
            .resolver("clientResponseHeaderTimeout", &json!("2s"))?
            .engine("retryMin", &json!("500ms"))
    })?;
    until("a failed try", PATIENCE, || {
        ensure!(testbed.envoy.log().contains("silent.example: failed (transient"), "no failure yet");
        Ok(())
    })?;
    testbed.served_by("first.example", &roots, PATIENCE)?;
    testbed.pebble.resume()?;
    testbed.served("silent.example", PATIENCE)?;
    Ok(())
}
