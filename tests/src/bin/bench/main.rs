//! The benchmarks: each figure against a baseline that is measured in the same run.
//!
//! Prints a table and writes `target/bench.json`. A missed goal is shown, but is no failure: timings here are for
//! people. Arguments choose figures by a part of their group's name: `alpn`, `first`, `forms`, `hundred`, `plan`,
//! `redirect`, `requests`, `run`, `sizes`, `slow`, `wildcards`.

mod alpn;
mod figure;
mod first;
mod forms;
mod hundred;
mod minimal;
mod plan;
mod redirect;
mod requests;
mod run;
mod sizes;
mod slow;
mod stage;
mod storage;
mod wildcards;

use std::time::Duration;

use anyhow::Result;

use figure::{Figure, table};

/// Number of runs of each measurement; the median counts.
const ROUNDS: usize = 5;

/// Time limit for work that takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures a group of figures.
type Measure = fn() -> Result<Vec<Figure>>;

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let groups: [(&str, Measure); 11] = [
        ("sizes", sizes::measure),
        ("first", first::measure),
        ("run", run::measure),
        ("alpn", alpn::measure),
        ("hundred", hundred::measure),
        ("wildcards", wildcards::measure),
        ("forms", forms::measure),
        ("plan", plan::measure),
        ("redirect", redirect::measure),
        ("requests", requests::measure),
        ("slow", slow::measure),
    ];
    let mut figures = Vec::new();
    for (name, measure) in groups {
        if wanted.is_empty() || wanted.iter().any(|part| name.contains(part.as_str())) {
            eprintln!("measuring: {name}");
            figures.extend(measure()?);
        }
    }
    println!("{}", table(&figures));
    let path = harness::artifacts::target()?.join("bench.json");
    std::fs::write(&path, serde_json::to_vec_pretty(&figures)?)?;
    println!("written to {}", path.display());
    Ok(())
}
