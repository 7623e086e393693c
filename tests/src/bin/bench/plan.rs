//! Deciding what to order: ten thousand names against ten thousand stored certificates, in the plugin in Envoy.

use std::time::Duration;

use anyhow::{Result, bail};
use harness::{PebbleOptions, Stage, TestbedOptions, until};
use serde_json::{Map, Value, json};

use crate::figure::{Figure, Goal, median};
use crate::storage;

/// Number of names wanted, and of certificates stored.
const MANY: usize = 10_000;
const HALF: usize = 5_000;

/// Number of runs. The figure is the plugin's own, of its first look.
const ROUNDS: usize = 3;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let round = |count| (0..ROUNDS).map(|_| plan(count)).collect::<Result<Vec<f64>>>();
    let half = median(&round(HALF)?);
    let many = median(&round(MANY)?);
    let name = "deciding what to order, 10,000 names against 10,000 certificates";
    Ok(vec![Figure::new(name, many, "ms", None, &Goal::ValueAtMost(50.0)), growth(half, many)])
}

/// Twice as many should take twice as long, not four times.
fn growth(half: f64, many: f64) -> Figure {
    Figure::new("the same, against half of it", many, "ms", Some(half), &Goal::RatioAtMost(3.0))
}

/// Half of the names have a certificate, half have none.
fn plan(count: usize) -> Result<f64> {
    let stage = Stage::new("bench", &PebbleOptions::default())?;
    storage::write(&stage.place.file("acme.json"), count)?;
    let bootstrap = stage.bootstrap()?.secrets(["n0.example"])?.engine("maxOrders", &json!(1))?;
    let mut bootstrap = bootstrap;
    bootstrap.plugin(|configuration| configuration["routers"] = routers(count))?;
    let testbed = stage.play(bootstrap, &TestbedOptions::default())?;
    until("the plugin's first look", Duration::from_secs(120), || {
        let missing = testbed.envoy.stat("wasmcustom.envoy_autocert.certificates.state.missing")?;
        if missing == 0 {
            bail!("it has not looked yet");
        }
        Ok(testbed.envoy.stat("wasmcustom.envoy_autocert.engine_plan_milliseconds")? as f64)
    })
}

fn routers(count: usize) -> Value {
    let router = |index: usize| {
        let kind = if index.is_multiple_of(2) { "n" } else { "new" };
        let rule = format!("Host(`{kind}{index}.example`)");
        (format!("r{index}"), json!({ "rule": rule, "tls": { "certResolver": "le" } }))
    };
    Value::Object((0..count).map(router).collect::<Map<_, _>>())
}
