//! `profile`: the profile of the order (draft-ietf-acme-profiles).

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Fault, PebbleOptions, Relay, Resource, Stage, Testbed, TestbedOptions, domains};
use serde_json::json;

use super::line;
use crate::PATIENCE;

const NAME: &str = "profile.example";
const HOUR: u64 = 60 * 60;

/// A CA with the profiles `short`, of six hours, and `long`, of ninety days.
fn ca() -> PebbleOptions {
    let profiles = [("short", 6 * HOUR), ("long", 90 * 24 * HOUR)];
    let profiles = profiles.map(|(name, seconds)| (name.to_owned(), Duration::from_secs(seconds))).to_vec();
    PebbleOptions { profiles, ..PebbleOptions::default() }
}

fn testbed(profile: &str) -> Result<Testbed> {
    let options = TestbedOptions { pebble: ca(), ..TestbedOptions::default() };
    Testbed::with("profile", &options, |bootstrap| {
        bootstrap.domains(&domains(&[&[NAME]]))?.resolver("profile", &json!(profile))
    })
}

/// Validity of a certificate with this profile, in hours.
fn lifetime(profile: &str) -> Result<i64> {
    let served = testbed(profile)?.served(NAME, PATIENCE)?;
    // Pebble leaves out the last second.
    Ok((served.not_after - served.not_before + time::Duration::SECOND).whole_hours())
}

#[test]
fn a_short_lived_profile_gives_a_short_lived_certificate() -> Result<()> {
    assert_eq!(lifetime("short")?, 6);
    Ok(())
}

#[test]
fn a_long_lived_profile_gives_a_long_lived_certificate() -> Result<()> {
    assert_eq!(lifetime("long")?, 90 * 24);
    Ok(())
}

#[test]
fn an_unknown_profile_is_reported_with_those_there_are_and_nothing_is_ordered() -> Result<()> {
    let mut testbed = testbed("tlsserver")?;
    let line = line(&mut testbed, &[NAME, ": failed (permanent, 1 in a row), next try in 3600 s", "tlsserver"])?;
    ensure!(line.contains("short") && line.contains("long"), "the profiles there are are not told: {line}");
    assert_eq!(testbed.orders(), 0);
    Ok(())
}

#[test]
fn a_profile_that_the_ca_gives_up_is_reported_and_what_there_is_stays() -> Result<()> {
    let options = TestbedOptions { pebble: ca(), ..TestbedOptions::default() };
    let stage = Stage::new("profile-gone", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    let bootstrap = stage.bootstrap()?.domains(&domains(&[&[NAME]]))?.through(&relay)?;
    let mut testbed = stage.play(bootstrap.resolver("profile", &json!("short"))?, &options)?;
    let served = testbed.served(NAME, PATIENCE)?;
    relay.treat(
        Resource::Directory,
        Fault::json(|directory| directory["meta"]["profiles"] = json!({ "long": "90 days" })),
    );
    testbed.reconfigure(|bootstrap| {
        let bootstrap = bootstrap.domains(&domains(&[&[NAME], &["new.example"]]))?.through(&relay)?;
        bootstrap.resolver("profile", &json!("short"))
    })?;
    line(&mut testbed, &["new.example", ": failed (permanent", "short", "long"])?;
    assert_eq!(testbed.served(NAME, PATIENCE)?, served);
    assert_eq!(testbed.orders(), 1);
    Ok(())
}
