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
const MAX_UNAUTHENTICATED: usize = 256;
/// The most unauthenticated connections from one address, so that no host occupies all slots.
const MAX_UNAUTHENTICATED_OF_ONE: usize = 64;
/// The time an unauthenticated peer has for the head of a request, since its connection or its last answer.
const UNAUTHENTICATED_WAIT: Duration = Duration::from_secs(10);
/// The time an admitted connection may be idle: longer than the hour after which Envoy closes an idle connection
/// itself, as a request could be on its way when we did.
pub(super) const ADMITTED_WAIT: Duration = Duration::from_secs(65 * 60);

/// All slots of a listener.
pub(super) struct ConnectionLimit {
    admitted: Arc<Semaphore>,
    unauthenticated: Mutex<Unauthenticated>,
}

/// The unauthenticated slots, the oldest first.
#[derive(Default)]
struct Unauthenticated {
    taken: u64,
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
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

impl ConnectionLimit {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { admitted: Arc::new(Semaphore::new(MAX_ADMITTED)), unauthenticated: Mutex::default() })
    }

    /// The most connections.
    pub(super) const MOST: usize = MAX_ADMITTED + MAX_UNAUTHENTICATED;

    /// Returns an unauthenticated slot for a new connection. If all are taken, the connection idle for longest loses
    /// its slot; returns `None` if all have a request under way.
    pub(super) fn acquire(self: &Arc<Self>, from: Option<IpAddr>) -> Option<Slot> {
        let until = watch::Sender::new(Until::At(Instant::now() + UNAUTHENTICATED_WAIT));
        let mut unauthenticated = self.unauthenticated();
        let is_of_one = |connection: &Connection| from.is_some() && connection.from == from;
        let of_one = unauthenticated.connections.values().filter(|connection| is_of_one(connection)).count();
        if of_one >= MAX_UNAUTHENTICATED_OF_ONE {
            unauthenticated.evict(is_of_one)?;
        } else if unauthenticated.connections.len() >= MAX_UNAUTHENTICATED {
            unauthenticated.evict(|_| true)?;
        }
        let number = unauthenticated.taken;
        unauthenticated.taken = number.wrapping_add(1);
        unauthenticated.connections.insert(number, Connection { from, until: until.clone() });
        Some(Slot { limit: self.clone(), number, until, admitted: Mutex::default() })
    }

    fn unauthenticated(&self) -> MutexGuard<'_, Unauthenticated> {
        // A panic while the lock is held would be our bug; the map is consistent at every moment.
        self.unauthenticated.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unauthenticated {
    /// Closes the longest idle one of the matching connections.
    fn evict(&mut self, is_match: impl Fn(&Connection) -> bool) -> Option<()> {
        let waits = |connection: &Connection| *connection.until.borrow() != Until::Answered;
        let oldest = self.connections.iter().find(|(_, connection)| is_match(connection) && waits(connection));
        let number = oldest.map(|(number, _)| *number)?;
        self.connections.remove(&number)?.until.send_replace(Until::Now);
        Some(())
    }
}

/// The slot of a connection.
pub(super) struct Slot {
    limit: Arc<ConnectionLimit>,
    number: u64,
    until: watch::Sender<Until>,
    admitted: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Slot {
    /// Moves an admitted peer's connection to an admitted slot, unless all of those are taken.
    pub(super) fn admit(&self) {
        let mut admitted = self.admitted();
        if admitted.is_none()
            && let Ok(permit) = self.limit.admitted.clone().try_acquire_owned()
        {
            *admitted = Some(permit);
            self.limit.unauthenticated().connections.remove(&self.number);
        }
    }

    /// Notes that a request has come.
    pub(super) fn begin(&self) {
        self.go_on(Until::Answered);
    }

    /// Notes that the answer is being sent, and the next request is awaited.
    pub(super) fn end(&self) {
        let wait = if self.admitted().is_some() { ADMITTED_WAIT } else { UNAUTHENTICATED_WAIT };
        self.go_on(Until::At(Instant::now() + wait));
    }

    /// Ends when the connection has to be closed.
    pub(super) async fn expired(&self) {
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

impl Drop for Slot {
    fn drop(&mut self) {
        self.limit.unauthenticated().connections.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use futures::FutureExt;

    use super::*;

    const HOST: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn has_expired(slot: &Slot) -> bool {
        slot.expired().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn the_oldest_stranger_gives_way_and_only_he() {
        let limit = ConnectionLimit::new();
        let slots: Vec<Slot> = (0..MAX_UNAUTHENTICATED).map(|_| limit.acquire(None).unwrap()).collect();
        let _last = limit.acquire(None).unwrap();
        let gone: Vec<bool> = slots.iter().map(has_expired).collect();
        assert!(gone[0] && !gone[1..].contains(&true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_with_many_connections_takes_its_own_places() {
        let limit = ConnectionLimit::new();
        let other = limit.acquire(Some([192, 0, 2, 1].into())).unwrap();
        let slots: Vec<Slot> = (0..2 * MAX_UNAUTHENTICATED).map(|_| limit.acquire(HOST).unwrap()).collect();
        assert!(!has_expired(&other));
        assert_eq!(slots.iter().filter(|slot| !has_expired(slot)).count(), MAX_UNAUTHENTICATED_OF_ONE);
    }

    #[tokio::test(start_paused = true)]
    async fn whose_request_is_under_way_does_not_give_way() {
        let limit = ConnectionLimit::new();
        let slots: Vec<Slot> = (0..MAX_UNAUTHENTICATED).map(|_| limit.acquire(None).unwrap()).collect();
        slots.iter().for_each(Slot::begin);
        assert!(limit.acquire(None).is_none());
        slots[7].end();
        assert!(limit.acquire(None).is_some());
        assert!(has_expired(&slots[7]));
    }

    #[tokio::test(start_paused = true)]
    async fn the_admitted_neither_give_way_nor_leave_soon() {
        let limit = ConnectionLimit::new();
        let admitted = limit.acquire(HOST).unwrap();
        admitted.begin();
        admitted.admit();
        admitted.end();
        let _strangers: Vec<Slot> = (0..2 * MAX_UNAUTHENTICATED).map(|_| limit.acquire(HOST).unwrap()).collect();
        tokio::time::advance(ADMITTED_WAIT - Duration::from_secs(1)).await;
        assert!(!has_expired(&admitted));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(has_expired(&admitted));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_places_of_the_admitted_are_taken_the_next_stays_a_stranger() {
        let limit = ConnectionLimit::new();
        let slot = || {
            let slot = limit.acquire(None).unwrap();
            slot.admit();
            slot
        };
        let mut slots: Vec<Slot> = (0..MAX_ADMITTED).map(|_| slot()).collect();
        let late = slot();
        late.end();
        tokio::time::advance(UNAUTHENTICATED_WAIT).await;
        assert!(has_expired(&late));
        slots.pop();
        let next = slot();
        next.end();
        tokio::time::advance(UNAUTHENTICATED_WAIT).await;
        assert!(!has_expired(&next), "a permit that was left is given again");
    }
}
