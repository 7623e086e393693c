//! TLS-ALPN-01: how long a first certificate takes beside HTTP-01, and what handshakes for challenges cost visitors.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::tls::{Roots, handshake};
use harness::{Authority, EnvoyOptions, PebbleOptions, SidecarOptions, StandIn, WorldOptions, acme_tls};

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::first::{First, first};
use crate::stage::Stage;

/// Handshakes for challenges that are open at once.
const OPEN: usize = 1_000;

/// Handshakes that are measured: with fewer, the 99th percentile is one value of chance.
const HANDSHAKES: usize = 500;

/// The name of the visitors.
const SITE: &str = "site.example";

pub(crate) fn measure() -> Result<Vec<Figure>> {
    Ok(vec![first_certificate()?, visitors()?])
}

fn first_certificate() -> Result<Figure> {
    let (mut http, mut tls) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("first{round}.example");
        http.push(first(Stage::set(&[vec![name.clone()]])?, &name)?);
        let mut stage = Stage::set(&[vec![name.clone()]])?;
        stage.bootstrap = stage.bootstrap.tls_alpn01()?;
        tls.push(first(stage, &name)?);
    }
    let middle = |firsts: &[First]| median(&firsts.iter().map(First::without_start).collect::<Vec<_>>());
    let name = "first certificate by TLS-ALPN-01, without the start of Envoy (against HTTP-01)";
    Ok(Figure::new(name, middle(&tls), "s", Some(middle(&http)), &Goal::RatioAtMost(1.2)))
}

fn visitors() -> Result<Figure> {
    let stage = harness::Stage::new("bench", &PebbleOptions::default())?;
    let site = Authority::of(stage.place.path(), "site", &[SITE])?;
    let pair = format!("{},{}", site.certificate.display(), site.key.display());
    let sidecar = SidecarOptions { arguments: vec!["--cert".to_owned(), pair], ..SidecarOptions::default() };
    let bootstrap = stage.bootstrap()?.secrets([SITE])?.challenge_chain()?.without_plugin()?;
    let world =
        stage.play(bootstrap, &WorldOptions { sidecar, envoy: EnvoyOptions::default(), ..WorldOptions::default() })?;
    let (address, roots) = (world.place.websecure_address(), Roots::from_pem(&std::fs::read_to_string(site.root)?)?);
    StandIn::take(world.sidecar.api())?.publish(1, "a.example")?;
    harness::until("the site's certificate", Duration::from_secs(15), || handshake(address, SITE, &roots))?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
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
