//! A server that refuses: the reason is logged, and nothing of the credentials.

use anyhow::{Result, ensure};
use harness::dns::{Bind, Key, Zone};
use harness::{Place, until};

use super::scene::RECORD;
use super::scene::{Scene, ZONE, gone, is_nowhere};
use crate::PATIENCE;
use crate::options::line;

/// Sends updates with a key that BIND refuses for the zone; the plugin's log line has these words.
fn refused(sent: &Key, zones: &[Zone], words: &str) -> Result<()> {
    let place = Place::new("refused")?;
    let bind = Bind::start(&place, zones)?;
    let scene = Scene::new("rfc2136", bind.address(), sent.environment(bind.address()));
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    line(&mut testbed, &["le: example.test: failed (challenge", "no answer to dns-01", "rfc2136", words])?;
    gone(bind.address(), RECORD)?;
    assert!(crate::stat(&testbed, "failures.resolver.le.class.challenge")? >= 1);
    until("the refusal in the API", PATIENCE, || {
        ensure!(testbed.sidecar.state()?.to_string().contains(words), "the API does not tell it");
        Ok(())
    })?;
    is_nowhere(&testbed, &sent.secret)
}

#[test]
fn a_wrong_secret_is_reported() -> Result<()> {
    let right = Key::new("update", "hmac-sha256");
    let wrong = Key { secret: Key::new("other", "hmac-sha256").secret, ..right.clone() };
    refused(&wrong, &[Zone::new(ZONE).key(&right)], "BADSIG")
}

#[test]
fn an_unknown_key_is_reported() -> Result<()> {
    let known = Key::new("update", "hmac-sha256");
    refused(&Key::new("stranger", "hmac-sha256"), &[Zone::new(ZONE).key(&known)], "BADKEY")
}

#[test]
fn a_zone_that_the_key_may_not_change_is_reported() -> Result<()> {
    let other = Key::new("other", "hmac-sha256");
    let key = Key::new("update", "hmac-sha256");
    refused(&key, &[Zone::new(ZONE).key(&other), Zone::new("elsewhere.test").key(&key)], "REFUSED")
}
