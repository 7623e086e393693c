//! A reading of the state, page by page.

use protocol::{Attempt, Order, ProvidedCertificate, Renewal, StoredCertificate, Unwanted};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// What is left of the last reading of everything, so that it is not read again for each of many pages.
#[derive(Default)]
pub struct Reading(Mutex<Option<Rest>>);

impl Reading {
    pub(crate) fn keep(&self, after: u64, items: BTreeMap<u64, Item>) {
        *self.rest() = Some(Rest { after, since: Instant::now(), items });
    }

    pub(crate) fn take(&self, after: u64) -> Option<BTreeMap<u64, Item>> {
        let rest = self.rest().take()?;
        (rest.after == after && rest.since.elapsed() < FRESH).then_some(rest.items)
    }

    // A panic while the lock is held would be a bug of ours; without the rest it is read again.
    fn rest(&self) -> MutexGuard<'_, Option<Rest>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long the rest of what was read for a page is good for the next one: an engine asks for it at once.
const FRESH: Duration = Duration::from_secs(30);

pub(crate) struct Rest {
    /// The end of the page before.
    after: u64,
    since: Instant,
    items: BTreeMap<u64, Item>,
}

/// What has one number: what is stored under one key.
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
    /// Of a thousand names they would be larger than the rest. Without them a way that failed is gone again.
    pub(crate) fn forget_failed_ways(&mut self) {
        self.orders.iter_mut().for_each(|order| order.failed_ways.clear());
        self.attempts.iter_mut().for_each(|attempt| attempt.failed_ways.clear());
    }
}
