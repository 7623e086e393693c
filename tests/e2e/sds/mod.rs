//! Envoy gets its certificates from the sidecar, over every variant of xDS that it speaks.
//!
//! No CA takes part: the certificates are the user's own, in `--cert-dir`, so that a test controls what is served and
//! when.

mod client;
mod engine;
mod rollback;
mod scene;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use harness::{EnvoyOptions, until};

use client::{Client, Mode, Protocol};
use scene::Scene;

/// Time limit of a change: the sidecar waits for a pause in the writing, then Envoy gets it.
const SOON: Duration = Duration::from_secs(15);

#[test]
fn one_sidecar_serves_every_variant_of_xds_at_once() -> Result<()> {
    let scene = Scene::start("variants", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let b = scene.provide("b", &["*.b.test", "b.test"])?;
    let secrets = ["a.test", "x.b.test", "late.test"];
    let clients = Protocol::ALL.map(|protocol| Client::start(&scene, protocol, Mode::Classic(&secrets)));
    let clients = clients.into_iter().collect::<Result<Vec<_>>>()?;
    for client in &clients {
        client.serves("a.test", &a, SOON)?;
        client.serves("x.b.test", &b, SOON)?;
        ensure!(client.handshake("late.test").is_err(), "only the default certificate can be there");
    }
    let late = scene.provide("late", &["late.test"])?;
    let renewed = scene.provide("a", &["a.test"])?;
    for client in &clients {
        client.serves("late.test", &late, SOON)?;
        client.serves("a.test", &renewed, SOON)?;
        client.serves("x.b.test", &b, SOON)?;
    }
    Ok(())
}

/// F6, F7: gRPC's C-core sends the socket's path as authority; Istio asks by URLs.
#[test]
fn googles_grpc_and_istios_names_are_understood_and_what_is_no_name_is_reported_once() -> Result<()> {
    let mut scene = Scene::start("google", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let b = scene.provide("b", &["b.test"])?;
    let secrets = ["sds://a.test", "kubernetes://istio-system/b.test"];
    let client = Client::start(&scene, Protocol::Google, Mode::Classic(&secrets))?;
    client.serves("a.test", &a, SOON)?;
    client.serves("b.test", &b, SOON)?;
    let renewed = scene.provide("a", &["a.test"])?;
    client.serves("a.test", &renewed, SOON)?;

    let secrets = ["istio-system/a.test", "sds://a.test-cacert"];
    let impatient = Client::start(&scene, Protocol::StateOfTheWorld, Mode::Impatient(&secrets))?;
    let log = scene.sidecar()?.log();
    for secret in secrets {
        ensure!(log.matches(secret).count() == 1, "{secret}: {log}");
    }
    match impatient.handshake("a.test") {
        Ok(served) => bail!("{served:?}"),
        Err(error) => ensure!(!format!("{error:#}").contains("certificate"), "not even the default one: {error:#}"),
    }
    Ok(())
}

#[test]
fn a_listener_opens_at_once_though_a_secret_does_not_exist_and_serves_it_when_it_comes() -> Result<()> {
    let scene = Scene::start("missing", "none")?;
    let a = scene.provide("a", &["a.test"])?;
    for protocol in [Protocol::Delta, Protocol::AdsDelta] {
        let missing = format!("missing-{}.test", protocol.name());
        // Envoy would wait for the secret longer than the harness waits for Envoy.
        let client = Client::start(&scene, protocol, Mode::Classic(&["a.test", &missing]))?;
        client.serves("a.test", &a, SOON)?;
        let came = scene.provide(protocol.name(), &[&missing])?;
        client.serves(&missing, &came, SOON)?;
    }
    Ok(())
}

#[test]
fn an_on_demand_handshake_gets_its_certificate_and_an_unknown_name_is_refused_at_once() -> Result<()> {
    let scene = Scene::start("on-demand", "none")?;
    let a = scene.provide("a", &["*.a.test"])?;
    for protocol in [Protocol::Delta, Protocol::AdsDelta] {
        let client = Client::start(&scene, protocol, Mode::OnDemand)?;
        client.serves("one.a.test", &a, SOON)?;
        client.serves("two.a.test", &a, SOON)?;
        let unknown = format!("{}.test", protocol.name());
        let start = Instant::now();
        ensure!(client.handshake(&unknown).is_err(), "nothing covers {unknown}");
        ensure!(start.elapsed() < Duration::from_secs(5), "the refusal took {:?}", start.elapsed());
        let came = scene.provide(protocol.name(), &[&unknown])?;
        client.serves(&unknown, &came, SOON)?;
    }
    Ok(())
}

#[test]
fn no_handshake_fails_while_certificates_rotate() -> Result<()> {
    let scene = Scene::start("rotation", "self-signed")?;
    let first = scene.provide("a", &["a.test"])?;
    for (protocol, mode) in [(Protocol::Delta, Mode::Classic(&["a.test"])), (Protocol::AdsDelta, Mode::OnDemand)] {
        let client = Client::start(&scene, protocol, mode)?;
        client.serves_any("a.test", SOON)?;
        let over = AtomicBool::new(false);
        let (rotated, seen) = thread::scope(|threads| {
            let visitors: Vec<_> = (0..3).map(|_| threads.spawn(|| visit(&client, &over))).collect();
            let rotated = rotate(&scene, &client, 8);
            over.store(true, Ordering::Relaxed);
            (rotated, visitors.into_iter().map(|visitor| visitor.join()).collect::<Vec<_>>())
        });
        rotated?;
        let mut serials = BTreeSet::new();
        for visitor in seen {
            serials.extend(visitor.map_err(|_| anyhow::anyhow!("a visitor panicked"))??);
        }
        ensure!(serials.len() > 4 && !serials.contains("0"), "certificates seen: {serials:?}, the first was {first}");
    }
    Ok(())
}

/// Shakes hands and asks for a page, again and again. Returns the serials seen, or the first failure.
fn visit(client: &Client, over: &AtomicBool) -> Result<BTreeSet<String>> {
    let mut serials = BTreeSet::new();
    while !over.load(Ordering::Relaxed) {
        serials.insert(client.handshake("a.test")?.serial);
        let reply = client.get("a.test", "/")?;
        ensure!(reply.status == 200, "status {}", reply.status);
    }
    Ok(serials)
}

fn rotate(scene: &Scene, client: &Client, times: usize) -> Result<()> {
    for _ in 0..times {
        let serial = scene.provide("a", &["a.test"])?;
        client.serves("a.test", &serial, SOON)?;
    }
    Ok(())
}

#[test]
fn envoy_restarted_serves_at_once() -> Result<()> {
    let scene = Scene::start("envoy-restart", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let mut client = Client::start(&scene, Protocol::Delta, Mode::Classic(&["a.test"]))?;
    client.serves("a.test", &a, SOON)?;
    client.envoy.restart()?;
    let served = client.handshake("a.test")?;
    ensure!(served.serial == a, "{served:?}");
    Ok(())
}

#[test]
fn envoy_continues_without_the_sidecar_and_gets_nothing_twice_when_it_is_back() -> Result<()> {
    let mut scene = Scene::start("sidecar-restart", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let client = Client::start(&scene, Protocol::Delta, Mode::Classic(&["a.test"]))?;
    client.serves("a.test", &a, SOON)?;
    let updates = client.envoy.stat("sds.a.test.update_success")?;
    scene.sidecar()?.kill();
    until("the loss of the sidecar", SOON, || client.is_connected(false))?;
    ensure!(client.handshake("a.test")?.serial == a, "what Envoy has stays served");
    scene.sidecar()?.restart()?;
    until("the connection to the sidecar", SOON, || client.is_connected(true))?;
    let renewed = scene.provide("a", &["a.test"])?;
    client.serves("a.test", &renewed, SOON)?;
    let since = client.envoy.stat("sds.a.test.update_success")? - updates;
    ensure!(since == 1, "{since} updates since the restart; only the renewed certificate is new");
    Ok(())
}

#[test]
fn other_listeners_live_without_the_sidecar_and_tls_recovers_when_it_comes() -> Result<()> {
    let mut scene = Scene::without_sidecar("absent", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let options = EnvoyOptions { name: "absent".to_owned(), ..EnvoyOptions::default() };
    let client = Client::start_with(&scene, Protocol::Delta, Mode::Impatient(&["a.test"]), options)?;
    ensure!(client.plain("/")?.status == 200, "the listener without TLS is open");
    ensure!(client.handshake("a.test").is_err(), "there can't be a certificate yet");
    scene.start_sidecar()?;
    client.serves("a.test", &a, SOON)
}

#[test]
fn a_pair_that_does_not_fit_is_never_pushed_and_evicts_nothing() -> Result<()> {
    let mut scene = Scene::start("mismatch", "self-signed")?;
    let a = scene.provide("a", &["a.test"])?;
    let client = Client::start(&scene, Protocol::Delta, Mode::Classic(&["a.test"]))?;
    client.serves("a.test", &a, SOON)?;
    scene.provide_with_wrong_key("a", &["a.test"])?;
    let sidecar = scene.sidecar()?;
    until("a word on the bad pair", SOON, || {
        ensure!(sidecar.log().contains("stays in use"), "{}", sidecar.log());
        Ok(())
    })?;
    ensure!(client.handshake("a.test")?.serial == a, "the good one stays");
    ensure!(client.envoy.stat("sds.a.test.update_rejected")? == 0, "Envoy must not even see it");
    let mended = scene.provide("a", &["a.test"])?;
    client.serves("a.test", &mended, SOON)
}
