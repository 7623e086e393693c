//! Resolvers with storages of their own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use harness::{SidecarOptions, Testbed, TestbedOptions, domains, until};
use serde_json::{Value, json};

use crate::{PATIENCE, engine_knows};

/// The resolvers in a file, and the main names of their certificates.
fn stored(path: &Path) -> Result<BTreeSet<(String, String)>> {
    let file: Value = serde_json::from_slice(&fs::read(path)?)?;
    let mut stored = BTreeSet::new();
    for (resolver, records) in file.as_object().context("no object")? {
        for certificate in records["Certificates"].as_array().context("no certificates")? {
            let main = certificate["domain"]["main"].as_str().context("no main name")?;
            stored.insert((resolver.clone(), main.to_owned()));
        }
    }
    Ok(stored)
}

fn account_key(path: &Path, resolver: &str) -> Result<String> {
    let file: Value = serde_json::from_slice(&fs::read(path)?)?;
    Ok(file[resolver]["Account"]["PrivateKey"].as_str().context("no account")?.to_owned())
}

#[test]
fn two_resolvers_with_two_storages_are_kept_apart() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let own = directory.path().join("second.json");
    let arguments = vec!["--storage".to_owned(), format!("second={}", own.display())];
    let sidecar = SidecarOptions { arguments, ..SidecarOptions::default() };
    let options = TestbedOptions { sidecar, ..TestbedOptions::default() };
    let mut testbed = Testbed::with("storages", &options, |bootstrap| {
        let mut bootstrap = bootstrap.domains(&domains(&[&["first.example"], &["second.example"]]))?;
        bootstrap.plugin(|configuration| {
            let resolvers = &mut configuration["certificatesResolvers"];
            resolvers["second"] = resolvers["le"].clone();
            configuration["routers"]["router-1"]["tls"]["certResolver"] = json!("second");
        })?;
        Ok(bootstrap)
    })?;
    let before =
        [testbed.served("first.example", PATIENCE)?.serial, testbed.served("second.example", PATIENCE)?.serial];
    let default = testbed.sidecar.storage().to_owned();
    // Certificates are served while they are being saved.
    until("both on disk", PATIENCE, || {
        ensure!(stored(&default)?.len() + stored(&own)?.len() == 2, "not both yet");
        Ok(())
    })?;
    assert_eq!(stored(&default)?, [("le".to_owned(), "first.example".to_owned())].into());
    assert_eq!(stored(&own)?, [("second".to_owned(), "second.example".to_owned())].into());
    assert_ne!(account_key(&default, "le")?, account_key(&own, "second")?);
    assert_eq!((testbed.accounts(), testbed.orders()), (2, 2));

    let metrics = String::from_utf8(testbed.sidecar.status("/metrics")?.body)?;
    for path in [&default, &own] {
        let line = format!("envoy_autocert_storage_writable{{path=\"{}\"}} 1", path.display());
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }

    // Both storages are read again, and nothing is ordered anew.
    testbed.sidecar.restart()?;
    let after = [testbed.served("first.example", PATIENCE)?.serial, testbed.served("second.example", PATIENCE)?.serial];
    engine_knows(&testbed, 2)?;
    assert_eq!((after, testbed.accounts(), testbed.orders()), (before, 2, 2));
    Ok(())
}
