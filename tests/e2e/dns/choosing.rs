//! Several challenge types at one resolver: the choice, and the fallback after a failure.

use anyhow::{Result, ensure};
use harness::dns::HttpReq;
use harness::{PebbleOptions, Stage, Testbed, ports, until};
use serde_json::{Value, json};

use super::scene::{Scene, ZONE};
use crate::PATIENCE;
use crate::options::line;

/// A resolver with these challenges before DNS-01 by a bridge.
fn play(pebble: &PebbleOptions, challenges: &[(&str, Value)], names: &[&str]) -> Result<(Testbed, HttpReq)> {
    let stage = Stage::new("choosing", pebble)?;
    let bridge = HttpReq::start(&stage.dns)?;
    let scene = Scene::new("httpreq", stage.dns.dns(), bridge.environment());
    let mut scene = scene.propagation("disableChecks", &json!(true));
    for (challenge, options) in challenges {
        scene.challenges[*challenge] = options.clone();
    }
    let mut testbed = scene.on(stage, &[names], |_| ())?;
    testbed.served(ZONE, PATIENCE)?;
    Ok((testbed, bridge))
}

fn http() -> (&'static str, Value) {
    ("httpChallenge", json!({ "entryPoint": "web" }))
}

fn tls() -> (&'static str, Value) {
    ("tlsChallenge", json!({}))
}

/// Ports where the CA reaches nobody.
fn closed(is_http_closed: bool) -> Result<PebbleOptions> {
    let http_port = if is_http_closed { Some(ports::free()?) } else { None };
    Ok(PebbleOptions { http_port, tls_port: Some(ports::free()?), ..PebbleOptions::default() })
}

#[test]
fn http_01_comes_before_dns_01() -> Result<()> {
    let (mut testbed, bridge) = play(&PebbleOptions::default(), &[http()], &[ZONE])?;
    line(&mut testbed, &["le: example.test: issued by", " by http-01,"])?;
    assert!(bridge.requests().is_empty());
    Ok(())
}

#[test]
fn a_type_that_fails_is_followed_by_the_next_one_at_once() -> Result<()> {
    let (mut testbed, bridge) = play(&closed(false)?, &[tls(), http()], &[ZONE])?;
    line(&mut testbed, &["le: example.test: trying another challenge type", "tls-alpn-01"])?;
    line(&mut testbed, &["le: example.test: issued by", " by http-01,"])?;
    assert_eq!(testbed.pebble.requests("/chalZ/"), 2, "one word for each");
    assert!(bridge.requests().is_empty(), "the last one is not needed");
    assert!(!testbed.envoy.log().contains("example.test: failed ("), "no try has failed");
    Ok(())
}

#[test]
fn dns_01_is_the_last_that_is_tried() -> Result<()> {
    let (mut testbed, bridge) = play(&closed(true)?, &[tls(), http()], &[ZONE])?;
    line(&mut testbed, &["le: example.test: issued by", " by dns-01,"])?;
    assert_eq!(testbed.pebble.requests("/chalZ/"), 3, "one word for each");
    until("the removal of the record", PATIENCE, || {
        ensure!(bridge.requests().len() == 2, "{:?}", bridge.requests());
        Ok(())
    })
}

#[test]
fn a_name_and_its_wildcard_may_be_proved_by_two_challenges() -> Result<()> {
    let (mut testbed, _bridge) = play(&PebbleOptions::default(), &[http()], &[ZONE, "*.example.test"])?;
    line(&mut testbed, &["le: example.test (and 1 more name): issued by", " by http-01 and dns-01,"])?;
    Ok(())
}
