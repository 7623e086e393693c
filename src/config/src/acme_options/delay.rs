//! The wait between publishing an answer and telling the CA.

use super::super::duration;
use super::super::mistake::Mistake;
use super::super::node::Table;
use std::time::Duration;

/// Maximum delay before the CA is told: some CAs' authorizations expire after an hour.
const MOST_DELAY: Duration = Duration::from_secs(60 * 60);

/// A delay; `None` if it is unset, zero or negative.
pub(super) fn delay(table: &mut Table<'_>, key: &'static str, mistakes: &mut Vec<Mistake>) -> Duration {
    let delay = table.take(key).and_then(|node| duration::read_delay(&node, MOST_DELAY, mistakes));
    delay.unwrap_or_default()
}
