//! A CA that is away when a certificate is first wanted.

use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{World, WorldOptions, domains, until};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn a_ca_that_is_down_at_first_is_asked_again_when_its_time_has_come() -> Result<()> {
    let name = "late.example";
    let mut world = World::with("late", &WorldOptions::default(), |bootstrap| {
        // Retries within seconds, as no real CA would like it.
        let bootstrap = bootstrap.domains(&domains(&[&[name]]))?;
        bootstrap.engine("retryMin", &json!("1s"))?.engine("retryMax", &json!("3s"))
    })?;
    world.served(name, PATIENCE)?;
    world.pebble.kill();
    world.envoy.kill();
    world.sidecar.kill();
    std::fs::remove_file(world.sidecar.storage())?;
    world.sidecar.restart()?;
    world.envoy.restart()?;
    until("a failed try", PATIENCE, || {
        ensure!(world.envoy.log().contains("late.example: failed (transient"), "no line about a failure");
        Ok(())
    })?;
    world.pebble.restart()?;
    world.served(name, PATIENCE)?;
    Ok(())
}
