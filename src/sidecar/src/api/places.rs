//! Limits the connections: a connection has an unauthenticated slot for seconds, and an admitted peer another kind of
//! slot for long.
//!
//! Promises: an admitted peer never waits for unauthenticated ones; a peer that sends its request at once is served
//! however many others sit idle, as the oldest idle one is closed. Refuses: connections while every unauthenticated
//! slot has a request under way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// The most connections of admitted peers. Envoy opens one for each callout under way on each of its threads.
const MAX_ADMITTED: usize = 1024;
/// The most connections of unauthenticated peers: probes and scrapers by the dozen.
const MAX_STRANGERS: usize = 256;
/// The most unauthenticated connections from one address, so that no host occupies all slots.
const MAX_STRANGERS_OF_ONE: usize = 64;
/// The time an unauthenticated peer has for the head of a request, since its connection or its last answer.
const STRANGER_WAIT: Duration = Duration::from_secs(10);
/// The time an admitted connection may be idle: longer than the hour after which Envoy closes an idle connection
/// itself, as a request could be on its way when we did.
pub(super) const ADMITTED_WAIT: Duration = Duration::from_secs(65 * 60);

/// All slots of a listener.
pub(super) struct Places {
    admitted: Arc<Semaphore>,
    strangers: Mutex<Strangers>,
}

/// The unauthenticated slots, the oldest first.
#[derive(Default)]
struct Strangers {
    taken: u64,
    sitting: BTreeMap<u64, Sitting>,
}

struct Sitting {
    from: Option<IpAddr>,
    until: watch::Sender<Until>,
}

/// The time when a connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// Not while its request is under way.
    Answered,
    /// At this time.
    At(Instant),
    /// Now.
    Now,
}

impl Places {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { admitted: Arc::new(Semaphore::new(MAX_ADMITTED)), strangers: Mutex::default() })
    }

    /// The most connections.
    pub(super) const MOST: usize = MAX_ADMITTED + MAX_STRANGERS;

    /// Returns an unauthenticated slot for a new connection. If all are taken, the connection idle for longest loses
    /// its slot; returns `None` if all have a request under way.
    pub(super) fn take(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Seat> {
        let until = watch::Sender::new(Until::At(Instant::now() + STRANGER_WAIT));
        let mut strangers = self.strangers();
        let is_of_one = |sitting: &Sitting| from.is_some() && sitting.from == from;
        let of_one = strangers.sitting.values().filter(|sitting| is_of_one(sitting)).count();
        if of_one >= MAX_STRANGERS_OF_ONE {
            strangers.make_room(is_of_one)?;
        } else if strangers.sitting.len() >= MAX_STRANGERS {
            strangers.make_room(|_| true)?;
        }
        let number = strangers.taken;
        strangers.taken = number.wrapping_add(1);
        strangers.sitting.insert(number, Sitting { from, until: until.clone() });
        Some(Seat { places: self.clone(), number, until, admitted: Mutex::default() })
    }

    fn strangers(&self) -> MutexGuard<'_, Strangers> {
        // A panic while the lock is held would be our bug; the map is consistent at every moment.
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Strangers {
    /// Closes the longest idle one of the matching connections.
    fn make_room(&mut self, is_meant: impl Fn(&Sitting) -> bool) -> Option<()> {
        let waits = |sitting: &Sitting| *sitting.until.borrow() != Until::Answered;
        let oldest = self.sitting.iter().find(|(_, sitting)| is_meant(sitting) && waits(sitting));
        let number = oldest.map(|(number, _)| *number)?;
        self.sitting.remove(&number)?.until.send_replace(Until::Now);
        Some(())
    }
}

/// The slot of a connection.
pub(super) struct Seat {
    places: Arc<Places>,
    number: u64,
    until: watch::Sender<Until>,
    admitted: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Seat {
    /// Moves an admitted peer's connection to an admitted slot, unless all of those are taken.
    pub(super) fn admit(&self) {
        let mut admitted = self.admitted();
        if admitted.is_none()
            && let Ok(place) = self.places.admitted.clone().try_acquire_owned()
        {
            *admitted = Some(place);
            self.places.strangers().sitting.remove(&self.number);
        }
    }

    /// Notes that a request has come.
    pub(super) fn begin(&self) {
        self.go_on(Until::Answered);
    }

    /// Notes that the answer is being sent, and the next request is awaited.
    pub(super) fn end(&self) {
        let wait = if self.admitted().is_some() { ADMITTED_WAIT } else { STRANGER_WAIT };
        self.go_on(Until::At(Instant::now() + wait));
    }

    /// Ends when the connection has to be closed.
    pub(super) async fn overstayed(&self) {
        let mut until = self.until.subscribe();
        loop {
            let now = *until.borrow_and_update();
            match now {
                Until::Now => return,
                // The sender is our own, so `changed` never fails.
                Until::Answered => drop(until.changed().await),
                Until::At(time) => tokio::select! {
                    () = sleep_until(time) => return,
                    _ = until.changed() => {}
                },
            }
        }
    }

    /// Sets the next deadline; a connection to be closed remains so.
    fn go_on(&self, next: Until) {
        self.until.send_if_modified(|until| {
            let may = *until != Until::Now;
            if may {
                *until = next;
            }
            may
        });
    }

    fn admitted(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.admitted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.places.strangers().sitting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    const HOST: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn has_to_go(seat: &Seat) -> bool {
        seat.overstayed().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_stranger_gives_way_and_only_he() {
        let places = Places::new();
        let seats: Vec<Seat> = (0..MAX_STRANGERS).map(|_| places.take(None).unwrap()).collect();
        let _last = places.take(None).unwrap();
        let gone: Vec<bool> = seats.iter().map(has_to_go).collect();
        assert!(gone[0] && !gone[1..].contains(&true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_with_many_connections_takes_its_own_places() {
        let places = Places::new();
        let other = places.take(Some([192, 0, 2, 1].into())).unwrap();
        let seats: Vec<Seat> = (0..2 * MAX_STRANGERS).map(|_| places.take(HOST).unwrap()).collect();
        assert!(!has_to_go(&other));
        assert_eq!(seats.iter().filter(|seat| !has_to_go(seat)).count(), MAX_STRANGERS_OF_ONE);
    }

    #[tokio::test(start_paused = true)]
    async fn whose_request_is_under_way_does_not_give_way() {
        let places = Places::new();
        let seats: Vec<Seat> = (0..MAX_STRANGERS).map(|_| places.take(None).unwrap()).collect();
        seats.iter().for_each(Seat::begin);
        assert!(places.take(None).is_none());
        seats[7].end();
        assert!(places.take(None).is_some());
        assert!(has_to_go(&seats[7]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_admitted_neither_give_way_nor_leave_soon() {
        let places = Places::new();
        let admitted = places.take(HOST).unwrap();
        admitted.begin();
        admitted.admit();
        admitted.end();
        let _strangers: Vec<Seat> = (0..2 * MAX_STRANGERS).map(|_| places.take(HOST).unwrap()).collect();
        tokio::time::advance(ADMITTED_WAIT - Duration::from_secs(1)).await;
        assert!(!has_to_go(&admitted));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(has_to_go(&admitted));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_places_of_the_admitted_are_taken_the_next_stays_a_stranger() {
        let places = Places::new();
        let seat = || {
            let seat = places.take(None).unwrap();
            seat.admit();
            seat
        };
        let mut seats: Vec<Seat> = (0..MAX_ADMITTED).map(|_| seat()).collect();
        let late = seat();
        late.end();
        tokio::time::advance(STRANGER_WAIT).await;
        assert!(has_to_go(&late));
        seats.pop();
        let next = seat();
        next.end();
        tokio::time::advance(STRANGER_WAIT).await;
        assert!(!has_to_go(&next), "a place that was left is given again");
    }
}
