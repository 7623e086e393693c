//! Records are removed, whatever became of the order, the CA and the sidecar.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::dns::{Bind, Key, Zone};
use harness::{Place, until};

use super::scene::{Lagging, RECORD, Scene, ZONE, gone};
use crate::PATIENCE;
use crate::options::line;

/// Time that a record from before the last start is kept for an engine that continues with its order.
const GRACE: Duration = Duration::from_secs(60);

#[test]
fn a_record_is_removed_after_an_order_that_failed() -> Result<()> {
    let place = Place::new("failed-order")?;
    let key = Key::new("update", "hmac-sha256");
    let bind = Bind::start(&place, &[Zone::new(ZONE).key(&key)])?;
    let mut scene = Scene::new("rfc2136", bind.address(), key.environment(bind.address()));
    // Pebble asks a server without the record.
    scene.pebble.dns = None;
    scene.retry = "1h";
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    line(&mut testbed, &["le: example.test: failed (validation"])?;
    assert!(bind.log().contains("adding an RR at '_acme-challenge.example.test' TXT"));
    gone(bind.address(), RECORD)
}

#[test]
fn a_record_is_removed_after_the_ca_became_unavailable() -> Result<()> {
    let place = Place::new("ca-gone")?;
    let servers = Lagging::start(&place, true)?;
    let mut scene = servers.scene();
    scene.retry = "1h";
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    servers.made(1)?;
    testbed.pebble.kill();
    servers.catch_up()?;
    line(&mut testbed, &["le: example.test: failed (transient"])?;
    gone(servers.bind.address(), RECORD)
}

#[test]
fn an_order_is_continued_after_the_sidecar_was_killed() -> Result<()> {
    let place = Place::new("sidecar-killed")?;
    let servers = Lagging::start(&place, true)?;
    let mut testbed = servers.scene().play(place, &[&[ZONE]])?;
    servers.made(1)?;
    testbed.sidecar.restart()?;
    servers.catch_up()?;
    testbed.served(ZONE, PATIENCE)?;
    assert_eq!(testbed.orders(), 1);
    gone(servers.bind.address(), RECORD)
}

#[test]
fn a_record_that_no_engine_asks_for_is_removed_after_the_next_start() -> Result<()> {
    let place = Place::new("leftover")?;
    let servers = Lagging::start(&place, true)?;
    let mut testbed = servers.scene().play(place, &[&[ZONE]])?;
    servers.made(1)?;
    testbed.envoy.kill();
    testbed.sidecar.restart()?;
    until("the removal of what was left", GRACE + PATIENCE, || {
        ensure!(servers.bind.texts(RECORD)?.is_empty(), "it is still there");
        Ok(())
    })
}
