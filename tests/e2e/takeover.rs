//! A virtual machine that trapped: another instance of the plugin takes over.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Testbed, TestbedOptions, artifacts, domains, until};
use serde_json::json;

use crate::trap;

/// DESIGN: within 15 s; the issuance itself and a slow machine come on top.
const TAKEOVER: Duration = Duration::from_secs(15 + 10);

#[test]
fn a_trapped_engine_is_replaced_by_another_instance() -> Result<()> {
    let name = "takeover.example";
    let mut doctored = None;
    let mut testbed = Testbed::with("trap", &TestbedOptions::default(), |mut bootstrap| {
        let path = tempfile::Builder::new().suffix(".wasm").tempfile()?.into_temp_path();
        let wasm = fs::read(artifacts::wasm()?)?;
        fs::write(&path, trap::doctored(&wasm, "proxy_on_http_call_response", trap::ALWAYS)?)?;
        let singleton = bootstrap.value().pointer_mut("/bootstrap_extensions/0/typed_config/config");
        let singleton = singleton.context("there is no singleton")?;
        singleton["vm_config"]["code"]["local"]["filename"] = json!(path.to_path_buf());
        doctored = Some(path);
        bootstrap.domains(&domains(&[&[name]]))
    })?;
    let started = Instant::now();
    until("the trap", TAKEOVER, || {
        ensure!(testbed.envoy.log().contains("unreachable"), "the engine has not trapped yet");
        Ok(())
    })?;
    testbed.served(name, TAKEOVER)?;
    assert!(started.elapsed() < TAKEOVER, "{:?} until another instance had issued", started.elapsed());
    Ok(())
}

#[test]
fn without_a_singleton_a_filter_runs_the_engine() -> Result<()> {
    let name = "filter.example";
    let mut testbed = Testbed::with("filter", &TestbedOptions::default(), |bootstrap| {
        bootstrap.without_singleton().domains(&domains(&[&[name]]))
    })?;
    testbed.served(name, TAKEOVER)?;
    assert_eq!(testbed.orders(), 1, "only one of the instances places orders");
    Ok(())
}
