//! Each option of the resolver, as far as a CA can show its effect.

mod another_ca;
mod eab;
mod entry_point;
mod key_type;
mod preferred_chain;
mod private_ca;
mod profile;
mod signing_request;
mod timeouts;
mod two_cas;
mod waits;

use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Testbed, until};

use crate::PATIENCE;

/// Waits for the last line of Envoy's log that contains all these parts.
pub(crate) fn line(testbed: &mut Testbed, parts: &[&str]) -> Result<String> {
    until(&format!("a line in Envoy's log that says {parts:?}"), PATIENCE, || {
        testbed.envoy.check()?;
        let log = testbed.envoy.log();
        let line = log.lines().rfind(|line| parts.iter().all(|part| line.contains(part)));
        Ok(line.context("not yet")?.to_owned())
    })
    .with_context(|| {
        testbed.envoy.log().lines().filter(|line| line.contains("wasm log")).collect::<Vec<_>>().join("\n")
    })
}

/// Time between two lines of Envoy's log. Lines begin as `[2026-07-01 12:00:00.000]`.
pub(crate) fn between(earlier: &str, later: &str) -> Result<Duration> {
    let millis = |line: &str| -> Result<u64> {
        let time = line.split([' ', ']']).nth(1).context("no time")?;
        let mut parts = time.split([':', '.']).map(str::parse::<u64>);
        let mut next = || parts.next().context("a part of the time is missing")?.context("no number");
        Ok(((next()? * 60 + next()?) * 60 + next()?) * 1000 + next()?)
    };
    const DAY: u64 = 24 * 60 * 60 * 1000;
    Ok(Duration::from_millis((millis(later)? + DAY - millis(earlier)?) % DAY))
}
