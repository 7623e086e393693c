//! A provider's timeouts and intervals, and the TTL of its records, by lego's variables:
//! `<PREFIX>_PROPAGATION_TIMEOUT`, `_POLLING_INTERVAL`, `_SEQUENCE_INTERVAL`, `_TTL` and `_HTTP_TIMEOUT`, all in
//! seconds.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::ProviderError;
use super::table::Row;
use super::variables::Environment;

/// Maximum of these variables: an order does not live longer than a day or so.
const MAX_SECONDS: u64 = 24 * 60 * 60;
/// Maximum of the HTTP timeout, in seconds: a slow provider takes one or two minutes.
const MAX_HTTP_SECONDS: u64 = 600;
/// Maximum TTL (RFC 2181 §8).
const MAX_TTL: u64 = (1 << 31) - 1;
/// Minimum polling interval: no server is to be flooded.
const MIN_POLLING_SECONDS: u64 = 1;

/// The timing of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Maximum time until a record is visible.
    pub propagation_timeout: Duration,
    /// The wait between two checks.
    pub polling_interval: Duration,
    /// The wait between two records, for providers that create them one after the other.
    pub sequence_interval: Option<Duration>,
}

/// All timing variables of a provider.
pub(super) struct Lives {
    pub(super) timing: Timing,
    /// The TTL of a record, in seconds.
    pub(super) ttl: u32,
    /// Timeout of an HTTP request.
    pub(super) http: Duration,
}

/// Reads the variables; absent ones have lego's defaults.
pub(super) fn of(row: &Row, environment: &Environment<'_>) -> Result<Lives, ProviderError> {
    let seconds = |what, otherwise, range| given(row, environment, what, range).map(|said| said.unwrap_or(otherwise));
    let defaults = row.defaults;
    let propagation = seconds("PROPAGATION_TIMEOUT", defaults.propagation, 0..=MAX_SECONDS)?;
    let polling = seconds("POLLING_INTERVAL", defaults.polling, 0..=MAX_SECONDS)?;
    let sequence = match defaults.sequence {
        Some(otherwise) => Some(seconds("SEQUENCE_INTERVAL", otherwise, 0..=MAX_SECONDS)?),
        None => given(row, environment, "SEQUENCE_INTERVAL", 0..=MAX_SECONDS)?,
    };
    let ttl = seconds("TTL", defaults.ttl, 0..=MAX_TTL)?;
    let http = seconds(row.http_timeout, defaults.http, 1..=MAX_HTTP_SECONDS)?;
    Ok(Lives {
        timing: Timing {
            propagation_timeout: Duration::from_secs(propagation),
            polling_interval: Duration::from_secs(polling.max(MIN_POLLING_SECONDS)),
            sequence_interval: sequence.map(Duration::from_secs),
        },
        ttl: u32::try_from(ttl).unwrap_or(u32::MAX),
        http: Duration::from_secs(http),
    })
}

/// The value of a variable, if it is set.
fn given(
    row: &Row,
    environment: &Environment<'_>,
    what: &str,
    range: RangeInclusive<u64>,
) -> Result<Option<u64>, ProviderError> {
    let names: Vec<String> = row.prefixes.iter().map(|prefix| format!("{prefix}_{what}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let wrong = |why: String| ProviderError::configuration(row.code, why);
    let found = environment.first(&names).map_err(|error| wrong(error.to_string()))?;
    let Some(text) = found else { return Ok(None) };
    match text.expose().trim().parse() {
        Ok(number) if range.contains(&number) => Ok(Some(number)),
        _ => {
            let name = names.join(" or ");
            Err(wrong(format!("the variable {name}: expected a number from {} to {}", range.start(), range.end())))
        }
    }
}
