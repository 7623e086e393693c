//! CNAMEs to another zone, which alone accepts updates.

use anyhow::{Result, ensure};
use harness::dns::{Bind, Key, Zone};
use harness::{Place, Testbed, until};

use super::scene::{RECORD, Scene, ZONE, gone};
use crate::PATIENCE;
use crate::options::line;

/// A zone with an alias, and the zone of its target.
struct Delegated {
    place: Place,
    bind: Bind,
    key: Key,
}

impl Delegated {
    /// `alias` is a line in the zone of the name. The key may change the target's zone, and the first one if it is
    /// `open`.
    fn start(alias: &str, is_open: bool) -> Result<Self> {
        let place = Place::new("alias")?;
        let key = Key::new("update", "hmac-sha256");
        let zone = Zone::new(ZONE).record(alias);
        let zones = [if is_open { zone.key(&key) } else { zone }, Zone::new("proofs.test").key(&key)];
        let bind = Bind::start(&place, &zones)?;
        Ok(Self { place, bind, key })
    }

    fn play(self, prepare: impl FnOnce(Scene) -> Scene) -> Result<(Testbed, Bind)> {
        let scene = Scene::new("rfc2136", self.bind.address(), self.key.environment(self.bind.address()));
        Ok((prepare(scene).play(self.place, &[&[ZONE]])?, self.bind))
    }
}

#[test]
fn an_alias_into_another_zone_is_followed() -> Result<()> {
    let alias = "_acme-challenge CNAME example.proofs.test.";
    let (mut testbed, bind) = Delegated::start(alias, false)?.play(|scene| scene)?;
    testbed.served(ZONE, PATIENCE)?;
    gone(bind.address(), "example.proofs.test")?;
    assert!(bind.log().contains("updating zone 'proofs.test/IN': adding an RR at 'example.proofs.test' TXT"));
    Ok(())
}

#[test]
fn an_alias_is_left_alone_where_that_is_switched_off() -> Result<()> {
    let alias = "_acme-challenge CNAME example.proofs.test.";
    let (_world, bind) = Delegated::start(alias, true)?.play(|scene| {
        scene.variable("LEGO_DISABLE_CNAME_SUPPORT", "true").variable("RFC2136_PROPAGATION_TIMEOUT", "1")
    })?;
    until("an update at the name itself", PATIENCE, || {
        let log = bind.log();
        ensure!(log.contains("updating zone 'example.test/IN'"), "there is none");
        ensure!(!log.contains("updating zone 'proofs.test/IN'"), "the alias was followed");
        Ok(())
    })
}

#[test]
fn aliases_in_a_circle_are_reported() -> Result<()> {
    let circle = "_acme-challenge CNAME a\na CNAME _acme-challenge";
    let (mut testbed, _bind) = Delegated::start(circle, true)?.play(|scene| scene)?;
    let told = line(&mut testbed, &["le: example.test: failed (challenge", "in a circle"])?;
    assert!(told.contains(RECORD) && told.contains("a.example.test"), "{told}");
    Ok(())
}
