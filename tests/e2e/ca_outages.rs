//! A CA that is away, comes back, or has forgotten everything.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{EnvoyOptions, PebbleOptions, World, WorldOptions, domains, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

/// Retries within seconds, as no real CA would like it.
fn eager(bootstrap: harness::Bootstrap) -> Result<harness::Bootstrap> {
    bootstrap.engine("retryMin", &json!("1s"))?.engine("retryMax", &json!("3s"))
}

/// How many accounts Pebble says that it has.
fn accounts(world: &World) -> String {
    let log = world.pebble.log();
    let line = log.lines().rev().find(|line| line.contains("accounts in memory")).unwrap_or_default().to_owned();
    line.split("There are now ").nth(1).unwrap_or("no line about accounts").to_owned()
}

#[test]
fn a_ca_that_lost_its_state_gets_one_new_account_and_issues_again() -> Result<()> {
    let name = "forgotten.example";
    let pebble = PebbleOptions::default().validity(Duration::from_secs(24));
    let options = WorldOptions { pebble, ..WorldOptions::default() };
    let mut world = World::with("lost", &options, |bootstrap| eager(bootstrap.domains(&domains(&[&[name]]))?))?;
    let before = world.served(name, PATIENCE)?;
    world.pebble.restart()?;
    // Pebble has another root now, so only a certificate that it issued since then is trusted.
    let after = world.served(name, PATIENCE)?;
    assert_ne!(before.serial, after.serial);
    assert_eq!(accounts(&world), "1 accounts in memory");
    Ok(())
}

#[test]
fn a_ca_that_is_down_at_first_is_asked_again_when_its_time_has_come() -> Result<()> {
    let name = "late.example";
    let mut world =
        World::with("late", &WorldOptions::default(), |bootstrap| eager(bootstrap.domains(&domains(&[&[name]]))?))?;
    world.served(name, PATIENCE)?;
    world.pebble.kill();
    world.envoy.kill();
    world.sidecar.kill();
    std::fs::remove_file(world.sidecar.storage())?;
    world.sidecar.restart()?;
    world.envoy.restart()?;
    until("a failed try", PATIENCE, || {
        ensure!(world.envoy.log().contains("late.example: failed (transient"), "no line about a failure");
        Ok(())
    })?;
    world.pebble.restart()?;
    world.served(name, PATIENCE)?;
    Ok(())
}

#[test]
fn a_blocked_name_does_not_hold_up_another() -> Result<()> {
    let pebble = PebbleOptions { blocklist: vec!["blocked.example".to_owned()], ..PebbleOptions::default() };
    let options = WorldOptions { pebble, ..WorldOptions::default() };
    let certificates: &[&[&str]] = &[&["blocked.example"], &["free.example"]];
    let mut world = World::with("blocked", &options, |bootstrap| {
        bootstrap.domains(&domains(certificates))?.engine("maxOrders", &json!(1))
    })?;
    world.served("free.example", PATIENCE)?;
    until("the reason in the log", PATIENCE, || {
        let log = world.envoy.log();
        ensure!(log.contains("blocked.example: failed (permanent"), "no failure");
        ensure!(log.contains("rejectedIdentifier"), "no reason");
        Ok(())
    })?;
    Ok(())
}

#[test]
fn half_of_all_nonces_refused_is_no_failure() -> Result<()> {
    let pebble = PebbleOptions::default().set("PEBBLE_WFE_NONCEREJECT", 50);
    let options = WorldOptions { pebble, ..WorldOptions::default() };
    let names = ["n0.example", "n1.example", "n2.example", "n3.example", "n4.example"];
    let lists: Vec<&[&str]> = names.iter().map(std::slice::from_ref).collect();
    let mut world = World::with("nonces", &options, |bootstrap| bootstrap.domains(&domains(&lists)))?;
    for name in names {
        world.served(name, PATIENCE)?;
    }
    assert!(!world.envoy.log().contains("failed ("), "some try failed");
    Ok(())
}

/// How many challenges the CA was told to validate, after a certificate and then another one with the same name.
fn challenges_with_reuse(percent: u32) -> Result<usize> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(20)).set("PEBBLE_AUTHZREUSE", percent);
    let envoy = EnvoyOptions::default();
    let options = WorldOptions { pebble, envoy, ..WorldOptions::default() };
    let name = "reuse.example";
    let mut world = World::with("reuse", &options, |bootstrap| bootstrap.domains(&domains(&[&[name]])))?;
    let first = world.served(name, PATIENCE)?;
    until("the renewal", PATIENCE, || {
        let now = world.served(name, PATIENCE)?;
        ensure!(now.serial != first.serial, "it is still the first one");
        Ok(())
    })?;
    Ok(world.pebble.requests("/chalZ/"))
}

#[test]
fn a_valid_authorization_is_not_proved_again() -> Result<()> {
    assert_eq!(challenges_with_reuse(100)?, 1);
    Ok(())
}

#[test]
fn without_reuse_each_order_is_proved() -> Result<()> {
    assert!(challenges_with_reuse(0)? >= 2);
    Ok(())
}
