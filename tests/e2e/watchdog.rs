//! An engine whose virtual machines have all trapped: the watchdog restarts it; without the watchdog, `/health` reports
//! it missing.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::{Fault, Relay, Resource, SidecarOptions, Stage, Testbed, TestbedOptions, artifacts, domains, until};
use serde_json::{Value, json};

use crate::{PATIENCE, trap};

const NAME: &str = "watchdog.example";

/// Time until each instance in turn has become the engine, after its predecessor's lease expired, and has trapped.
const ALL_TRAP: Duration = Duration::from_secs(90);

/// A testbed as in Istio, where the engine runs in the filter's root contexts. The CA's directory is so large that
/// every instance traps that reads it; all have when this returns, and the CA works again.
fn trapped(wake: bool) -> Result<(Testbed, Relay)> {
    let mut options = TestbedOptions::default();
    // After two attempts that never ended the next one waits for a minute, after three for two.
    options.envoy.concurrency = 1;
    let stage = Stage::new("watchdog", &options.pebble)?;
    let relay = Relay::start(&stage.pebble, &stage.place.authority)?;
    relay.treat(Resource::Directory, Fault::json(|directory| directory["padding"] = json!("x".repeat(100_000))));
    let plugin = stage.place.file("trapping.wasm");
    let wasm = fs::read(artifacts::wasm()?)?;
    fs::write(&plugin, trap::doctored(&wasm, "proxy_on_http_call_response", trap::ON_LARGE_ANSWERS)?)?;
    let bootstrap = stage.bootstrap()?.without_singleton().domains(&domains(&[&[NAME]]))?.through(&relay)?;
    // Attempts that a trap cut off are waited for.
    let mut bootstrap = bootstrap.engine("retryMin", &json!("500ms"))?.engine("retryMax", &json!("1s"))?;
    for filter in bootstrap.web_filters()? {
        let code = "/typed_config/extension_config/typed_config/config/vm_config/code/local/filename";
        if let Some(file) = filter.pointer_mut(code) {
            *file = json!(plugin);
        }
    }
    if wake {
        let address = stage.place.web_address().to_string();
        options.sidecar =
            SidecarOptions { arguments: vec!["--wake-address".to_owned(), address], ..SidecarOptions::default() };
    }
    let testbed = stage.play(bootstrap, &options)?;
    // One instance on the main thread, and one on each worker.
    let instances = 1 + options.envoy.concurrency;
    until("the trap of every instance", ALL_TRAP, || {
        let trapped = testbed.envoy.log().matches("unreachable").count();
        ensure!(trapped >= instances, "{trapped} of {instances} have trapped");
        Ok(())
    })?;
    relay.relent();
    Ok((testbed, relay))
}

fn status(testbed: &Testbed) -> Result<Value> {
    Ok(serde_json::from_slice(&testbed.sidecar.status("/status")?.body)?)
}

#[test]
fn an_engine_that_trapped_everywhere_is_woken_through_the_plaintext_listener() -> Result<()> {
    let (mut testbed, _relay) = trapped(true)?;
    testbed.served(NAME, 2 * PATIENCE)?;
    let status = status(&testbed)?;
    ensure!(status["engine"]["presence"] == "present", "{status}");
    ensure!(status["engine"]["wakes"].as_u64() > Some(0), "it came back by itself: {status}");
    ensure!(testbed.sidecar.log().contains("the engine is silent"), "nothing is said of it");
    let metrics = testbed.sidecar.status("/metrics")?.text();
    ensure!(metrics.contains("envoy_autocert_engine_present 1"), "{metrics}");
    ensure!(!metrics.contains("envoy_autocert_watchdog_wakes_total 0"), "{metrics}");
    Ok(())
}

#[test]
fn an_engine_that_nobody_wakes_is_said_to_be_absent() -> Result<()> {
    let (testbed, _relay) = trapped(false)?;
    until("the absence of the engine", PATIENCE, || {
        let ready = testbed.sidecar.status("/readyz")?;
        ensure!(ready.status == 503, "/readyz answers {}", ready.status);
        ensure!(ready.text().contains("no engine for"), "{}", ready.text());
        Ok(())
    })?;
    let status = status(&testbed)?;
    ensure!(status["engine"]["presence"] == "absent" && status["engine"]["wakes"] == 0, "{status}");
    ensure!(testbed.sidecar.status("/metrics")?.text().contains("envoy_autocert_engine_present 0"));
    ensure!(testbed.sidecar.status("/healthz")?.status == 200, "the process itself is well");
    Ok(())
}
