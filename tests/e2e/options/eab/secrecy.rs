//! The MAC key stays where it belongs.

use std::fs;

use anyhow::{Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use harness::{SidecarOptions, World};
use serde_json::json;

use super::{KEY, NAME, OTHER_KEY, PERMANENT, bound, world};
use crate::options::line;

/// Everything that can be read of a running installation.
fn visible(world: &World) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("Envoy's log", world.envoy.log()),
        ("Envoy's statistics", world.envoy.admin()?.get("/stats")?.text()),
        ("the sidecar's log", world.sidecar.log()),
        ("the sidecar's metrics", world.sidecar.status("/metrics")?.text()),
        ("the sidecar's state", world.sidecar.state()?.to_string()),
        ("acme.json", fs::read_to_string(world.sidecar.storage())?),
    ])
}

/// The key is in none of these texts, in any of its forms.
fn hidden(texts: Vec<(&'static str, String)>, key: [u8; 32]) -> Result<()> {
    for (place, text) in texts {
        for form in [URL_SAFE_NO_PAD.encode(key), STANDARD.encode(key)] {
            // The half of it would be too much already.
            let (half, _) = form.split_at(form.len() / 2);
            ensure!(!text.contains(half), "the MAC key is in {place}");
        }
    }
    Ok(())
}

#[test]
fn the_key_is_in_no_log_metric_or_storage() -> Result<()> {
    let world = bound(&URL_SAFE_NO_PAD.encode(KEY), SidecarOptions::default())?;
    hidden(visible(&world)?, KEY)
}

#[test]
fn a_key_given_by_reference_is_not_in_envoys_dump_either() -> Result<()> {
    let environment = vec![("CA_HMAC".to_owned(), URL_SAFE_NO_PAD.encode(KEY))];
    let world = bound("env:CA_HMAC", SidecarOptions { environment, ..SidecarOptions::default() })?;
    let dump = world.envoy.admin()?.get("/config_dump?include_eds")?.text();
    ensure!(dump.contains("env:CA_HMAC"), "this is not the dump");
    hidden([visible(&world)?, vec![("Envoy's dump", dump)]].concat(), KEY)
}

#[test]
fn a_key_in_the_configuration_is_warned_of() -> Result<()> {
    let mut world = bound(&URL_SAFE_NO_PAD.encode(KEY), SidecarOptions::default())?;
    line(&mut world, &["eab.hmacEncoded", "config dump", "file:PATH"]).map(drop)
}

#[test]
fn a_refused_key_is_not_shown() -> Result<()> {
    let eab = json!({ "kid": "kid-1", "hmacEncoded": URL_SAFE_NO_PAD.encode(OTHER_KEY) });
    let mut world = world(&eab, SidecarOptions::default())?;
    line(&mut world, &[NAME, PERMANENT])?;
    hidden(visible(&world)?, OTHER_KEY)
}
