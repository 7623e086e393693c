//! Secrets appear in no log, metric or configuration dump.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use harness::{Testbed, until};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn neither_keys_nor_credentials_are_in_envoys_dump_or_any_log() -> Result<()> {
    let mut testbed = Testbed::start("secrets", &[&["secret.example"]])?;
    testbed.served("secret.example", PATIENCE)?;
    // A certificate may be served a moment before it is on disk.
    let (account, key) = until("a stored certificate", PATIENCE, || {
        let stored: Value = serde_json::from_slice(&fs::read(testbed.sidecar.storage())?)?;
        let text = |pointer: &str| -> Result<String> {
            Ok(stored.pointer(pointer).and_then(Value::as_str).with_context(|| pointer.to_owned())?.to_owned())
        };
        Ok((text("/le/Account/PrivateKey")?, text("/le/Certificates/0/key")?))
    })?;
    let pem = String::from_utf8(STANDARD.decode(&key)?)?;
    let secret_line = pem.lines().nth(1).context("the key is no PEM")?.to_owned();
    let dump = testbed.envoy.admin()?.get("/config_dump?include_eds")?.text();
    let places = [("dump", dump), ("Envoy's log", testbed.envoy.log()), ("sidecar's log", testbed.sidecar.log())];
    for (place, text) in places {
        for secret in [&account[..40], &key[..40], &secret_line[..40], "PRIVATE KEY"] {
            assert!(!text.contains(secret), "a secret is in {place}");
        }
    }
    Ok(())
}
