//! Renewals at the time that the CA suggests (RFC 9773).

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::tls::handshake;
use harness::{PebbleOptions, World, WorldOptions, domains, until};
use serde_json::Value;

use crate::PATIENCE;

const NAME: &str = "suggested.example";

/// A world with a certificate that its CA has been asked about.
fn world(name: &str, pebble: PebbleOptions) -> Result<World> {
    let mut world = World::with(name, &WorldOptions { pebble, ..WorldOptions::default() }, |bootstrap| {
        bootstrap.domains(&domains(&[&[NAME]]))
    })?;
    world.served(NAME, PATIENCE)?;
    Ok(world)
}

fn says(world: &World, text: &str) -> Result<()> {
    until(&format!("a line about {text:?}"), PATIENCE, || {
        ensure!(world.envoy.log().contains(text), "nothing is said of it");
        Ok(())
    })
}

/// The leaf that is stored, in PEM.
fn stored_leaf(world: &World) -> Result<String> {
    let stored: Value = serde_json::from_slice(&std::fs::read(world.sidecar.storage())?)?;
    let chain = stored.pointer("/le/Certificates/0/certificate").and_then(Value::as_str).context("no certificate")?;
    let chain = String::from_utf8(STANDARD.decode(chain)?)?;
    let end = "-----END CERTIFICATE-----\n";
    let (leaf, _) = chain.split_once(end).context("no PEM")?;
    Ok(format!("{leaf}{end}"))
}

#[test]
fn the_ca_is_asked_for_each_certificate_and_its_window_is_kept() -> Result<()> {
    let world = world("suggested", PebbleOptions::default())?;
    says(&world, "within the CA's window from")?;
    until("the window in the storage", Duration::from_secs(90), || {
        let stored = std::fs::read_to_string(world.sidecar.storage())?;
        ensure!(stored.contains("renewAt"), "it is not there yet");
        Ok(())
    })
}

#[test]
fn a_window_in_the_past_renews_at_once_and_the_order_names_what_it_replaces() -> Result<()> {
    let mut world = world("revoked", PebbleOptions::default())?;
    says(&world, "within the CA's window from")?;
    let first = world.served(NAME, PATIENCE)?;
    world.pebble.suggest(&stored_leaf(&world)?, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")?;
    // Pebble's Retry-After is six hours: what was kept of the last answer is forgotten.
    world.envoy.kill();
    world.sidecar.kill();
    let stored = std::fs::read_to_string(world.sidecar.storage())?;
    let mut stored: Value = serde_json::from_str(&stored)?;
    stored["le"]["EnvoyAutocert"]["progress"] = Value::Array(Vec::new());
    std::fs::write(world.sidecar.storage(), serde_json::to_string_pretty(&stored)?)?;
    world.sidecar.restart()?;
    world.envoy.restart()?;
    let (address, roots) = (world.place.websecure_address(), world.pebble.roots()?);
    until("another certificate", PATIENCE, || {
        let served = handshake(address, NAME, &roots)?;
        ensure!(served.serial != first.serial, "still the first one");
        Ok(())
    })?;
    says(&world, "see https://ca.example/why")?;
    ensure!(world.pebble.log().contains("is a replacement of"), "the order did not name what it replaces");
    Ok(())
}

#[test]
fn a_window_as_long_as_the_certificates_life_leaves_it_to_its_lifetime() -> Result<()> {
    let mut world = world("short", PebbleOptions::default().validity(Duration::from_secs(60)))?;
    let first = world.served(NAME, PATIENCE)?;
    let (address, roots) = (world.place.websecure_address(), world.pebble.roots()?);
    let renewed = until("another certificate", PATIENCE, || {
        let served = handshake(address, NAME, &roots)?;
        ensure!(served.serial != first.serial, "still the first one");
        Ok(served)
    })?;
    let left = (first.not_after - renewed.not_before).whole_seconds();
    ensure!((1..=35).contains(&left), "renewed {left} s before the end");
    Ok(())
}
