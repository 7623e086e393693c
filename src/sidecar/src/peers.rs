//! The users whose processes may use the sockets: who reaches them gets keys.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// The most refused users that are remembered, so that each is logged once.
const MAX_REFUSED: usize = 1024;

/// Users by uid.
pub struct Peers {
    allowed: BTreeSet<u32>,
    refused: Mutex<BTreeSet<u32>>,
}

impl Peers {
    /// These users and nobody else.
    pub fn new(allowed: impl IntoIterator<Item = u32>) -> Self {
        Self { allowed: allowed.into_iter().collect(), refused: Mutex::default() }
    }

    /// Whether a process of this user may; a refusal is logged once.
    pub fn admit(&self, uid: u32) -> bool {
        if self.allowed.contains(&uid) {
            return true;
        }
        // A panic while the lock is held would be a bug of ours; the set is whole at every moment.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REFUSED && refused.insert(uid) {
            tracing::warn!(uid, "a process of this user asked and is refused; --api-uid lets it in");
        }
        false
    }
}
