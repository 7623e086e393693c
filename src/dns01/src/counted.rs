//! The number of removals under way.

use tokio::sync::watch;

/// Counts a removal while it is in progress.
pub(super) struct Counted(watch::Sender<usize>);

impl Counted {
    pub(super) fn new(removals: watch::Sender<usize>) -> Self {
        removals.send_modify(|removals| *removals += 1);
        Self(removals)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|removals| *removals = removals.saturating_sub(1));
    }
}
