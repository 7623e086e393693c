//! Group commit: one write at a time; all changes that wait go into the next one.
//!
//! Promises: a waiter gets the result of the first write that began after its request; a failed write is retried
//! without a request, after 1 s doubling to 60 s, until it succeeds; writes never run on an async thread, unless
//! [`Writing::InPlace`] says so.

use crate::disk_status::{DiskStatus, Writing};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use engine::backoff::Backoff;
use tokio::sync::watch;

/// Wait after the first failed write.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// Longest wait after a failed write: for this long, new room on the disk can go unnoticed.
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The file to write, and the changes in memory.
pub(super) trait Medium: Send + 'static {
    /// Number of changes so far.
    fn count(&self) -> u64;

    /// Writes all changes so far, and returns their number.
    fn write(&mut self) -> (u64, io::Result<()>);
}

/// The writer, and the requests to it.
pub(super) struct Committer {
    shared: Arc<Shared>,
    in_place: Option<Mutex<Writer>>,
    outcome: watch::Receiver<Outcome>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    ordered: Condvar,
}

#[derive(Default)]
struct Orders {
    /// Number of requests so far.
    tickets: u64,
    closing: bool,
}

/// The result of the writes so far.
#[derive(Clone, Debug, Default)]
struct Outcome {
    /// Number of changes that are durable.
    saved: u64,
    /// Number of the last request whose write has ended, well or not.
    served: u64,
    status: DiskStatus,
}

impl Committer {
    /// Starts the thread. `saved` is the number of changes on disk already, `place` is the path for the log.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(super) fn start(medium: impl Medium, saved: u64, place: Arc<str>, writing: Writing) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (sender, outcome) = watch::channel(Outcome { saved, ..Outcome::default() });
        let medium = Box::new(medium);
        let writer = Writer { medium, place, shared: shared.clone(), outcome: sender, failing: None };
        let (in_place, thread) = match writing {
            Writing::InPlace => (Some(Mutex::new(writer)), None),
            Writing::OnAThread => (None, Some(thread::Builder::new().name("storage".into()).spawn(|| writer.run())?)),
        };
        Ok(Self { shared, in_place, outcome, thread: Mutex::new(thread) })
    }

    /// Waits until the changes up to `count` are durable, or the next write failed; then returns its error.
    pub(super) async fn durable(&self, count: u64) -> Result<(), Arc<str>> {
        let mut outcome = self.outcome.clone();
        if outcome.borrow().saved >= count {
            return Ok(());
        }
        let ticket = self.order(false);
        self.serve_in_place(ticket);
        let done = outcome.wait_for(|outcome| outcome.saved >= count || outcome.served >= ticket).await;
        match done {
            Ok(outcome) if outcome.saved >= count => Ok(()),
            Ok(outcome) => Err(outcome.status.error.clone().unwrap_or_else(|| "the write failed".into())),
            Err(_) => Err("the storage is closed".into()),
        }
    }

    pub(super) fn status(&self) -> DiskStatus {
        self.outcome.borrow().status.clone()
    }

    /// Writes the remaining changes, once, and ends the thread.
    pub(super) async fn close(&self) {
        let ticket = self.order(true);
        self.serve_in_place(ticket);
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // The thread ends by itself, whether or not it is waited for.
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
    }

    fn serve_in_place(&self, ticket: u64) {
        if let Some(writer) = &self.in_place {
            lock(writer).serve(ticket);
        }
    }

    fn order(&self, closing: bool) -> u64 {
        let mut orders = lock(&self.shared.orders);
        orders.tickets += 1;
        orders.closing |= closing;
        self.shared.ordered.notify_one();
        let ticket = orders.tickets;
        drop(orders);
        ticket
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.order(true);
    }
}

struct Writer {
    medium: Box<dyn Medium>,
    place: Arc<str>,
    shared: Arc<Shared>,
    outcome: watch::Sender<Outcome>,
    /// After a failed write: time of the retry, and the backoff.
    failing: Option<(Instant, Backoff)>,
}

impl Writer {
    fn run(mut self) {
        let mut served = 0;
        loop {
            let (tickets, closing) = self.wait(served);
            self.serve(tickets);
            served = tickets;
            if closing {
                return;
            }
        }
    }

    /// Writes the remaining changes, for all requests so far.
    fn serve(&mut self, tickets: u64) {
        if self.outcome.borrow().saved < self.medium.count() {
            self.write(tickets);
        } else {
            self.outcome.send_modify(|outcome| outcome.served = tickets);
        }
    }

    /// Waits for a request, or for the retry of a failed write.
    fn wait(&self, served: u64) -> (u64, bool) {
        let mut orders = lock(&self.shared.orders);
        while orders.tickets <= served && !orders.closing {
            let wait = self.failing.as_ref().map(|(due, _)| due.saturating_duration_since(Instant::now()));
            orders = match wait {
                Some(Duration::ZERO) => break,
                Some(wait) => self.shared.ordered.wait_timeout(orders, wait).unwrap_or_else(PoisonError::into_inner).0,
                None => self.shared.ordered.wait(orders).unwrap_or_else(PoisonError::into_inner),
            };
        }
        (orders.tickets, orders.closing)
    }

    fn write(&mut self, tickets: u64) {
        let started = Instant::now();
        let (count, result) = self.medium.write();
        let before = self.failing.take();
        let was_failing = before.is_some();
        if result.is_err() {
            let mut backoff = before.map_or_else(|| Backoff::new(RETRY_MIN, RETRY_MAX), |(_, backoff)| backoff);
            self.failing = Some((Instant::now() + backoff.next_wait(), backoff));
        }
        match &result {
            Ok(()) if was_failing => {
                tracing::info!(storage = %self.place, "the storage can be written again; everything is saved");
            }
            Err(error) if !was_failing => tracing::error!(
                storage = %self.place,
                %error,
                "the storage can't be written; changes are kept in memory, and the write is retried"
            ),
            Ok(()) | Err(_) => {}
        }
        self.outcome.send_modify(|outcome| {
            outcome.served = tickets;
            match result {
                Ok(()) => {
                    outcome.saved = outcome.saved.max(count);
                    outcome.status.saves += 1;
                    outcome.status.last_save = started.elapsed();
                    outcome.status.error = None;
                }
                Err(error) => {
                    outcome.status.failures += 1;
                    outcome.status.error = Some(error.to_string().into());
                }
            }
        });
    }
}

// A panic while a lock is held would be a bug of ours; what the lock guards is whole at every moment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    use std::sync::mpsc;

    use super::*;

    /// A disk whose writes the test lets through, and that may be full.
    struct FakeDisk {
        changes: Arc<AtomicU64>,
        full: Arc<AtomicBool>,
        writes: Arc<AtomicU64>,
        /// Each message lets one write through; without a sender all go through.
        gate: mpsc::Receiver<()>,
    }

    impl Medium for FakeDisk {
        fn count(&self) -> u64 {
            self.changes.load(Ordering::SeqCst)
        }

        fn write(&mut self) -> (u64, io::Result<()>) {
            let count = self.changes.load(Ordering::SeqCst);
            let _ = self.gate.recv();
            self.writes.fetch_add(1, Ordering::SeqCst);
            let full = self.full.load(Ordering::SeqCst);
            (count, if full { Err(io::Error::from(io::ErrorKind::StorageFull)) } else { Ok(()) })
        }
    }

    struct Fixture {
        committer: Arc<Committer>,
        changes: Arc<AtomicU64>,
        full: Arc<AtomicBool>,
        writes: Arc<AtomicU64>,
        gate: Option<mpsc::Sender<()>>,
    }

    impl Fixture {
        fn new() -> Self {
            let changes = Arc::default();
            let full = Arc::default();
            let writes = Arc::default();
            let (gate, receiver) = mpsc::channel();
            let disk = FakeDisk {
                changes: Arc::clone(&changes),
                full: Arc::clone(&full),
                writes: Arc::clone(&writes),
                gate: receiver,
            };
            let committer = Arc::new(Committer::start(disk, 0, "a disk".into(), Writing::OnAThread).unwrap());
            Self { committer, changes, full, writes, gate: Some(gate) }
        }

        /// A disk whose writes go through at once.
        fn open() -> Self {
            Self { gate: None, ..Self::new() }
        }

        fn writes(&self) -> u64 {
            self.writes.load(Ordering::SeqCst)
        }

        /// Makes a change, and waits in the background until it is durable.
        fn change(&self) -> tokio::task::JoinHandle<Result<(), Arc<str>>> {
            let count = self.changes.fetch_add(1, Ordering::SeqCst) + 1;
            let committer = self.committer.clone();
            tokio::spawn(async move { committer.durable(count).await })
        }

        async fn until_asked(&self, tickets: u64) {
            while lock(&self.committer.shared.orders).tickets < tickets {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test]
    async fn changes_that_come_during_a_write_share_the_next_one() {
        let mut fixture = Fixture::new();
        let waiting: Vec<_> = (0..500).map(|_| fixture.change()).collect();
        fixture.until_asked(500).await;
        fixture.gate = None;
        for waiter in waiting {
            assert_eq!(waiter.await.unwrap(), Ok(()));
        }
        assert!(fixture.writes() <= 2, "{} writes", fixture.writes());
    }

    #[tokio::test]
    async fn what_is_durable_already_is_not_written_again() {
        let fixture = Fixture::open();
        fixture.change().await.unwrap().unwrap();
        assert_eq!(fixture.committer.durable(1).await, Ok(()));
        assert_eq!(fixture.writes(), 1);
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_and_ends_when_there_is_room_without_anybody_asking() {
        let fixture = Fixture::open();
        fixture.full.store(true, Ordering::SeqCst);
        assert!(fixture.change().await.unwrap().is_err());
        let status = fixture.committer.status();
        assert_eq!((status.saves, status.failures, status.error.is_some()), (0, 1, true));

        fixture.full.store(false, Ordering::SeqCst);
        let mut outcome = fixture.committer.outcome.clone();
        outcome.wait_for(|outcome| outcome.saved == 1).await.unwrap();
        let status = fixture.committer.status();
        assert_eq!((status.saves, status.failures, status.error), (1, 1, None));
    }

    #[tokio::test]
    async fn who_asks_while_the_disk_is_full_gets_a_try_at_once() {
        let fixture = Fixture::open();
        fixture.full.store(true, Ordering::SeqCst);
        assert!(fixture.change().await.unwrap().is_err());
        assert!(fixture.change().await.unwrap().is_err());
        fixture.full.store(false, Ordering::SeqCst);
        assert_eq!(fixture.committer.durable(2).await, Ok(()));
        assert_eq!(fixture.writes(), 3);
    }

    #[tokio::test]
    async fn closing_writes_what_is_left() {
        let fixture = Fixture::open();
        fixture.changes.store(1, Ordering::SeqCst);
        fixture.committer.close().await;
        assert_eq!((fixture.committer.outcome.borrow().saved, fixture.writes()), (1, 1));
        assert!(fixture.committer.durable(2).await.is_err());
    }

    #[tokio::test]
    async fn closing_writes_nothing_when_nothing_is_left() {
        let fixture = Fixture::open();
        fixture.change().await.unwrap().unwrap();
        fixture.committer.close().await;
        assert_eq!(fixture.writes(), 1);
    }
}
