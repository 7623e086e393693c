//! dns-persist-01: a record that the user sets once, and no credentials.

use anyhow::{Context, Result};
use harness::Place;
use harness::dns::PowerDns;
use serde_json::json;

use super::scene::{Scene, ZONE};
use crate::PATIENCE;
use crate::options::line;

/// Name of the user's record.
const STANDING: &str = "_validation-persist.example.test";

/// Gets a certificate for a name without any credentials, after the requested record was set.
fn set_once(name: &str) -> Result<String> {
    let place = Place::new("persist")?;
    let server = PowerDns::start(&place, ZONE)?;
    let challenges = json!({ "dnsPersistChallenge": { "resolvers": [server.address()] } });
    let scene = Scene::of(challenges, server.address());
    let mut testbed = scene.play(place, &[&[name]])?;
    let told = line(&mut testbed, &["failed (challenge", "dns-persist-01", "set this TXT record: ", STANDING])?;
    let value = told.split("TXT \"").nth(1).and_then(|rest| rest.split('"').next()).context(told.clone())?;
    server.set_text(STANDING, value)?;
    let served = testbed.served(&name.replace('*', "any"), PATIENCE)?;
    assert_eq!(served.names, [name]);
    assert!(line(&mut testbed, &["issued by"])?.contains("by dns-persist-01"));
    assert!(server.texts("_acme-challenge.example.test")?.is_empty());
    assert_eq!(server.texts(STANDING)?, [value], "it is the user's, and stays");
    Ok(value.to_owned())
}

#[test]
fn the_record_to_set_is_reported_and_once_it_is_set_certificates_come() -> Result<()> {
    let value = set_once(ZONE)?;
    assert!(value.starts_with("pebble.letsencrypt.org; accounturi=https://"), "{value}");
    Ok(())
}

#[test]
fn a_wildcard_wants_a_record_that_says_so() -> Result<()> {
    let value = set_once("*.example.test")?;
    assert!(value.ends_with("; policy=wildcard"), "{value}");
    Ok(())
}
