//! From the start of sidecar and Envoy with empty storage to the first certificate served.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::EnvoyOptions;

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::minimal;
use crate::stage::Stage;

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut whole = Vec::new();
    let mut raw = Vec::new();
    let mut start = Vec::new();
    for round in 0..ROUNDS {
        let name = format!("first{round}.example");
        let stage = Stage::set(&[vec![name.clone()]])?;
        raw.push(minimal::issue_all(&stage.place, &stage.pebble, std::slice::from_ref(&name), 1)?.as_secs_f64());
        let roots = stage.pebble.roots()?;
        let started = Instant::now();
        let mut testbed = stage.start(EnvoyOptions::default())?;
        testbed.served_by(&name, &roots, Duration::from_secs(30))?;
        whole.push(started.elapsed().as_secs_f64());
        // Envoy again, with certificates stored: the time of its start alone.
        testbed.envoy.kill();
        let started = Instant::now();
        testbed.envoy.restart()?;
        testbed.served_by(&name, &roots, Duration::from_secs(30))?;
        start.push(started.elapsed().as_secs_f64());
    }
    let whole = median(&whole);
    let raw = median(&raw);
    let start = median(&start);
    Ok(vec![
        Figure::new("start of Envoy with certificates stored", start, "s", None, &Goal::None),
        Figure::new("first certificate from empty storage, with the start of Envoy", whole, "s", None, &Goal::None),
        Figure::new(
            "first certificate, without the start of Envoy",
            whole - start,
            "s",
            Some(raw),
            &Goal::RatioAtMost(3.0),
        ),
    ])
}
