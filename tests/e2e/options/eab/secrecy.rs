//! The MAC key is never shown.

use std::fs;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::{Bootstrap, Challtestsrv, Envoy, Pebble, PebbleOptions, Place, Testbed};
use serde_json::json;

use super::{KEY, NAME, OTHER_KEY, PERMANENT, bound, testbed};
use crate::options::line;

/// All readable output of a running installation.
fn visible(testbed: &Testbed) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("Envoy's log", testbed.envoy.log()),
        ("Envoy's statistics", testbed.envoy.admin()?.get("/stats")?.text()),
        ("the sidecar's log", testbed.sidecar.log()),
        ("the sidecar's metrics", testbed.sidecar.status("/metrics")?.text()),
        ("the sidecar's state", testbed.sidecar.state()?.to_string()),
        ("acme.json", fs::read_to_string(testbed.sidecar.storage())?),
    ])
}

/// Checks that the key is in none of these texts, in any of its encodings.
fn hidden(texts: Vec<(&'static str, String)>, key: [u8; 32]) -> Result<()> {
    for (place, text) in texts {
        for form in [URL_SAFE_NO_PAD.encode(key), STANDARD.encode(key)] {
            // Half of it would be too much already.
            let (half, _) = form.split_at(form.len() / 2);
            ensure!(!text.contains(half), "the MAC key is in {place}");
        }
    }
    Ok(())
}

#[test]
fn the_key_is_in_no_log_metric_storage_or_dump() -> Result<()> {
    let testbed = bound("env:CA_HMAC", &[("CA_HMAC", URL_SAFE_NO_PAD.encode(KEY))])?;
    let dump = testbed.envoy.admin()?.get("/config_dump?include_eds")?.text();
    ensure!(dump.contains("kid-1"), "this is not the dump");
    ensure!(!dump.contains("CA_HMAC"), "the key's place is in Envoy's dump");
    hidden([visible(&testbed)?, vec![("Envoy's dump", dump)]].concat(), KEY)
}

#[test]
fn a_key_in_envoys_configuration_is_refused_and_not_shown() -> Result<()> {
    let place = Place::new("eab-in-envoy")?;
    let eab = json!({ "kid": "kid-1", "hmacEncoded": URL_SAFE_NO_PAD.encode(KEY) });
    let dns = Challtestsrv::start(&place)?;
    let pebble = Pebble::start(&place, &dns, &PebbleOptions::default())?;
    let mut bootstrap = Bootstrap::placed(&place, &pebble)?.resolver("eab", &eab)?;
    let file = place.file("envoy.json");
    fs::write(&file, bootstrap.value().to_string())?;
    let refused = Envoy::validate(&file, &place.file("validate.log"));
    let log = refused.expect_err("a MAC key in Envoy's configuration").to_string();
    ensure!(log.contains("eab.hmacEncoded") && log.contains("--eab le=file:PATH"), "{log}");
    hidden(vec![("Envoy's log", log)], KEY)
}

#[test]
fn a_refused_key_is_not_shown() -> Result<()> {
    let mut testbed = testbed("kid-1", "env:CA_HMAC", &[("CA_HMAC", URL_SAFE_NO_PAD.encode(OTHER_KEY))])?;
    line(&mut testbed, &[NAME, PERMANENT])?;
    hidden(visible(&testbed)?, OTHER_KEY)
}
