//! How many certificates are in which state, kept up as they change: to count them takes as long as there were changes.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Census;

/// The census of a queue. What has changed since it was taken is looked at anew when it is taken again.
#[derive(Default)]
pub(super) struct CensusCounter {
    census: Census,
    /// How each place was counted.
    marks: Vec<Option<Mark>>,
    /// Places that have changed since.
    changed: Vec<usize>,
    /// When time alone changes a place, seconds since 1970.
    ageing: BinaryHeap<Reverse<(i64, usize)>>,
}

/// How one certificate is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) kind: Kind,
    pub(super) is_in_progress: bool,
    pub(super) has_failed: bool,
    /// Until when, seconds since 1970, if nothing else changes; none, if time alone changes nothing.
    pub(super) until: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Valid,
    Due,
    Expired,
    Missing,
}

impl CensusCounter {
    /// The certificate at this place has changed, or is new.
    pub(super) fn touch(&mut self, place: usize) {
        self.changed.push(place);
    }

    /// The census at this time; `look` says how the certificate at a place is to be counted now.
    pub(super) fn take(&mut self, now: i64, look: impl Fn(usize) -> Option<Mark>) -> Census {
        for place in std::mem::take(&mut self.changed) {
            self.mark(place, look(place));
        }
        while let Some(Reverse((at, place))) = self.ageing.peek().copied()
            && at <= now
        {
            self.ageing.pop();
            // What has changed otherwise since stands in the heap once more.
            if self.marks.get(place).copied().flatten().is_some_and(|mark| mark.until == Some(at)) {
                self.mark(place, look(place));
            }
        }
        self.census
    }

    fn mark(&mut self, place: usize, mark: Option<Mark>) {
        if place >= self.marks.len() {
            self.marks.resize(place.saturating_add(1), None);
        }
        let Some(known) = self.marks.get_mut(place) else { return };
        if *known == mark {
            return;
        }
        if let Some(before) = std::mem::replace(known, mark) {
            before.counts(&mut self.census).into_iter().flatten().for_each(|count| *count = count.saturating_sub(1));
        }
        let Some(mark) = mark else { return };
        mark.counts(&mut self.census).into_iter().flatten().for_each(|count| *count = count.saturating_add(1));
        self.ageing.extend(mark.until.map(|at| Reverse((at, place))));
    }
}

impl Mark {
    /// The counters that this mark is part of.
    fn counts(self, census: &mut Census) -> [Option<&mut u64>; 3] {
        let Census { valid, due, expired, missing, in_progress, failing } = census;
        let kind = match self.kind {
            Kind::Valid => valid,
            Kind::Due => due,
            Kind::Expired => expired,
            Kind::Missing => missing,
        };
        [Some(kind), self.is_in_progress.then_some(in_progress), self.has_failed.then_some(failing)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(kind: Kind, until: Option<i64>) -> Option<Mark> {
        Some(Mark { kind, is_in_progress: false, has_failed: false, until })
    }

    #[test]
    fn time_alone_moves_a_certificate_on() {
        let mut counter = CensusCounter::default();
        counter.touch(0);
        assert_eq!(counter.take(0, |_| mark(Kind::Valid, Some(10))), Census { valid: 1, ..Census::default() });
        assert_eq!(counter.take(9, |_| unreachable()), Census { valid: 1, ..Census::default() });
        assert_eq!(counter.take(10, |_| mark(Kind::Due, Some(20))), Census { due: 1, ..Census::default() });
        assert_eq!(counter.take(20, |_| mark(Kind::Expired, None)), Census { expired: 1, ..Census::default() });
        assert_eq!(counter.take(i64::MAX, |_| unreachable()), Census { expired: 1, ..Census::default() });
    }

    #[test]
    fn a_time_that_has_changed_since_moves_nothing() {
        let mut counter = CensusCounter::default();
        counter.touch(3);
        counter.take(0, |_| mark(Kind::Valid, Some(10)));
        counter.touch(3);
        counter.take(5, |_| mark(Kind::Valid, Some(30)));
        assert_eq!(counter.take(10, |_| unreachable()), Census { valid: 1, ..Census::default() });
        assert_eq!(counter.take(30, |_| mark(Kind::Due, None)), Census { due: 1, ..Census::default() });
    }

    #[test]
    fn each_counts_once_however_often_it_changes() {
        let mut counter = CensusCounter::default();
        let at_work = Mark { kind: Kind::Missing, is_in_progress: true, has_failed: false, until: None };
        [0, 1, 1, 0].into_iter().for_each(|place| counter.touch(place));
        let census = counter.take(0, |_| Some(at_work));
        assert_eq!(census, Census { missing: 2, in_progress: 2, ..Census::default() });
        counter.touch(1);
        let census = counter.take(0, |_| Some(Mark { is_in_progress: false, has_failed: true, ..at_work }));
        assert_eq!(census, Census { missing: 2, in_progress: 1, failing: 1, ..Census::default() });
    }

    fn unreachable() -> Option<Mark> {
        panic!("nothing has changed")
    }
}
