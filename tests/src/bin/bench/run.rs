//! From the start of `run` with empty storage to the first certificate served.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::tls::{Roots, handshake};
use harness::{Pebble, PebbleOptions, Place, Process, Stage, artifacts, until};

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};

pub(crate) const NAME: &str = "first.example";

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut first = Vec::new();
    let mut again = Vec::new();
    for round in 0..ROUNDS {
        let stage = Stage::new(&format!("bench-run{round}"), &PebbleOptions::default())?;
        let roots = stage.pebble.roots()?;
        first.push(served(&stage.place, &stage.pebble, &roots)?);
        again.push(served(&stage.place, &stage.pebble, &roots)?);
    }
    Ok(vec![
        Figure::new(
            "start of `run` with a certificate stored, until it is served",
            median(&again),
            "s",
            None,
            &Goal::None,
        ),
        Figure::new("first certificate from the start of `run`", median(&first), "s", None, &Goal::ValueAtMost(0.8)),
    ])
}

/// Starts `run`, waits for a certificate in seconds, and ends it.
fn served(place: &Place, pebble: &Pebble, roots: &Roots) -> Result<f64> {
    let started = Instant::now();
    let mut run = start(place, pebble, &[])?;
    until_served(&mut run, place, roots)?;
    let seconds = started.elapsed().as_secs_f64();
    run.stop()?;
    Ok(seconds)
}

/// Waits until a certificate of the CA's is served.
pub(crate) fn until_served(run: &mut Process, place: &Place, roots: &Roots) -> Result<()> {
    until("the first certificate", Duration::from_secs(60), || {
        run.check()?;
        handshake(place.websecure_address(), NAME, roots)
    })?;
    Ok(())
}

/// Starts `run` for a name, with more arguments for Envoy.
pub(crate) fn start(place: &Place, pebble: &Pebble, envoys: &[&str]) -> Result<Process> {
    let of = |name: &str, value: String| format!("--{name}={value}");
    Process::start(&artifacts::sidecar()?, &place.file("run.log"), |command| {
        command.args(["run", "--email=me@example.com", "--key-type=EC256"]);
        command.args([
            of("domain", NAME.to_owned()),
            of("upstream", "127.0.0.1:9".to_owned()),
            of("ca-server", pebble.directory()),
            of("storage", place.file("acme.json").display().to_string()),
            of("http-port", place.web.to_string()),
            of("https-port", place.websecure.to_string()),
            of("certificatesresolvers.default.acme.cacertificates", place.authority.root.display().to_string()),
            of("runtime-dir", place.file("run").display().to_string()),
        ]);
        command.arg("--").args(envoys);
        command.env("ENVOY_AUTOCERT_ENVOY", artifacts::envoy().unwrap_or_default());
        command.env("ENVOY_AUTOCERT_PLUGIN", artifacts::wasm().unwrap_or_default());
    })
}
