//! The certificates that wait because their CA may not be asked now, for people.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use protocol::CertificateId;

/// The most waiting certificates remembered. Beyond it, those that may go on first are forgotten first.
const MOST: usize = 1000;
/// Seconds a waiting certificate is remembered after its time: the engine asks again by then, and is granted or refused
/// anew. A certificate that is not asked for again is no longer wanted.
const AFTERWARDS: i64 = 60 * 60;

/// A certificate that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The certificate.
    pub certificate: protocol::CertificateId,
    /// The resolver whose CA may not be asked.
    pub issuer: String,
    /// The end of the wait, in seconds since 1970.
    pub until: i64,
    /// The reason, in one line for a person.
    pub why: String,
}

/// The certificates that wait.
#[derive(Default)]
pub(super) struct WaitingList(Mutex<BTreeMap<(CertificateId, String), Waiting>>);

impl WaitingList {
    pub(super) fn add(&self, key: &CertificateId, waiting: Waiting) {
        let mut list = self.lock();
        list.insert((key.clone(), waiting.issuer.clone()), waiting);
        if list.len() > MOST {
            let first = list.iter().min_by_key(|(_, waiting)| waiting.until).map(|(key, _)| key.clone());
            first.map(|key| list.remove(&key));
        }
    }

    /// Removes a certificate that goes on, with whichever CA.
    pub(super) fn remove(&self, key: &CertificateId) {
        self.lock().retain(|(known, _), _| known != key);
    }

    pub(super) fn all(&self, now: i64) -> Vec<Waiting> {
        let mut list = self.lock();
        list.retain(|_, waiting| waiting.until.saturating_add(AFTERWARDS) > now);
        list.values().cloned().collect()
    }

    // A panic while the lock is held would be our bug; a list for people goes on with its present content.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(CertificateId, String), Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
