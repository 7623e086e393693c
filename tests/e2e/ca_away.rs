//! A CA that is unavailable when a certificate is first wanted.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Testbed, TestbedOptions, domains, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_ca_that_is_down_at_first_is_asked_again_when_its_time_has_come() -> Result<()> {
    let name = "late.example";
    let mut testbed = Testbed::with("late", &TestbedOptions::default(), |bootstrap| {
        // Retries within seconds, which no real CA would like.
        let bootstrap = bootstrap.domains(&domains(&[&[name]]))?;
        bootstrap.engine("retryMin", &json!("1s"))?.engine("retryMax", &json!("3s"))
    })?;
    testbed.served(name, PATIENCE)?;
    testbed.pebble.kill();
    testbed.envoy.kill();
    testbed.sidecar.kill();
    std::fs::remove_file(testbed.sidecar.storage())?;
    testbed.sidecar.restart()?;
    testbed.envoy.restart()?;
    until("a failed try", PATIENCE, || {
        ensure!(testbed.envoy.log().contains("late.example: failed (transient"), "no line about a failure");
        Ok(())
    })?;
    testbed.pebble.restart()?;
    testbed.served(name, PATIENCE)?;
    Ok(())
}
