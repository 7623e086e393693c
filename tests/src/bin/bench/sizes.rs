//! Sizes: the plugin's file, its memory at rest, the sidecar's memory with certificates stored.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Place, Sidecar, SidecarOptions, Testbed, artifacts, until};

use crate::figure::{Figure, Goal};
use crate::storage;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let wasm = fs::metadata(artifacts::wasm()?)?.len() as f64 / 1024.0;
    let mut figures = vec![Figure::new("size of the plugin", wasm, "KiB", None, &Goal::ValueAtMost(600.0))];
    let goal = Goal::ValueAtMost(4.0);
    figures.push(Figure::new(
        "memory of the plugin instance that runs the engine",
        plugin_memory()?,
        "MiB",
        None,
        &goal,
    ));
    let empty = sidecar_memory(0)?;
    for count in [100, 1000] {
        let name = format!("sidecar's memory with {count} certificates");
        figures.push(Figure::new(&name, sidecar_memory(count)?, "MiB", Some(empty), &Goal::None));
    }
    Ok(figures)
}

/// The linear memory of the largest instance: the one that runs the engine, after it issued a certificate.
fn plugin_memory() -> Result<f64> {
    let name = "memory.example";
    let mut testbed = Testbed::start("bench", &[&[name]])?;
    testbed.served(name, Duration::from_secs(30))?;
    let bytes = until("the plugin's metric of its memory", Duration::from_secs(10), || {
        let bytes = testbed.envoy.stat("wasmcustom.envoy_autocert.engine_memory_bytes")?;
        if bytes == 0 { anyhow::bail!("it is not there yet") } else { Ok(bytes) }
    })?;
    Ok(bytes as f64 / 1024.0 / 1024.0)
}

/// The resident memory of a sidecar with this many certificates in its storage, in MiB.
fn sidecar_memory(count: usize) -> Result<f64> {
    let place = Place::new("bench")?;
    storage::write(&place.file("acme.json"), count)?;
    let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    let stored = sidecar.state()?["certificates"].as_array().map(Vec::len).context("no certificates in the state")?;
    anyhow::ensure!(stored == count, "{stored} of {count} certificates were read");
    Ok(sidecar.resident_kib()? as f64 / 1024.0)
}
