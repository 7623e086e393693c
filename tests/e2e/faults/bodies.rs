//! Responses made to exhaust memory: they cost little, whatever they claim, and later ones are read as usual.

use std::io::Write;

use anyhow::{Result, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use harness::{Fault, Resource};
use serde_json::json;

use super::scene::{Scene, eagerly};

/// Growth of Envoy's memory allowed for single responses, in MiB: Envoy buffers one of each before it gives up, as its
/// configuration says, and the allocator keeps some.
const GROWTH: u64 = 16;

/// Number of orders under way at once, by default.
const AT_ONCE: usize = 20;

/// Growth allowed for as many responses at once, in MiB: two of each, and as much again.
const GROWTH_AT_ONCE: u64 = 64;

/// Growth of the sidecar's memory allowed, in MiB: it never sees a response that the plugin refuses.
const SIDECAR_GROWTH: u64 = 16;

/// Resources with such a response.
const PLACES: [Resource; 4] = [Resource::Directory, Resource::NewOrder, Resource::Authorization, Resource::Certificate];

/// Lets the CA respond so, and measures the growth of memory; afterwards everything works.
fn bounded(name: &str, fault: &Fault) -> Result<()> {
    let mut scene = Scene::with(name, &Default::default(), |_| (), eagerly)?;
    let first = scene.served()?;
    let before = most_mib(&scene)?;
    for place in PLACES {
        scene.relay.treat_next(place, fault.clone());
    }
    // The CA's directory is cached, but not over restarts.
    scene.testbed.envoy.restart()?;
    scene.want("next.example")?;
    scene.issued("next.example")?;
    let (envoy, sidecar) = most_mib(&scene)?;
    println!("at most {envoy} MiB in Envoy and {sidecar} MiB in the sidecar, before: {before:?}");
    ensure!(envoy <= before.0 + GROWTH, "Envoy held {envoy} MiB, and before {} MiB", before.0);
    ensure!(sidecar <= before.1 + SIDECAR_GROWTH, "the sidecar held {sidecar} MiB, and before {} MiB", before.1);
    let taken = scene.relay.endless_bytes() / 1024 / 1024;
    println!("{taken} MiB taken of bodies without end");
    ensure!(scene.served()? == first, "what was served has changed");
    Ok(())
}

/// Peak memory of Envoy and of the sidecar.
fn most_mib(scene: &Scene) -> Result<(u64, u64)> {
    Ok((scene.testbed.envoy.most_resident_kib()? / 1024, scene.testbed.sidecar.most_resident_kib()? / 1024))
}

#[test]
fn a_body_without_end_is_not_read_to_the_end() -> Result<()> {
    bounded("endless", &Fault::Endless)
}

#[test]
fn twenty_bodies_without_end_at_once_cost_what_is_read_of_them() -> Result<()> {
    let mut scene = Scene::with("many-endless", &Default::default(), |_| (), eagerly)?;
    scene.served()?;
    let before = most_mib(&scene)?;
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("n{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.relay.treat_nth(Resource::Authorization, 0..AT_ONCE, Fault::Endless);
    scene.want_each(&names)?;
    for name in &names {
        scene.issued(name)?;
    }
    let (envoy, sidecar) = most_mib(&scene)?;
    println!("at most {envoy} MiB in Envoy and {sidecar} MiB in the sidecar, before: {before:?}");
    ensure!(envoy <= before.0 + GROWTH_AT_ONCE, "Envoy held {envoy} MiB, and before {} MiB", before.0);
    ensure!(sidecar <= before.1 + SIDECAR_GROWTH, "the sidecar held {sidecar} MiB, and before {} MiB", before.1);
    Ok(())
}

#[test]
fn a_bomb_of_gzip_is_not_blown_up() -> Result<()> {
    // A gzip file may have several members: each of these is 16 MiB of zeros.
    let mut member = GzEncoder::new(Vec::new(), Compression::best());
    member.write_all(&vec![0; 16 * 1024 * 1024])?;
    let bomb = member.finish()?.repeat(60);
    let fault = Fault::answer(200, &[("content-type", "application/json"), ("content-encoding", "gzip")], bomb);
    bounded("bomb", &fault)
}

#[test]
fn json_of_ten_thousand_levels_is_no_json() -> Result<()> {
    bounded("deep", &Fault::body([b"[".repeat(10_000), b"]".repeat(10_000)].concat()))
}

#[test]
fn a_chain_of_ten_thousand_certificates_is_not_served() -> Result<()> {
    // Pebble's chain has two certificates.
    bounded("chain", &Fault::change(|reply| reply.body = reply.body.repeat(5_000)))
}

#[test]
fn a_chain_that_is_too_long_for_a_visitor_is_not_served() -> Result<()> {
    bounded("long-chain", &Fault::change(|reply| reply.body = reply.body.repeat(300)))
}

#[test]
fn headers_without_number_are_not_read() -> Result<()> {
    bounded("headers", &Fault::header("x-much", "y".repeat(200 * 1024)))
}

#[test]
fn members_without_number_are_not_kept() -> Result<()> {
    let fault = Fault::json(|value| {
        value["x"] = json!(vec!["y"; 100_000]);
    });
    bounded("members", &fault)
}
