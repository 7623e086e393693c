//! The sidecar killed at each step of an order: the order is finished, with at most one more.

use anyhow::{Context, Result, ensure};
use harness::{PebbleOptions, Testbed, TestbedOptions, domains, until};
use serde_json::json;

use crate::{PATIENCE, engine_knows};

/// Kills the sidecar as soon as the CA has seen a request for `path`.
fn killed_at(path: &str) -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_VA_NOSLEEP", 0).set("PEBBLE_VA_SLEEPTIME", 1);
    let mut testbed = Testbed::with("crash", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&["crash.example"]]))?.engine("retryMin", &json!("500ms"))
    })?;
    until(&format!("a request for {path}"), PATIENCE, || {
        ensure!(testbed.pebble.requests(path) > 0, "not yet");
        Ok(())
    })?;
    testbed.sidecar.kill();
    until("the engine's failure to reach the sidecar", PATIENCE, || {
        let failures = testbed.envoy.stat("cluster.envoy-autocert-api.upstream_cx_connect_fail")?;
        ensure!(failures > 0, "not yet");
        Ok(())
    })?;
    testbed.sidecar.restart()?;
    testbed.served("crash.example", PATIENCE).with_context(|| format!("killed at {path}"))?;
    engine_knows(&testbed, 1)?;
    assert!(testbed.orders() <= 2, "killed at {path}: {} orders", testbed.orders());
    assert!(testbed.accounts() <= 2, "killed at {path}: {} requests for accounts", testbed.accounts());
    Ok(())
}

#[test]
fn the_sidecar_is_killed_when_the_account_is_made() -> Result<()> {
    killed_at("/sign-me-up")
}

#[test]
fn the_sidecar_is_killed_when_the_order_is_made() -> Result<()> {
    killed_at("/order-plz")
}

#[test]
fn the_sidecar_is_killed_when_the_authorization_is_read() -> Result<()> {
    killed_at("/authZ/")
}

#[test]
fn the_sidecar_is_killed_when_the_challenge_is_ready() -> Result<()> {
    killed_at("/chalZ/")
}

#[test]
fn the_sidecar_is_killed_when_the_order_is_finalized() -> Result<()> {
    killed_at("/finalize-order/")
}

#[test]
fn the_sidecar_is_killed_when_the_certificate_is_fetched() -> Result<()> {
    killed_at("/certZ/")
}

#[test]
fn envoy_is_killed_in_the_middle_of_an_order() -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_VA_NOSLEEP", 0).set("PEBBLE_VA_SLEEPTIME", 2);
    let mut testbed =
        Testbed::with("crash-envoy", &TestbedOptions { pebble, ..TestbedOptions::default() }, |bootstrap| {
            bootstrap.domains(&domains(&[&["crash.example"]]))?.engine("retryMin", &json!("500ms"))
        })?;
    until("the challenge", PATIENCE, || {
        ensure!(testbed.pebble.requests("/chalZ/") > 0, "not yet");
        Ok(())
    })?;
    testbed.envoy.restart()?;
    testbed.served("crash.example", PATIENCE)?;
    engine_knows(&testbed, 1)?;
    assert!(testbed.orders() <= 2, "{} orders", testbed.orders());
    Ok(())
}
