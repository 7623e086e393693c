//! How far those who follow a catalog are: for whoever must know that a change has arrived.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All who follow one catalog.
#[derive(Default)]
pub(super) struct Followers {
    /// By a number of their own, the change up to which each is.
    all: Mutex<Table>,
    /// Somebody got further, or left.
    progress: Notify,
}

#[derive(Default)]
struct Table {
    last: u64,
    reached: HashMap<u64, Arc<AtomicU64>>,
}

/// One who follows, until it is dropped.
pub struct Follower {
    followers: Arc<Followers>,
    number: u64,
    reached: Arc<AtomicU64>,
}

impl Followers {
    /// Adds one who is up to this change.
    pub(super) fn join(self: &Arc<Self>, change: u64) -> Follower {
        let reached = Arc::new(AtomicU64::new(change));
        let mut all = self.all();
        all.last = all.last.wrapping_add(1);
        let number = all.last;
        all.reached.insert(number, reached.clone());
        Follower { followers: self.clone(), number, reached }
    }

    /// Ends when everybody is up to this change.
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
    /// It has dealt with all changes up to this one.
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
        let (one, other) = (followers.join(1), followers.join(2));
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
