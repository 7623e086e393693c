//! Mistakes in the plugin's configuration are said, and never take anything away.

use std::fs;

use anyhow::{Result, ensure};
use harness::{Bootstrap, Challtestsrv, Envoy, EnvoyOptions, Pebble, PebbleOptions, Place, Sidecar};
use harness::{SidecarOptions, World, domains, until};
use serde_json::{Value, json};

use crate::PATIENCE;

#[test]
fn envoy_refuses_a_configuration_and_says_each_mistake() -> Result<()> {
    let place = Place::new("mistakes")?;
    let dns = Challtestsrv::start(&place)?;
    let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
    let mut bootstrap = Bootstrap::placed(&place, &pebble)?;
    bootstrap.plugin(|configuration| {
        configuration["certificatesResolvers"]["le"]["acme"]["keyTipe"] = json!("EC256");
        configuration["routers"]["shop"]["tls"]["certResolver"] = json!("let");
        configuration["role"] = json!(7);
    })?;
    let file = place.file("mistakes.json");
    fs::write(&file, bootstrap.value().to_string())?;
    let refused = Envoy::validate(&file, &place.file("validate.log"));
    let log = refused.expect_err("the configuration has mistakes").to_string();
    for parts in [["le.acme.keyTipe", "keyType"], ["routers.shop.tls.certResolver", "le"], ["role", "responder"]] {
        let said = log.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(said, "no line says {parts:?}:\n{log}");
    }
    Ok(())
}

/// Puts a new file of listeners in place, as Envoy wants it: moved, not written over.
fn update(place: &Place, listeners: &Value) -> Result<()> {
    let part = place.file("listeners.part");
    fs::write(&part, listeners.to_string())?;
    Ok(fs::rename(part, place.file("listeners.json"))?)
}

#[test]
fn a_refused_update_leaves_the_previous_configuration_in_force() -> Result<()> {
    let place = Place::new("update")?;
    let dns = Challtestsrv::start(&place)?;
    let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
    let bootstrap =
        Bootstrap::placed(&place, &pebble)?.domains(&domains(&[&["first.example"], &["second.example"]]))?;
    // The filter is the engine, and it wants only the first name to begin with.
    let mut bootstrap = bootstrap.without_singleton();
    let both = bootstrap.clone().web_from_file(&place)?;
    bootstrap.plugin(|configuration| {
        if let Some(routers) = configuration["routers"].as_object_mut() {
            routers.remove("router-1");
        }
    })?;
    let first = bootstrap.web_from_file(&place)?;
    update(&place, &first)?;
    let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    let envoy = Envoy::start(&place, &mut bootstrap, EnvoyOptions::default())?;
    let mut world = World { envoy, sidecar, pebble, dns, place };
    let served = world.served("first.example", PATIENCE)?;

    let wrong: Value = serde_json::from_str(&both.to_string().replace("\"EC256\"", "\"EC255\""))?;
    update(&world.place, &wrong)?;
    until("the refusal", PATIENCE, || {
        ensure!(world.envoy.stat("listener_manager.lds.update_rejected")? > 0, "not yet");
        Ok(())
    })?;
    let log = world.envoy.log();
    assert!(log.lines().any(|line| line.contains("acme.keyType") && line.contains("EC255")), "the mistake is not said");
    assert_eq!(world.served("first.example", PATIENCE)?.serial, served.serial);
    assert_eq!(world.web().get("/")?.status, 301, "the listener still answers");

    update(&world.place, &both)?;
    world.served("second.example", PATIENCE)?;
    assert_eq!(world.served("first.example", PATIENCE)?.serial, served.serial);
    Ok(())
}
