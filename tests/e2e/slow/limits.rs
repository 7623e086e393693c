//! More clients than an Envoy with few descriptors can have: the CA and the administrator still get in.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use harness::crowd::{Crowd, Slow};
use harness::http::Endpoint;
use harness::until;

use super::{LIMIT, NAME, Scene};

/// The default limit of a service.
const FILES: u32 = 1024;
const CROWD: usize = 1_200;
/// Time limit for a crowd to connect.
const GATHERING: Duration = Duration::from_secs(60);

#[test]
fn challenges_and_the_administrator_are_answered_while_strangers_hold_all_other_connections() -> Result<()> {
    let scene = Scene::start("slow-limits", Some(FILES), &[])?;
    let bootstrap: serde_json::Value =
        serde_json::from_slice(&std::fs::read(scene.stage.place.file("run/bootstrap.json"))?)?;
    let limit =
        &bootstrap["overload_manager"]["resource_monitors"][0]["typed_config"]["max_active_downstream_connections"];
    let most = limit.as_u64().unwrap_or_default();
    ensure!(most > 0 && most * 5 <= u64::from(FILES) * 2, "{limit} for {FILES} files");
    for slow in [Slow::Handshake, Slow::Body, Slow::Silent] {
        let crowd = Crowd::gather(slow, CROWD, &scene.websecure()?)?;
        until("more clients than there may be", GATHERING, || {
            let refused = scene.statistic("listener.*443.*")?;
            ensure!(crowd.sent_away() > CROWD / 2, "{} sent away, {refused}", crowd.sent_away());
            Ok(())
        })?;
        let web = Endpoint::Tcp(scene.stage.place.web_address());
        for _ in 0..50 {
            let asked = web.request(hyper::Method::GET, "/.well-known/acme-challenge/x", NAME, "")?;
            ensure!(asked.status == 301, "{slow:?}: {} for a challenge", asked.status);
            ensure!(scene.admin().get("/ready")?.status == 200, "{slow:?}");
        }
        ensure!(crowd.waiting() > 50, "{slow:?}: {} clients", crowd.waiting());
        let open = std::fs::read_dir(format!("/proc/{}/fd", scene.envoy()?))?.count();
        ensure!(open < FILES as usize, "{slow:?}: {open} files are open");
        eprintln!("{slow:?}: {} wait, {} sent away, {open} files open", crowd.waiting(), crowd.sent_away());
    }
    ensure!(!scene.run.log().contains("Too many open files"), "{}", scene.run.log());
    Ok(())
}

#[test]
fn silent_connections_to_port_80_make_room_in_seconds() -> Result<()> {
    let scene = Scene::start("slow-port-80", Some(FILES), &[])?;
    let crowd = Crowd::once(Slow::Silent, CROWD, &scene.web()?)?;
    let start = Instant::now();
    until("the end of silence", LIMIT, || {
        ensure!(crowd.waiting() == 0 && crowd.sent_away() == CROWD, "{} are left", crowd.waiting());
        Ok(())
    })?;
    eprintln!("{CROWD} silent clients were gone after {:?}", start.elapsed());
    let web = Endpoint::Tcp(scene.stage.place.web_address());
    ensure!(web.request(hyper::Method::GET, "/", NAME, "")?.status == 301);
    Ok(())
}
