//! A hundred certificates of one name each, P-256, from empty storage to all served.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use harness::EnvoyOptions;

use crate::ROUNDS;
use crate::figure::{Figure, Goal, median};
use crate::minimal;
use crate::stage::Stage;

const CERTIFICATES: usize = 100;

/// Number of orders that the minimal client has in flight.
const IN_FLIGHT: usize = 8;

/// Pebble 2.10 deadlocks now and then with many orders in flight; such a run is void.
const MAX_VOID: usize = 10;

/// Time limit of one name, after which the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut whole = Vec::new();
    let mut raw = Vec::new();
    let mut requests = Vec::new();
    let mut void = 0;
    while whole.len() < ROUNDS {
        let (outcome, deadlocked) = round(set()?)?;
        match outcome {
            Ok((took, per_certificate)) => {
                whole.push(took);
                requests.push(per_certificate);
            }
            Err(_) if deadlocked => void += 1,
            Err(error) => return Err(error),
        }
        if void > MAX_VOID {
            bail!("Pebble deadlocked {void} times");
        }
    }
    while raw.len() < ROUNDS {
        let mut stage = set()?;
        match minimal::issue_all(&stage.place, &stage.pebble, &names(), IN_FLIGHT) {
            Ok(took) => raw.push(took.as_secs_f64()),
            Err(_) if stage.pebble.is_deadlocked() => void += 1,
            Err(error) => return Err(error),
        }
    }
    let whole = median(&whole);
    let raw = median(&raw);
    let name = "100 certificates from empty storage to all served, with the start of Envoy";
    Ok(vec![
        Figure::new(name, whole, "s", Some(raw), &Goal::ValueAtMost(2.0)),
        Figure::new("the same, against 8 orders in flight natively", whole, "s", Some(raw), &Goal::RatioAtMost(6.0)),
        Figure::new("ACME requests per certificate", median(&requests), "", None, &Goal::ValueAtMost(8.0)),
        Figure::new("runs that a deadlock of Pebble made void", void as f64, "", None, &Goal::None),
    ])
}

fn names() -> Vec<String> {
    (0..CERTIFICATES).map(|index| format!("n{index}.example")).collect()
}

fn set() -> Result<Stage> {
    Stage::set(&names().into_iter().map(|name| vec![name]).collect::<Vec<_>>())
}

/// Seconds until all are served, and requests per certificate; the flag is true if the round failed because Pebble
/// deadlocked.
fn round(stage: Stage) -> Result<(Result<(f64, f64)>, bool)> {
    let roots = stage.pebble.roots()?;
    let before = stage.pebble.all_requests();
    let started = Instant::now();
    let mut testbed = stage.start(EnvoyOptions::default())?;
    let served = names().iter().try_for_each(|name| testbed.served_by(name, &roots, PATIENCE).map(drop));
    let took = started.elapsed().as_secs_f64();
    let per_certificate = (testbed.pebble.all_requests() - before) as f64 / CERTIFICATES as f64;
    let deadlocked = served.is_err() && testbed.pebble.is_deadlocked();
    Ok((served.map(|()| (took, per_certificate)), deadlocked))
}
