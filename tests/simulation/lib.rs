//! The whole product on a virtual clock: the plugin, the sidecar with its file, a scripted CA, and whatever can go
//! wrong between them, by seed. Months take milliseconds, and what never happens is looked for after every step.
//!
//! `make soak SEEDS=100000` runs more of them; a seed that fails is printed with what happened, and `make soak SEED=7`
//! runs it again.
//!
//! | file | what it does |
//! |---|---|
//! | `scenario.rs`, `dice.rs` | what a seed means |
//! | `simulation.rs`, `time.rs` | one thing after the other |
//! | `events.rs` | what happens: crashes, outages, other wishes |
//! | `traffic.rs` | messages, and what becomes of them on their way |
//! | `envoy.rs`, `machine.rs`, `authority.rs` | the plugin's host, the sidecar's machine, the CA's X.509 |
//! | `watch.rs`, `invariants/` | what is seen, and what never happens |
//! | `sabotage.rs`, `broken.rs` | that each invariant can fail |

#![cfg(test)]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a test fails by panicking"
)]

mod authority;
mod broken;
mod dice;
mod envoy;
mod events;
mod invariants;
mod jose;
mod machine;
mod sabotage;
mod scenario;
mod simulation;
mod time;
mod trace;
mod traffic;
mod watch;

use std::env;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sabotage::Sabotage;
use simulation::Simulation;

/// How many seeds an ordinary run takes.
const SEEDS: u64 = 2000;

/// After so many failures there is enough to look at.
const ENOUGH: usize = 5;

/// Runs one seed; else what happened that should not, and the trace.
fn simulate(seed: u64, sabotage: Option<Sabotage>) -> Result<(), String> {
    let run = |is_traced| {
        let mut simulation = Simulation::new(seed, sabotage, is_traced);
        let trace = simulation.trace.clone();
        let outcome = catch_unwind(AssertUnwindSafe(|| simulation.run())).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            Err(text.or_else(|| Some((*panic.downcast_ref::<&str>()?).to_owned())).unwrap_or_default())
        });
        outcome.map_err(|violation| (violation, trace.text()))
    };
    match run(false) {
        Ok(()) => Ok(()),
        // Again, to see how it came to it.
        Err((violation, _)) => {
            let trace = run(true).err().map(|(_, trace)| trace).unwrap_or_default();
            Err(format!("{violation}\n{trace}seed {seed}: {violation}"))
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: expected a number")))
}

#[test]
fn what_never_happens_does_not_happen() {
    if let Some(seed) = number("SEED") {
        if let Err(failure) = simulate(seed, None) {
            panic!("{failure}");
        }
        return;
    }
    let (first, count) = (number("FIRST").unwrap_or_default(), number("SEEDS").unwrap_or(SEEDS));
    let next = AtomicU64::new(first);
    let failures = Mutex::new(Vec::new());
    let work = || loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= first + count || failures.lock().unwrap().len() >= ENOUGH {
            return;
        }
        if let Err(failure) = simulate(seed, None) {
            failures.lock().unwrap().push((seed, failure));
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let failures = failures.into_inner().unwrap();
    if let Some((seed, failure)) = failures.first() {
        let seeds: Vec<u64> = failures.iter().map(|(seed, _)| *seed).collect();
        panic!("{failure}\nseeds that failed: {seeds:?}; `make soak SEED={seed}` runs one again");
    }
}
