//! End-to-end tests: real Envoy, real Pebble, the real sidecar, and the shipped configuration.
//!
//! One module a feature. Each test has a testbed of its own and can run beside any other.

mod ca_away;
mod ca_reach;
mod challenge_requests;
mod check;
mod configuration;
mod crash_loops;
mod crashes;
mod deployment;
mod dns;
mod documents;
mod envoys;
mod export;
mod faults;
mod guards;
mod import;
mod into;
mod issuance;
mod meshes;
mod options;
mod other_filters;
mod privileges;
mod redirect;
mod reload;
mod render;
mod renewal;
mod renewal_info;
mod restarts;
mod run;
mod run_start;
mod sds;
mod secrets;
mod several_envoys;
mod slow;
mod spies;
mod storages;
mod takeover;
mod tls_alpn;
mod tls_options;
mod trap;
mod trouble;
mod units;
mod untrusted;
mod watchdog;

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Testbed, until};

/// Time limit for work that takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the engine runs in Envoy and has read the storage: this many certificates are valid.
fn engine_knows(testbed: &Testbed, valid: u64) -> Result<()> {
    until("an engine that knows its certificates", PATIENCE, || {
        let found = stat(testbed, "certificates.state.valid")?;
        ensure!(
            found == valid && stat(testbed, "engine_active")? == 1,
            "{found} certificates are valid, {valid} expected"
        );
        Ok(())
    })
}

/// A metric of the plugin.
fn stat(testbed: &Testbed, name: &str) -> Result<u64> {
    testbed.envoy.stat(&format!("wasmcustom.envoy_autocert.{name}"))
}
