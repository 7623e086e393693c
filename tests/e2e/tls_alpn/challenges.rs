//! Envoy's answers to TLS-ALPN-01 handshakes.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::acme_tls::{Shown, validate};
use sha2::{Digest, Sha256};

use super::scene::{SITE, Scene};

/// Well below any wait for a missing secret.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Number of repetitions of a step that must never fail.
const ROUNDS: u32 = 50;

/// The OCTET STRING with the hash.
fn identifier(key_authorization: &str) -> Option<Vec<u8>> {
    Some([&[4, 32], Sha256::digest(key_authorization).as_slice()].concat())
}

fn shows(shown: &Shown, name: &str, key_authorization: &str) -> Result<()> {
    ensure!(shown.agreed, "acme-tls/1 was not agreed on");
    ensure!(shown.names == [name], "{:?}, not {name}", shown.names);
    ensure!(shown.identifier == identifier(key_authorization), "{name}: not the hash of its challenge");
    Ok(())
}

#[test]
fn a_ca_is_shown_live_challenges_and_a_visitor_never_is() -> Result<()> {
    let scene = Scene::start("alpn")?;
    let asked = [
        (SITE, SITE),
        ("www.site.example", "www.site.example"),
        ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ("::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa"),
    ];
    for (number, (host, asked)) in (1..).zip(asked) {
        let key_authorization = scene.engine.publish(number, host)?;
        shows(&validate(scene.address(), asked)?, host, &key_authorization)?;
    }
    ensure!(scene.visit()?.names == [SITE], "a visitor is served the site's own");
    scene.engine.withdraw(1)?;
    ensure!(scene.visit()?.names == [SITE], "a visitor is served the site's own");
    Ok(())
}

#[test]
fn a_name_without_a_live_challenge_is_refused_at_once() -> Result<()> {
    let scene = Scene::start("alpn-none")?;
    scene.engine.publish(1, "a.example")?;
    for name in ["b.example", "x.a.example", "example", "192.0.2.1", SITE] {
        let start = Instant::now();
        ensure!(validate(scene.address(), name).is_err(), "{name} has no challenge");
        ensure!(start.elapsed() < AT_ONCE, "{name}: the refusal took {:?}", start.elapsed());
    }
    Ok(())
}

#[test]
fn a_name_shows_the_challenge_it_has_now_whatever_it_had_before() -> Result<()> {
    let mut scene = Scene::start("alpn-again")?;
    let name = "a.example";
    ensure!(validate(scene.address(), name).is_err(), "there is no challenge yet");
    for round in 1..ROUNDS {
        // As in a renewal: the next challenge is published as soon as the previous one is withdrawn.
        let key_authorization = scene.engine.publish(round, name)?;
        shows(&validate(scene.address(), name)?, name, &key_authorization)?;
        scene.engine.withdraw(round)?;
        if round.is_multiple_of(10) {
            ensure!(refused_soon(&scene, name), "the challenge is withdrawn");
        }
    }
    for round in ROUNDS..2 * ROUNDS {
        // As with a new engine: it replaces the challenge that its predecessor left behind.
        scene.engine.take_over(u64::from(round))?;
        let key_authorization = scene.engine.publish(round, name)?;
        shows(&validate(scene.address(), name)?, name, &key_authorization)?;
    }
    Ok(())
}

/// Withdrawals are not waited for, so a handshake may still succeed for a moment.
fn refused_soon(scene: &Scene, name: &str) -> bool {
    let deadline = Instant::now() + AT_ONCE;
    while Instant::now() < deadline {
        if validate(scene.address(), name).is_err() {
            return true;
        }
    }
    false
}
