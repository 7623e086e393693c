//! Visitors during a crowd of slow clients of each kind: as fast as without it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::crowd::{Crowd, Slow, Target, room};
use harness::http::Endpoint;
use harness::until;

use super::{NAME, Scene};

/// Number of slow clients, if this process may have so many files open.
const CROWD: usize = 5_000;
/// Number of visits measured each time.
const VISITS: usize = 200;
/// Number of repetitions when something else on the machine was in the way.
const ROUNDS: usize = 5;
/// Delay of a visit that is not due to Envoy: on two cores the crowd itself, its server and its visitors share the
/// processor with Envoy.
const NOISE: Duration = Duration::from_millis(250);
/// Time limit for a crowd to connect.
const GATHERING: Duration = Duration::from_secs(120);

#[test]
fn visitors_over_tls_are_as_fast_as_without_slow_clients_of_any_kind() -> Result<()> {
    let crowd = CROWD.min(room()?);
    let scene = Scene::start("slow-tls", None, &[])?;
    let site = scene.site()?;
    let target = scene.websecure()?;
    let visit = || visited(&site, 200);
    for slow in [Slow::Silent, Slow::ClientHello, Slow::Handshake, Slow::Body, Slow::Streams, Slow::Reader] {
        beside(&scene, slow, crowd, &target, &visit)?;
    }
    Ok(())
}

#[test]
fn visitors_without_tls_are_as_fast_as_without_slow_clients_of_any_kind() -> Result<()> {
    let crowd = CROWD.min(room()?);
    let scene = Scene::start("slow-plain", None, &[])?;
    let target = scene.web()?;
    let site = Endpoint::Tcp(target.address);
    for slow in [Slow::Silent, Slow::HalfHead] {
        beside(&scene, slow, crowd, &target, &|| visited(&site, 301))?;
    }
    Ok(())
}

/// Duration of a visit on a connection of its own.
fn visited(site: &Endpoint, status: u16) -> Result<Duration> {
    let start = Instant::now();
    let reply = site.request(hyper::Method::GET, "/", NAME, "")?;
    ensure!(reply.status == status, "{} instead of {status}", reply.status);
    Ok(start.elapsed())
}

fn beside(
    scene: &Scene,
    slow: Slow,
    count: usize,
    target: &Target,
    visit: &dyn Fn() -> Result<Duration>,
) -> Result<()> {
    let alone = slowest(visit)?;
    let crowd = Crowd::gather(slow, count, target)?;
    // With some kinds, a part of the crowd is always reconnecting.
    until(&format!("a crowd of {count}, each with {slow:?}"), GATHERING, || {
        ensure!(crowd.waiting() >= count * 19 / 20, "{} are there", crowd.waiting());
        Ok(())
    })?;
    let limit = (2 * alone).max(NOISE);
    let mut with_crowd = slowest(visit)?;
    // The effects of a crowd's arrival are over soon.
    for _ in 1..ROUNDS {
        if with_crowd > 2 * alone {
            with_crowd = with_crowd.min(slowest(visit)?);
        }
    }
    ensure!(crowd.waiting() >= count * 8 / 10, "{slow:?}: only {} were there", crowd.waiting());
    eprintln!("{slow:?}: {count} clients; p99 {alone:?} alone, {with_crowd:?} beside them");
    ensure!(
        with_crowd <= limit,
        "{slow:?}: of {VISITS} visits the slowest hundredth took {with_crowd:?} beside {count} clients, {alone:?} without"
    );
    ensure!(scene.admin().get("/ready")?.status == 200, "{slow:?}: Envoy's administration interface");
    drop(crowd);
    until("the end of the crowd", GATHERING, || {
        let active = scene.statistic("server.total_connections")?;
        ensure!(active < 100, "{active} connections are left");
        Ok(())
    })
}

/// The 99th percentile of a visit's time.
fn slowest(visit: &dyn Fn() -> Result<Duration>) -> Result<Duration> {
    let mut times = (0..VISITS).map(|_| visit()).collect::<Result<Vec<Duration>>>()?;
    times.sort_unstable();
    Ok(times[VISITS * 99 / 100 - 1])
}
