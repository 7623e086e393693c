//! Every certificate that is to be kept up, and when it is to be looked at next.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

use super::census::{CensusCounter, Kind, Mark};
use super::due::Due;
use super::ready::View;
use super::unwanted::Departed;
use super::{known::Known, overlap};
use crate::records::Record;
use crate::schedule::lifetime;
use crate::{Census, Event, Observer};
use protocol::{Attempt, CertificateId, Order, StoredCertificate};

/// Every certificate that is to be kept up. What is due later stands in one heap by its time, what is due now in
/// another by its urgency.
#[derive(Default)]
pub(crate) struct CertificateQueue {
    entries: Vec<Entry>,
    later: BinaryHeap<Reverse<(i64, usize)>>,
    due: BinaryHeap<Reverse<(i64, usize)>>,
    /// When what others cover may need a certificate of its own, seconds since 1970.
    outdated_at: Option<i64>,
    counter: CensusCounter,
    /// How many were put deferred.
    deferred: usize,
    /// True if an earlier decision may have to be made again now.
    is_outdated: bool,
}

/// A certificate in the queue.
struct Entry {
    id: CertificateId,
    /// Index of its record when the queue was built, if there was one.
    record: Option<usize>,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Others that are due now will cover it.
    Deferred,
    /// Others cover it.
    Covered,
    /// In the heap of what is due.
    Due,
    InFlight,
    /// In the heap of what is due later: at this time.
    Later(i64),
}

impl Entry {
    /// How it is counted.
    fn mark(&self, view: &View<'_>) -> Mark {
        let record = self.record.and_then(|record| view.records.at(record));
        let (kind, until) = match record.and_then(|record| Some((record, record.stored.as_ref()?))) {
            Some((record, stored)) => {
                let renewal_at = view.renewal_at(record);
                match view.now {
                    now if stored.not_after <= now => (Kind::Expired, None),
                    now if renewal_at <= now => (Kind::Due, Some(stored.not_after)),
                    _ => (Kind::Valid, Some(renewal_at.min(stored.not_after))),
                }
            }
            None if self.state == State::Covered => (Kind::Valid, None),
            None => (Kind::Missing, None),
        };
        Mark {
            kind,
            is_in_progress: self.state == State::InFlight,
            has_failed: record.is_some_and(|record| record.failed().is_some()),
            until,
        }
    }
}

/// A certificate that is to be ordered, and what is known of it.
pub(crate) struct Task {
    /// Index in the queue.
    pub(crate) place: usize,
    pub(crate) due: Due,
    /// The resolver to order it with.
    pub(crate) issuer: String,
    /// The order that is under way.
    pub(crate) order: Option<Order>,
    /// The last try, if it failed.
    pub(crate) attempt: Option<Attempt>,
    /// The stored certificate, if that resolver's CA issued it.
    pub(crate) stored: Option<StoredCertificate>,
    /// How long what is stored lives, whoever issued it, in seconds.
    pub(crate) lifetime: Option<i64>,
}

impl Task {
    /// Tells that it begins.
    pub(crate) fn announce(&self, observer: &dyn Observer) {
        let Due { id, why } = &self.due;
        observer.notice(Event::Started { id, why: *why });
        if self.issuer != id.resolver {
            let reason = self.attempt.as_ref().map_or("", |attempt| attempt.reason.as_str());
            observer.notice(Event::FallsBack { id, issuer: &self.issuer, reason });
        }
    }
}

impl CertificateQueue {
    /// Of these wants, and of what nothing wants and is still kept up. Linear in the number of certificates, but for
    /// sorting.
    pub(crate) fn of(
        wants: Vec<CertificateId>,
        view: &View<'_>,
        in_flight: &HashSet<CertificateId>,
    ) -> (Self, Departed) {
        let known = Known::of(&wants, view, in_flight);
        let mut departed = Departed::of(&wants, view, &known);
        let kept = std::mem::take(&mut departed.kept);
        let mut queue = Self { outdated_at: departed.next, ..Self::default() };
        let mut entered = HashSet::with_capacity(wants.len());
        let mut has_covered = false;
        let mut states = Vec::with_capacity(wants.len());
        for id in wants.iter().filter(|id| entered.insert(*id)).chain(&kept) {
            let record = view.records.place(id);
            let facts = record.and_then(|place| view.records.at(place));
            let has_own = facts.is_some_and(|facts| facts.stored.is_some());
            let state = match () {
                () if !has_own && known.coverage.covers_all(&id.names) && !known.is_in_flight(id) => State::Covered,
                () if known.is_in_flight(id) => State::InFlight,
                () => State::Later(view.ready(id, facts).0),
            };
            has_covered |= state == State::Covered;
            states.push((id.clone(), record, state));
        }
        if let (true, Some(at)) = (has_covered, known.next_uncovering) {
            queue.outdated_at = Some(queue.outdated_at.map_or(at, |next| next.min(at)));
        }
        drop((entered, known));
        for (id, record, state) in states {
            queue.entries.push(Entry { id, record, state });
            queue.put(queue.entries.len().saturating_sub(1), state);
        }
        queue.promote(view);
        queue.defer_covered(view);
        (queue, departed)
    }

    /// The most urgent of what is due now. It counts as in flight until it is settled.
    pub(crate) fn next(&mut self, view: &View<'_>) -> Option<Task> {
        self.promote(view);
        while let Some(Reverse((_, place))) = self.due.pop() {
            let Some(entry) = self.entries.get(place).filter(|entry| entry.state == State::Due) else { continue };
            let record = entry.record.and_then(|record| view.records.at(record));
            let (at, issuer) = view.ready(&entry.id, record);
            if at > view.now {
                self.put(place, State::Later(at));
                continue;
            }
            let is_of_another_ca = |record: &&Record| {
                record.stored.as_ref().is_some_and(|stored| view.schedule.is_of_another_ca(stored, record.renewal()))
            };
            let of_issuer = record.filter(|record| record.issued_by() == issuer && !is_of_another_ca(record));
            let task = Task {
                place,
                due: Due { id: entry.id.clone(), why: view.why(record) },
                issuer: issuer.to_owned(),
                order: record.and_then(|record| record.order.clone()),
                attempt: record.and_then(|record| record.attempt.clone()),
                stored: of_issuer.and_then(|record| record.stored.clone()),
                lifetime: record.and_then(|record| record.stored.as_ref()).map(lifetime),
            };
            self.put(place, State::InFlight);
            return Some(task);
        }
        None
    }

    /// When the next certificate becomes due, seconds since 1970.
    pub(crate) fn due_at(&self) -> Option<i64> {
        self.later.peek().map(|Reverse((at, _))| *at)
    }

    /// When it has to be made anew, seconds since 1970; long ago, when it has to be already.
    pub(crate) fn outdated_at(&self) -> Option<i64> {
        if self.is_outdated { Some(i64::MIN) } else { self.outdated_at }
    }

    /// True while a certificate that is due has not begun.
    pub(crate) fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// A try has ended; its record is in `view`. `was_first`: there was no certificate before it. Gives its place,
    /// which is another one where the queue has been made anew since the try began; none, where it is not kept up any
    /// more.
    pub(crate) fn settle(
        &mut self,
        place: usize,
        id: &CertificateId,
        was_first: bool,
        view: &View<'_>,
    ) -> Option<usize> {
        let is_it = |entry: &Entry| entry.id == *id;
        let is_there = self.entries.get(place).is_some_and(is_it);
        let place = if is_there { place } else { self.entries.iter().position(is_it)? };
        if let Some(entry) = self.entries.get_mut(place) {
            entry.record = view.records.place(&entry.id);
        }
        // A new certificate may cover others, and one that failed may leave others uncovered.
        self.is_outdated |= was_first || self.deferred > 0;
        self.requeue(place, view);
        Some(place)
    }

    /// Reads the record of a waiting certificate again, after it has changed.
    pub(crate) fn reschedule(&mut self, place: usize, view: &View<'_>) {
        self.counter.touch(place);
        let state = self.entries.get(place).map(|entry| entry.state);
        if matches!(state, Some(State::Due | State::Later(_))) {
            self.requeue(place, view);
        }
    }

    fn requeue(&mut self, place: usize, view: &View<'_>) {
        let Some(entry) = self.entries.get(place) else { return };
        let record = entry.record.and_then(|record| view.records.at(record));
        let (at, _) = view.ready(&entry.id, record);
        self.put(place, State::Later(at));
    }

    /// Entries with a record: the indexes in the queue and in the records.
    pub(crate) fn stored(&self) -> impl Iterator<Item = (usize, usize)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| Some((place, entry.record?)))
    }

    /// How many are in which state.
    pub(crate) fn census(&mut self, view: &View<'_>) -> Census {
        let entries = &self.entries;
        self.counter.take(view.now, |place| entries.get(place).map(|entry| entry.mark(view)))
    }

    fn put(&mut self, place: usize, state: State) {
        let Some(entry) = self.entries.get_mut(place) else { return };
        entry.state = state;
        self.counter.touch(place);
        if let State::Later(at) = state {
            self.later.push(Reverse((at, place)));
        }
    }

    /// Moves what has become due. One whose time has changed since stands in the heap once more, and is passed over
    /// here.
    pub(crate) fn promote(&mut self, view: &View<'_>) {
        while let Some(Reverse((at, place))) = self.later.peek().copied()
            && at <= view.now
        {
            self.later.pop();
            let Some(entry) = self.entries.get_mut(place).filter(|entry| entry.state == State::Later(at)) else {
                continue;
            };
            entry.state = State::Due;
            let record = entry.record.and_then(|record| view.records.at(record));
            self.due.push(Reverse((view.urgency(record), place)));
        }
    }

    fn defer_covered(&mut self, view: &View<'_>) {
        let record = |entry: &Entry| entry.record.and_then(|record| view.records.at(record));
        let due = self.entries.iter().enumerate().filter(|(_, entry)| entry.state == State::Due);
        let due: Vec<_> = due.map(|(place, entry)| (place, &entry.id, view.why(record(entry)))).collect();
        let needless = overlap::needless(&due);
        self.deferred = needless.len();
        needless.into_iter().for_each(|place| self.put(place, State::Deferred));
    }
}
