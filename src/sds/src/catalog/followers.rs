//! The followers of a catalog and how far each has read, for callers that wait until a change has arrived.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All followers of one catalog.
#[derive(Default)]
pub(super) struct Followers {
    /// Number of the change that each follower has reached, by the follower's own number.
    all: Mutex<Table>,
    /// Notified when a follower advances or leaves.
    progress: Notify,
}

#[derive(Default)]
struct Table {
    last: u64,
    reached: HashMap<u64, Arc<AtomicU64>>,
}

/// A follower of the catalog; dropping it ends the following.
pub struct Follower {
    followers: Arc<Followers>,
    number: u64,
    reached: Arc<AtomicU64>,
}

impl Followers {
    /// Adds a follower that has reached this change.
    pub(super) fn join(self: &Arc<Self>, change: u64) -> Follower {
        let reached = Arc::new(AtomicU64::new(change));
        let mut all = self.all();
        all.last = all.last.wrapping_add(1);
        let number = all.last;
        all.reached.insert(number, reached.clone());
        Follower { followers: self.clone(), number, reached }
    }

    /// Completes when every follower has reached this change.
    pub(super) async fn reached(&self, change: u64) {
        loop {
            let progress = self.progress.notified();
            if self.all().reached.values().all(|reached| reached.load(Ordering::Acquire) >= change) {
                return;
            }
            progress.await;
        }
    }

    // A panic while the lock is held would be a bug of ours; the table is whole at every moment.
    fn all(&self) -> MutexGuard<'_, Table> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Follower {
    /// Marks all changes up to this one as handled.
    pub fn reach(&self, change: u64) {
        if self.reached.fetch_max(change, Ordering::AcqRel) < change {
            self.followers.progress.notify_waiters();
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.followers.all().reached.remove(&self.number);
        self.followers.progress.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_change_has_arrived_when_everybody_is_up_to_it_or_gone() {
        let followers = Arc::<Followers>::default();
        let arrived = |change| followers.reached(change).now_or_never().is_some();
        assert!(arrived(9), "nobody follows");
        let one = followers.join(1);
        let other = followers.join(2);
        assert!(arrived(1) && !arrived(2));
        one.reach(5);
        assert!(arrived(2) && !arrived(5));
        one.reach(3);
        drop(other);
        assert!(arrived(5) && !arrived(6));
    }

    #[tokio::test]
    async fn who_waits_is_woken() {
        let followers = Arc::<Followers>::default();
        let one = followers.join(0);
        let waiting = tokio::spawn({
            let followers = followers.clone();
            async move { followers.reached(1).await }
        });
        tokio::task::yield_now().await;
        one.reach(1);
        waiting.await.unwrap();
    }
}
