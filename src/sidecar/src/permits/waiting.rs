//! What waits since a CA may not be asked now, for a person.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use storage::CertificateKey;

/// The most certificates that are remembered. Of more, those that may go on first are forgotten first.
const MOST: usize = 1000;
/// How long after its time one is remembered, in seconds: the engine asks again then, and is granted or refused anew.
/// Who does not ask any more wants it no longer.
const AFTERWARDS: i64 = 60 * 60;

/// A certificate that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Which one.
    pub certificate: protocol::CertificateId,
    /// The resolver whose CA may not be asked.
    pub issuer: String,
    /// Until when, seconds since 1970.
    pub until: i64,
    /// Why, in one line for a person.
    pub why: String,
}

/// Those that wait.
#[derive(Default)]
pub(super) struct WaitingList(Mutex<BTreeMap<(CertificateKey, String), Waiting>>);

impl WaitingList {
    pub(super) fn add(&self, key: &CertificateKey, waiting: Waiting) {
        let mut list = self.lock();
        list.insert((key.clone(), waiting.issuer.clone()), waiting);
        if list.len() > MOST {
            let first = list.iter().min_by_key(|(_, waiting)| waiting.until).map(|(key, _)| key.clone());
            first.map(|key| list.remove(&key));
        }
    }

    /// It goes on, with whichever CA.
    pub(super) fn remove(&self, key: &CertificateKey) {
        self.lock().retain(|(known, _), _| known != key);
    }

    pub(super) fn all(&self, now: i64) -> Vec<Waiting> {
        let mut list = self.lock();
        list.retain(|_, waiting| waiting.until.saturating_add(AFTERWARDS) > now);
        list.values().cloned().collect()
    }

    // A panic while the lock is held would be a bug of ours; a list for people goes on with what it has.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(CertificateKey, String), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
