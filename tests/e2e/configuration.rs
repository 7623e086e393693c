//! Mistakes in the plugin's configuration: `envoy --mode validate` finds them, before anything starts.

use std::fs;

use anyhow::Result;
use harness::{Bootstrap, Challtestsrv, Envoy, Pebble, PebbleOptions, Place};
use serde_json::json;

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
