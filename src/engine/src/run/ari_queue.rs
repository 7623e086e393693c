//! The schedule of renewalInfo requests: certificates that are to be asked about, and those that are being asked about.
//! A certificate is named by the index of its record.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

/// Pending renewalInfo requests by their time, in seconds since 1970.
#[derive(Default)]
pub(super) struct AriQueue {
    later: BinaryHeap<Reverse<(i64, usize)>>,
    asked: HashSet<usize>,
}

impl AriQueue {
    /// Forgets what is to be asked, but not what is being asked.
    pub(super) fn clear(&mut self) {
        self.later.clear();
    }

    /// Schedules a request for this time.
    pub(super) fn add(&mut self, at: i64, place: usize) {
        self.later.push(Reverse((at, place)));
    }

    /// The next one whose time has come and that is `ripe`. It counts as being asked until it is answered.
    pub(super) fn next(&mut self, now: i64, ripe: impl Fn(usize) -> bool) -> Option<usize> {
        while let Some(Reverse((at, place))) = self.later.peek().copied()
            && at <= now
        {
            self.later.pop();
            // It may stand there more than once: as often as everything was looked at while it was asked about.
            if !self.asked.contains(&place) && ripe(place) {
                self.asked.insert(place);
                return Some(place);
            }
        }
        None
    }

    /// Ends a request: it was answered, or could not be sent.
    pub(super) fn answered(&mut self, place: usize) {
        self.asked.remove(&place);
    }

    /// When the next one is to be asked.
    pub(super) fn next_at(&self) -> Option<i64> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_is_asked_about_twice_at_once() {
        let mut ari_queue = AriQueue::default();
        [(1, 7), (2, 7), (2, 8)].into_iter().for_each(|(at, place)| ari_queue.add(at, place));
        assert_eq!((ari_queue.next(0, |_| true), ari_queue.next_at()), (None, Some(1)));
        assert_eq!((ari_queue.next(2, |_| true), ari_queue.next(2, |_| true)), (Some(7), Some(8)));
        ari_queue.answered(7);
        ari_queue.add(5, 7);
        assert_eq!((ari_queue.next(4, |_| true), ari_queue.next(5, |_| true)), (None, Some(7)));
    }

    #[test]
    fn what_is_not_ripe_is_passed_over_and_may_come_again() {
        let mut ari_queue = AriQueue::default();
        [(1, 7), (1, 8)].into_iter().for_each(|(at, place)| ari_queue.add(at, place));
        assert_eq!(ari_queue.next(1, |place| place != 7), Some(8));
        ari_queue.add(2, 7);
        assert_eq!(ari_queue.next(2, |_| true), Some(7));
    }
}
