//! Waiting for a condition.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Tries until it succeeds, and gives what it gave.
///
/// # Errors
/// The last error, when the time is over; `what` says what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    loop {
        let error = match attempt() {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        if start.elapsed() >= limit {
            bail!("{what}: not within {limit:?}: {error:#}");
        }
        std::thread::sleep(PAUSE);
    }
}
