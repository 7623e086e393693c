//! The propagation check before the CA is told, with a name server that lags.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::{Place, Testbed};
use serde_json::{Value, json};

use super::scene::{Lagging, RECORD, ZONE, gone};
use crate::PATIENCE;
use crate::options::{between, line};

/// Duration of the lag.
const LAG: Duration = Duration::from_secs(1);

/// Time between a server's catching up and the next look-up: lego's interval, on a busy machine.
const SLACK: Duration = Duration::from_secs(6);

/// A certificate, with these options of `propagation`; the second server is listed in the zone, or asked as a resolver.
fn play(is_listed: bool, options: &[(&str, Value)]) -> Result<(Testbed, Lagging)> {
    let place = Place::new("propagation")?;
    let servers = Lagging::start(&place, is_listed)?;
    let mut scene = servers.scene();
    if !is_listed {
        let both = json!([servers.bind.address(), servers.secondary.address()]);
        scene.challenges["dnsChallenge"]["resolvers"] = both;
    }
    for (option, value) in options {
        scene = scene.propagation(option, value);
    }
    Ok((scene.play(place, &[&[ZONE]])?, servers))
}

/// The CA is told nothing while a server lags; soon after it has caught up, the certificate is there.
fn waits(testbed: &mut Testbed, servers: &Lagging) -> Result<()> {
    servers.made(1)?;
    let since = Instant::now();
    while since.elapsed() < LAG {
        ensure!(testbed.pebble.requests("/chalZ/") == 0, "the CA was told too soon");
        std::thread::sleep(Duration::from_millis(50));
    }
    servers.catch_up()?;
    let since = Instant::now();
    testbed.served(ZONE, PATIENCE)?;
    ensure!(since.elapsed() < SLACK, "it took {:?} more", since.elapsed());
    gone(servers.bind.address(), RECORD)
}

#[test]
fn each_name_server_of_the_zone_is_waited_for() -> Result<()> {
    let (mut testbed, servers) = play(true, &[])?;
    waits(&mut testbed, &servers)
}

#[test]
fn each_resolver_is_waited_for_where_that_is_asked_for() -> Result<()> {
    let (mut testbed, servers) = play(false, &[("requireAllRNS", json!(true))])?;
    waits(&mut testbed, &servers)
}

/// The certificate is issued though a server never learns of the record.
fn does_not_wait(is_listed: bool, options: &[(&str, Value)]) -> Result<()> {
    let (mut testbed, servers) = play(is_listed, options)?;
    testbed.served(ZONE, PATIENCE)?;
    assert!(servers.secondary.texts(RECORD)?.is_empty());
    Ok(())
}

#[test]
fn resolvers_are_not_waited_for_otherwise() -> Result<()> {
    does_not_wait(false, &[])
}

#[test]
fn name_servers_are_not_waited_for_where_that_is_switched_off() -> Result<()> {
    does_not_wait(true, &[("disableANSChecks", json!(true))])
}

#[test]
fn nothing_is_waited_for_without_checks() -> Result<()> {
    does_not_wait(true, &[("disableChecks", json!(true)), ("requireAllRNS", json!(true))])
}

#[test]
fn a_delay_comes_before_the_ca_is_told() -> Result<()> {
    let delay = [("disableChecks", json!(true)), ("delayBeforeChecks", json!("2s"))];
    let (mut testbed, _servers) = play(true, &delay)?;
    testbed.served(ZONE, PATIENCE)?;
    let ordering = line(&mut testbed, &["le: example.test: ordering (first)"])?;
    let issued = line(&mut testbed, &["le: example.test: issued by"])?;
    ensure!(between(&ordering, &issued)? >= Duration::from_secs(2), "it was told too soon");
    Ok(())
}

#[test]
fn when_time_runs_out_the_log_says_what_was_seen_where() -> Result<()> {
    let place = Place::new("time-out")?;
    let servers = Lagging::start(&place, true)?;
    let scene = servers.scene().variable("RFC2136_PROPAGATION_TIMEOUT", "1");
    let mut testbed = scene.play(place, &[&[ZONE]])?;
    let told = line(
        &mut testbed,
        &["le: example.test: failed (challenge", RECORD, "after 1 s", "ns2.example.test", "127.0.0.2"],
    )?;
    assert!(!told.contains("ns1.example.test"), "that one has it: {told}");
    Ok(())
}
