//! `respondingTimeouts`: slow requests end at the time limit, and slow responses with a reason continue past it.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::crowd::{Crowd, Slow, Target};
use harness::http::Endpoint;
use harness::{DOWNLOAD, LONG, until};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{LIMIT, NAME, Scene};

/// Time limits shorter than the slow responses.
const TIMES: [&str; 2] = [
    "--entryPoints.web.transport.respondingTimeouts.readTimeout=2",
    "--entryPoints.websecure.transport.respondingTimeouts.readTimeout=2s",
];

#[test]
fn a_client_that_never_finishes_is_disconnected() -> Result<()> {
    let scene = Scene::start("slow-deadlines", None, &TIMES)?;
    let web = scene.web()?;
    let websecure = scene.websecure()?;
    let gone = |slow: Slow, target: &Target| -> Result<()> {
        let crowd = Crowd::once(slow, 3, target)?;
        until(&format!("the end of clients with {slow:?}"), LIMIT, || {
            ensure!(crowd.sent_away() == 3, "{} are left", crowd.waiting());
            Ok(())
        })
    };
    for slow in [Slow::Silent, Slow::HalfHead] {
        gone(slow, &web)?;
    }
    for slow in [Slow::Silent, Slow::ClientHello, Slow::Body] {
        gone(slow, &websecure)?;
    }
    // Only the stream is reset; its connection stays.
    let crowd = Crowd::once(Slow::Streams, 3, &websecure)?;
    until("the end of streams", LIMIT, || {
        let ended = scene.statistic("http.websecure.downstream_rq_timeout")?;
        ensure!(ended >= 3, "{ended} of {} have ended", crowd.waiting());
        Ok(())
    })
}

#[test]
fn silence_between_requests_has_an_end_of_its_own() -> Result<()> {
    let idle = "--entryPoints.websecure.transport.respondingTimeouts.idleTimeout=1s";
    let scene = Scene::start("slow-idle", None, &[idle])?;
    let crowd = Crowd::once(Slow::Handshake, 3, &scene.websecure()?)?;
    until("the end of silence", LIMIT, || {
        ensure!(crowd.sent_away() == 3, "{} are left", crowd.waiting());
        Ok(())
    })
}

#[test]
fn answers_may_have_an_end() -> Result<()> {
    let write = "--entryPoints.websecure.transport.respondingTimeouts.writeTimeout=1s";
    let scene = Scene::start("slow-write", None, &[write])?;
    ensure!(scene.site()?.get("/download").is_err(), "a download that takes longer was not cut off");
    ensure!(scene.site()?.get("/")?.status == 200);
    Ok(())
}

#[test]
fn long_downloads_events_and_upgrades_go_on_past_the_deadlines() -> Result<()> {
    let scene = Scene::start("slow-long", None, &TIMES)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let site = scene.site()?;
    runtime.block_on(async {
        let (download, events, socket) = tokio::join!(body(&site, "/download"), body(&site, "/events"), socket(&site));
        ensure!(download.context("a download")?.len() == DOWNLOAD);
        ensure!(events.context("events")? == "data: 0\n\ndata: 1\n\n");
        socket.context("an upgrade")
    })
}

async fn body(site: &Endpoint, path: &str) -> Result<Bytes> {
    let request = Request::get(path).header("host", NAME).body(Full::default())?;
    let answer = site.connect().await?.send_request(request).await?;
    Ok(answer.into_body().collect().await?.to_bytes())
}

/// Sends by a web socket, is silent, and sends again.
async fn socket(site: &Endpoint) -> Result<()> {
    let mut stream = site.upgrade("/socket", NAME).await?;
    for said in [b"one", b"two"] {
        stream.write_all(said).await?;
        let mut heard = [0; 3];
        stream.read_exact(&mut heard).await?;
        ensure!(heard == *said);
        tokio::time::sleep(LONG + Duration::from_secs(1)).await;
    }
    Ok(())
}
