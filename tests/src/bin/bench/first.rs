//! From the start of sidecar and Envoy with empty storage to the first certificate served.

use std::time::{Duration, Instant};

use anyhow::Result;
use harness::EnvoyOptions;

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::minimal;
use crate::stage::Stage;

/// What the first certificate took, in seconds.
pub(crate) struct First {
    /// From the start of sidecar and Envoy.
    whole: f64,
    /// Envoy's start alone, with everything at hand.
    start: f64,
}

impl First {
    /// What is left when the start is taken away.
    pub(crate) fn without_start(&self) -> f64 {
        self.whole - self.start
    }
}

/// Waits for the first certificate on an empty storage, then starts Envoy again with everything at hand.
pub(crate) fn first(stage: Stage, name: &str) -> Result<First> {
    let roots = stage.pebble.roots()?;
    let started = Instant::now();
    let mut world = stage.start(EnvoyOptions::default())?;
    world.served_by(name, &roots, Duration::from_secs(30))?;
    let whole = started.elapsed().as_secs_f64();
    world.envoy.kill();
    let started = Instant::now();
    world.envoy.restart()?;
    world.served_by(name, &roots, Duration::from_secs(30))?;
    Ok(First { whole, start: started.elapsed().as_secs_f64() })
}

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let (mut firsts, mut raw) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let name = format!("first{round}.example");
        let stage = Stage::set(&[vec![name.clone()]])?;
        raw.push(minimal::issue_all(&stage.place, &stage.pebble, std::slice::from_ref(&name), 1)?.as_secs_f64());
        firsts.push(first(stage, &name)?);
    }
    let middle = |part: fn(&First) -> f64| median(&firsts.iter().map(part).collect::<Vec<_>>());
    let (whole, start, raw) = (middle(|first| first.whole), middle(|first| first.start), median(&raw));
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
