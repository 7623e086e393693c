//! TLS-ALPN-01: time to a first certificate compared with HTTP-01, and what validation handshakes cost visitors.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::tls::{Roots, handshake};
use harness::{Authority, EnvoyOptions, FakeEngine, PebbleOptions, SidecarOptions, TestbedOptions, acme_tls, until};

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::stage::Stage;

/// Number of validation handshakes open at once.
const OPEN: usize = 1_000;

/// Number of handshakes measured: with fewer, the 99th percentile is one value of chance.
const HANDSHAKES: usize = 500;

/// Time limit for work that takes a second on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The host name of the visitors.
const SITE: &str = "site.example";

pub(crate) fn measure() -> Result<Vec<Figure>> {
    Ok(vec![first_certificate()?, visitors()?])
}

fn first_certificate() -> Result<Figure> {
    let mut http = Vec::new();
    let mut tls = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("first{round}.example");
        http.push(issue(Stage::set(&[vec![name.clone()]])?, &name)?);
        let mut stage = Stage::set(&[vec![name.clone()]])?;
        stage.bootstrap = stage.bootstrap.tls_alpn01()?;
        tls.push(issue(stage, &name)?);
    }
    let name = "first certificate by TLS-ALPN-01, from the CA's first answer (against HTTP-01)";
    Ok(Figure::new(name, median(&tls), "s", Some(median(&http)), &Goal::RatioAtMost(1.2)))
}

/// Time to a first certificate, with the engine already waiting for the CA. The start of Envoy is left out: it takes
/// longer than all the rest, and varies.
fn issue(stage: Stage, name: &str) -> Result<f64> {
    let roots = stage.pebble.roots()?;
    stage.pebble.suspend()?;
    let mut testbed = stage.start(EnvoyOptions::default())?;
    until("an engine", PATIENCE, || {
        let active = testbed.envoy.stat("wasmcustom.envoy_autocert.engine_active")?;
        ensure!(active == 1, "{active} engines");
        Ok(())
    })?;
    let started = Instant::now();
    testbed.pebble.resume()?;
    testbed.served_by(name, &roots, PATIENCE)?;
    Ok(started.elapsed().as_secs_f64())
}

fn visitors() -> Result<Figure> {
    let stage = harness::Stage::new("bench", &PebbleOptions::default())?;
    let site = Authority::of(stage.place.path(), "site", &[SITE])?;
    let pair = format!("{},{}", site.certificate.display(), site.key.display());
    let sidecar = SidecarOptions { arguments: vec!["--cert".to_owned(), pair], ..SidecarOptions::default() };
    let bootstrap = stage.bootstrap()?.secrets([SITE])?.challenge_chain()?.without_plugin()?;
    let testbed = stage
        .play(bootstrap, &TestbedOptions { sidecar, envoy: EnvoyOptions::default(), ..TestbedOptions::default() })?;
    let address = testbed.place.websecure_address();
    let roots = Roots::from_pem(&std::fs::read_to_string(site.root)?)?;
    FakeEngine::take(testbed.sidecar.api())?.publish(1, "a.example")?;
    until("the site's certificate", PATIENCE, || handshake(address, SITE, &roots))?;
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..ROUNDS {
        without.push(p99(address, &roots)?);
        let open: Result<Vec<_>> = (0..OPEN).map(|_| acme_tls::stall(address, "a.example")).collect();
        let open = open?;
        with.push(p99(address, &roots)?);
        drop(open);
    }
    let name = "handshake of a visitor while 1,000 for challenges are open, p99 (against none)";
    Ok(Figure::new(name, median(&with), "ms", Some(median(&without)), &Goal::RatioAtMost(1.5)))
}

/// The 99th percentile of handshakes one after the other, in milliseconds.
fn p99(address: SocketAddr, roots: &Roots) -> Result<f64> {
    let mut millis = Vec::with_capacity(HANDSHAKES);
    for _ in 0..HANDSHAKES {
        let started = Instant::now();
        handshake(address, SITE, roots)?;
        millis.push(started.elapsed().as_secs_f64() * 1000.0);
    }
    millis.sort_by(f64::total_cmp);
    millis.get(HANDSHAKES * 99 / 100).copied().context("no handshakes")
}
