//! Calls to a provider: their time limit, and their errors.

use super::journal::JournalEntry;
use std::time::Duration;

/// Maximum time of one call to a provider. `exec` and slow APIs take minutes.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The error for a provider that exceeds its time.
pub(super) fn late(entry: &JournalEntry) -> String {
    format!("DNS provider {}: not done within {} s", entry.provider, CALL_TIMEOUT.as_secs())
}

/// A provider's error, shortened.
pub(super) fn bounded(why: &str) -> String {
    /// Long enough for an API's own message with its request.
    const MAX: usize = 1000;
    if why.chars().count() <= MAX {
        why.to_owned()
    } else {
        format!("{}…", why.chars().take(MAX).collect::<String>())
    }
}
