//! The rest of a reading of the state, for its next page.

use protocol::{Attempt, Order, ProvidedCertificate, Renewal, StoredCertificate, Unwanted};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The time for which the rest of a reading is good for the next page: an engine asks for it at once.
const FRESH: Duration = Duration::from_secs(30);

/// The rest of the last reading of everything, so that many pages don't each read everything again.
#[derive(Default)]
pub struct Reading(Mutex<Option<Rest>>);

pub(crate) struct Rest {
    /// The end of the page before.
    after: u64,
    since: Instant,
    items: BTreeMap<u64, Item>,
}

impl Reading {
    pub(crate) fn keep(&self, after: u64, items: BTreeMap<u64, Item>) {
        *self.rest() = Some(Rest { after, since: Instant::now(), items });
    }

    pub(crate) fn take(&self, after: u64) -> Option<BTreeMap<u64, Item>> {
        let rest = self.rest().take()?;
        (rest.after == after && rest.since.elapsed() < FRESH).then_some(rest.items)
    }

    // A panic while the lock is held would be our bug; without the rest the store is read again.
    pub(crate) fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records stored under one key, which has one number.
#[derive(Default, Serialize)]
pub(crate) struct Item {
    pub(crate) certificates: Vec<StoredCertificate>,
    pub(crate) provided: Vec<ProvidedCertificate>,
    pub(crate) orders: Vec<Order>,
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) renewals: Vec<Renewal>,
    pub(crate) unwanted: Vec<Unwanted>,
}

impl Item {
    /// Drops the failed challenge types: for a thousand names they would be larger than the rest. Without them a failed
    /// type is tried again.
    pub(crate) fn forget_failed_challenges(&mut self) {
        self.orders.iter_mut().for_each(|order| order.failed_challenges.clear());
        self.attempts.iter_mut().for_each(|attempt| attempt.failed_challenges.clear());
    }
}
