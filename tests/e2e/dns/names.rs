//! Wildcards, and several records of one name.

use anyhow::Result;
use harness::Place;
use harness::dns::{Bind, Key, Zone};

use super::scene::{Lagging, RECORD, Scene, ZONE, gone};
use crate::PATIENCE;

#[test]
fn a_wildcard_gets_a_certificate() -> Result<()> {
    let place = Place::new("wildcard")?;
    let key = Key::new("update", "hmac-sha256");
    let bind = Bind::start(&place, &[Zone::new(ZONE).key(&key)])?;
    let scene = Scene::new("rfc2136", bind.address(), key.environment(bind.address()));
    let mut testbed = scene.play(place, &[&["*.example.test"]])?;
    assert_eq!(testbed.served("any.example.test", PATIENCE)?.names, ["*.example.test"]);
    gone(bind.address(), RECORD)
}

#[test]
fn a_name_and_its_wildcard_share_a_certificate() -> Result<()> {
    let place = Place::new("apex")?;
    let servers = Lagging::start(&place, true)?;
    let mut testbed = servers.scene().play(place, &[&[ZONE, "*.example.test"]])?;
    // Neither record replaces the other.
    servers.made(2)?;
    servers.catch_up()?;
    let served = testbed.served(ZONE, PATIENCE)?;
    assert_eq!(served.names, ["*.example.test", "example.test"]);
    assert_eq!(served, testbed.served("any.example.test", PATIENCE)?);
    gone(servers.bind.address(), RECORD)
}

#[test]
fn two_orders_for_one_name_leave_each_other_alone() -> Result<()> {
    let place = Place::new("two-orders")?;
    let servers = Lagging::start(&place, true)?;
    let mut testbed = servers.scene().play(place, &[&[ZONE], &["*.example.test"]])?;
    servers.made(2)?;
    servers.catch_up()?;
    testbed.served(ZONE, PATIENCE)?;
    testbed.served("any.example.test", PATIENCE)?;
    assert_eq!(testbed.orders(), 2, "neither had to be tried again");
    gone(servers.bind.address(), RECORD)?;
    // Each update removes its own value, never the whole record set.
    assert!(!servers.bind.log().contains("deleting rrset"));
    Ok(())
}
