//! Removes a record reliably, or says what to remove by hand.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use tokio::time::{sleep, timeout};

use super::call::{CALL_TIMEOUT, bounded, late};
use super::counted::Counted;
use super::journal::JournalEntry;
use super::shared::Shared;

/// The wait after the first failed attempt; it doubles.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The maximum wait.
const LAST_RETRY: Duration = Duration::from_secs(10 * 60);

/// Certainty that a record exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Creating it failed, possibly half-way.
    Perhaps,
    /// Creating it succeeded.
    Yes,
}

impl Made {
    /// Number of retries of the removal: for more than an hour if the record exists, or only a few in case the provider
    /// is back at once.
    fn retries(self) -> usize {
        match self {
            Self::Perhaps => 2,
            Self::Yes => 15,
        }
    }
}

/// Removes a record that is no longer wanted.
pub(super) async fn remove(shared: &Shared, entry: &JournalEntry, made: Made) {
    let key = entry.key();
    let _counted = Counted::new(shared.removals.clone());
    let mut waits = ExponentialBuilder::new()
        .with_min_delay(FIRST_RETRY)
        .with_max_delay(LAST_RETRY)
        .with_max_times(made.retries())
        .build();
    loop {
        match attempt(shared, entry).await {
            Ok(()) => return shared.journal.forget(&key).await,
            Err(why) => match waits.next() {
                Some(wait) => {
                    tracing::debug!(record = entry.fqdn, provider = entry.provider, error = why, "not removed yet");
                    sleep(wait).await;
                }
                None => {
                    give_up(entry, made, &why);
                    return shared.journal.forget(&key).await;
                }
            },
        }
    }
}

/// Removes nothing if the record is wanted again, or has been removed.
async fn attempt(shared: &Shared, entry: &JournalEntry) -> Result<(), String> {
    let provider = shared.parts.providers.find(&entry.provider, &entry.resolver).await?;
    let interval = provider.timing().sequence_interval;
    let _lock = shared.locks.take(&entry.provider, &entry.fqdn, interval).await;
    if !shared.journal.is_unwanted(&entry.key()) {
        return Ok(());
    }
    let removed = timeout(CALL_TIMEOUT, provider.clean_up(&entry.record())).await;
    removed.unwrap_or_else(|_| Err(late(entry)))
}

fn give_up(entry: &JournalEntry, made: Made, why: &str) {
    let JournalEntry { provider, fqdn, value, .. } = entry;
    let error = bounded(why);
    match made {
        Made::Perhaps => tracing::warn!(
            provider,
            record = fqdn,
            value,
            error,
            "can't remove a TXT record \
            that may exist; check for it, and remove it by hand"
        ),
        Made::Yes => tracing::error!(
            provider,
            record = fqdn,
            value,
            error,
            "a TXT record can't be removed: remove it by \
            hand"
        ),
    }
}
