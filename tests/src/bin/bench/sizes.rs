//! Sizes: the plugin's file, its memory at rest, the sidecar's memory with certificates stored.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::{Place, Sidecar, SidecarOptions, World, artifacts, until};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::json;

use crate::figure::{Figure, Goal};

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

/// The linear memory of the instance that needs most: the one that runs the engine, after a certificate was issued.
fn plugin_memory() -> Result<f64> {
    let name = "memory.example";
    let mut world = World::start("bench", &[&[name]])?;
    world.served(name, Duration::from_secs(30))?;
    let bytes = until("the plugin's metric of its memory", Duration::from_secs(10), || {
        let bytes = world.envoy.stat("wasmcustom.envoy_autocert.engine_memory_bytes")?;
        if bytes == 0 { anyhow::bail!("it is not there yet") } else { Ok(bytes) }
    })?;
    Ok(bytes as f64 / 1024.0 / 1024.0)
}

/// The resident memory of a sidecar with so many certificates in its storage, in MiB.
fn sidecar_memory(count: usize) -> Result<f64> {
    let place = Place::new("bench")?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let certificates = (0..count).map(|index| -> Result<_> {
        let name = format!("n{index}.example");
        let certificate = CertificateParams::new(vec![name.clone()])?.self_signed(&key)?;
        Ok(json!({
            "domain": { "main": name },
            // A real chain has an intermediate as well.
            "certificate": STANDARD.encode(certificate.pem().repeat(2)),
            "key": STANDARD.encode(key.serialize_pem()),
            "Store": "default",
        }))
    });
    let storage = json!({ "le": { "Account": null, "Certificates": certificates.collect::<Result<Vec<_>>>()? } });
    let mut file = fs::File::options().write(true).create_new(true).mode(0o600).open(place.file("acme.json"))?;
    file.write_all(storage.to_string().as_bytes())?;
    let sidecar = Sidecar::start(&place, SidecarOptions::default())?;
    let stored = sidecar.state()?["certificates"].as_array().map(Vec::len).context("no certificates in the state")?;
    anyhow::ensure!(stored == count, "{stored} of {count} certificates were read");
    Ok(sidecar.resident_kib()? as f64 / 1024.0)
}
