//! `envoy-autocert export`: certificates as files, while a sidecar runs.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{PebbleOptions, Process, Testbed, TestbedOptions, artifacts, domains, until};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use serde_json::Value;

use crate::PATIENCE;

/// The leaf in these PEM texts, if the key is its own.
fn matching(chain: &[u8], key: &[u8]) -> Result<Vec<u8>> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
    let leaf = chain.first().context("no certificate")?.to_vec();
    CertifiedKey::from_der(chain, PrivateKeyDer::from_pem_slice(key)?, &default_provider())?;
    Ok(leaf)
}

/// The pair in a directory, read like a program that resolves the link once.
fn pair(directory: &Path) -> Result<Vec<u8>> {
    let directory = fs::canonicalize(directory.join("fullchain.pem"))?;
    let directory = directory.parent().context("no parent")?;
    matching(&fs::read(directory.join("fullchain.pem"))?, &fs::read(directory.join("privkey.pem"))?)
}

/// The pair in HAProxy's file.
fn combined(directory: &Path) -> Result<Vec<u8>> {
    let text = fs::read(directory.join("combined.pem"))?;
    matching(&text, &text)
}

fn mode(path: &Path) -> Result<u32> {
    Ok(fs::metadata(path)?.mode() & 0o7777)
}

#[test]
fn an_export_follows_renewals_and_certificate_and_key_always_match() -> Result<()> {
    let pebble = PebbleOptions::default().validity(Duration::from_secs(60));
    let options = TestbedOptions { pebble, ..TestbedOptions::default() };
    let mut testbed =
        Testbed::with("export", &options, |bootstrap| bootstrap.domains(&domains(&[&["exported.example"]])))?;
    let (out, log, storage) =
        (testbed.place.file("out"), testbed.place.file("export.log"), testbed.sidecar.storage().to_owned());
    let mut export = Process::start(&artifacts::sidecar()?, &log, |command| {
        command.args(["export", "--watch", "--storage"]).arg(&storage).arg(&out);
    })?;
    let directory = out.join("exported.example");
    let first = until("the exported pair", PATIENCE, || pair(&directory))?;
    testbed.served("exported.example", PATIENCE)?;
    assert_eq!((mode(&directory)?, mode(&directory.join("privkey.pem"))?), (0o700, 0o600));
    assert_eq!((mode(&directory.join("combined.pem"))?, mode(&directory.join("fullchain.pem"))?), (0o600, 0o644));

    let over = AtomicBool::new(false);
    let reads = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| -> Result<()> {
            while !over.load(Ordering::Relaxed) {
                pair(&directory)?;
                combined(&directory)?;
                reads.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let renewed = until("another exported pair", Duration::from_secs(60), || {
            ensure!(pair(&directory)? != first, "still the first one");
            Ok(())
        });
        over.store(true, Ordering::Relaxed);
        reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        renewed
    })?;
    assert!(reads.load(Ordering::Relaxed) > 100, "too few reads to show anything");

    assert!(export.stop()?.success(), "SIGTERM is a good end");
    let told = export.log();
    assert!(told.matches("exported.example: written (le: exported.example; valid until ").count() >= 2, "{told}");
    assert!(!told.contains("PRIVATE"), "{told}");
    Ok(())
}

#[test]
fn a_second_export_writes_nothing_and_says_so_in_json() -> Result<()> {
    let mut testbed = Testbed::start("export-twice", &[&["one.example", "www.one.example"], &["two.example"]])?;
    testbed.served("one.example", PATIENCE)?;
    testbed.served("two.example", PATIENCE)?;
    // Certificates are served while they are being saved.
    until("both on disk", PATIENCE, || {
        let stored = fs::read_to_string(testbed.sidecar.storage())?;
        ensure!(stored.matches("\"certificate\":").count() == 2, "not both yet");
        Ok(())
    })?;
    let out = testbed.place.file("out");
    let run = |arguments: &[&str]| -> Result<Value> {
        let mut command = Command::new(artifacts::sidecar()?);
        command.args(["export", "--json", "--storage"]).arg(testbed.sidecar.storage()).args(arguments).arg(&out);
        let output = command.output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let count = |report: &Value, what: &str| report[what].as_array().map(Vec::len);
    let first = run(&["--domain", "www.one.example"])?;
    assert_eq!(first["written"][0]["names"], serde_json::json!(["one.example", "www.one.example"]));
    assert_eq!((count(&first, "written"), out.join("two.example").exists()), (Some(1), false));

    let second = run(&[])?;
    assert_eq!((count(&second, "written"), count(&second, "unchanged")), (Some(1), Some(1)));
    let written = fs::metadata(out.join("one.example/privkey.pem"))?;
    let third = run(&[])?;
    assert_eq!((count(&third, "written"), count(&third, "unchanged")), (Some(0), Some(2)));
    let after = fs::metadata(out.join("one.example/privkey.pem"))?;
    assert_eq!((after.ino(), after.mtime_nsec()), (written.ino(), written.mtime_nsec()));
    Ok(())
}
