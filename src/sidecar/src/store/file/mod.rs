//! The storage of one machine: acme.json in Traefik's schema.
//!
//! Everything is held in memory, and every change rewrites the file: a copy of pointers under the lock, the text made
//! and written by a thread of its own, all changes that came meanwhile in one write.
//!
//! | file | what it does |
//! |---|---|
//! | `schema.rs` | the file's text |
//! | `import.rs`, `progress.rs`, `accounts.rs`, `render.rs` | its parts, to and from |
//! | `document.rs` | what is in memory: look-ups and changes |
//! | `committer.rs` | group commit |
//! | `disk.rs` | permissions, lock, atomic replacement |

mod accounts;
mod committer;
mod disk;
mod document;
mod import;
mod progress;
mod render;
mod schema;

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use tokio::sync::broadcast;
use tokio::time::Instant;

pub use committer::DiskStatus;
pub use disk::OpenError;

use super::lease::{LeaseBounds, LeaseTable};
use super::record::{CaOrigin, Certificate, CertificateKey, Progress};
use super::{Account, Change, Claim, CommitError, Fence, LeaseStatus, Store, StoreError, Versioned};
use committer::{Committer, Medium};
use disk::Disk;
use document::Book;

/// How many changes a watcher may lag behind before it has to read all again.
const WATCH_QUEUE: usize = 1024;

/// acme.json.
pub struct FileStore {
    state: Arc<Mutex<State>>,
    committer: Committer,
    changed: broadcast::Sender<CertificateKey>,
}

struct State {
    book: Book,
    lease: LeaseTable,
    /// No commit is taken any more.
    closed: bool,
}

impl FileStore {
    /// Opens the file, and makes it when it is not there. It blocks.
    ///
    /// # Errors
    /// When the file can't be used; it is as it was then.
    pub fn open(path: &Path, bounds: LeaseBounds) -> Result<Self, OpenError> {
        let (mut disk, text) = Disk::open(path)?;
        let path = disk.path().to_owned();
        let book = Book::read(text.as_deref().unwrap_or_default())
            .map_err(|damage| OpenError::Damaged { path: path.clone(), damage })?;
        if text.is_none_or(|text| text.is_empty()) {
            let created = disk.replace(|out| write_document(&book, out));
            created.map_err(|error| OpenError::Io { path: path.clone(), doing: "create", error })?;
        }
        let saved = book.count();
        let lease = LeaseTable::new(bounds, book.document().fence);
        let state = Arc::new(Mutex::new(State { book, lease, closed: false }));
        let committer = Committer::start(FileMedium { disk, state: state.clone() }, saved)
            .map_err(|error| OpenError::Io { path, doing: "start a thread for", error })?;
        Ok(Self { state, committer, changed: broadcast::channel(WATCH_QUEUE).0 })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    async fn durable(&self, count: u64) -> Result<(), CommitError> {
        self.committer.durable(count).await.map_err(|why| CommitError::Unsaved(why.to_string()))
    }

    fn apply(&self, fence: Fence, changes: Vec<Change>) -> Result<u64, CommitError> {
        let mut state = self.state();
        if state.closed {
            return Err(CommitError::Unavailable("it is being closed".into()));
        }
        if !state.lease.is_current(fence) {
            return Err(CommitError::FenceLost);
        }
        for key in state.book.apply(changes)? {
            // Nobody may be watching.
            let _ = self.changed.send(key);
        }
        Ok(state.book.count())
    }

    async fn claim_lease(&self, claim: Claim) -> wire::Lease {
        let (lease, count) = {
            let mut state = self.state();
            let before = state.lease.last_fence();
            let lease = state.lease.claim(&claim, Instant::now(), unix_millis());
            let fence = state.lease.last_fence();
            if fence != before {
                state.book.set_fence(fence);
            }
            (lease, (fence != before).then(|| state.book.count()))
        };
        if let Some(count) = count {
            // The clock vouches for the fence as well, so the engine need not wait for room on the disk.
            let _ = self.committer.durable(count).await;
        }
        lease
    }
}

impl Store for FileStore {
    fn account<'a>(
        &'a self,
        resolver: &'a str,
        ca: &'a CaOrigin,
    ) -> BoxFuture<'a, Result<Option<Versioned<Account>>, StoreError>> {
        ready(Ok(self.state().book.account(resolver, ca))).boxed()
    }

    fn certificate<'a>(
        &'a self,
        key: &'a CertificateKey,
    ) -> BoxFuture<'a, Result<Option<Versioned<Certificate>>, StoreError>> {
        ready(Ok(self.state().book.certificate(key).cloned())).boxed()
    }

    fn certificates(&self) -> BoxFuture<'_, Result<Vec<Certificate>, StoreError>> {
        ready(Ok(self.state().book.certificates().cloned().collect())).boxed()
    }

    fn progress<'a>(
        &'a self,
        key: &'a CertificateKey,
    ) -> BoxFuture<'a, Result<Option<Versioned<Progress>>, StoreError>> {
        ready(Ok(self.state().book.progress(key).cloned())).boxed()
    }

    fn all_progress(&self) -> BoxFuture<'_, Result<Vec<Progress>, StoreError>> {
        ready(Ok(self.state().book.all_progress().cloned().collect())).boxed()
    }

    fn commit(&self, fence: Fence, changes: Vec<Change>) -> BoxFuture<'_, Result<(), CommitError>> {
        let applied = self.apply(fence, changes);
        async move { self.durable(applied?).await }.boxed()
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<wire::Lease, StoreError>> {
        self.claim_lease(claim).map(Ok).boxed()
    }

    fn check(&self, fence: Fence) -> Result<(), CommitError> {
        if self.state().lease.is_current(fence) { Ok(()) } else { Err(CommitError::FenceLost) }
    }

    fn lease(&self) -> LeaseStatus {
        self.state().lease.status(Instant::now())
    }

    fn watch(&self) -> broadcast::Receiver<CertificateKey> {
        self.changed.subscribe()
    }

    fn disk(&self) -> DiskStatus {
        self.committer.status()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), CommitError>> {
        let count = {
            let mut state = self.state();
            state.closed = true;
            state.book.count()
        };
        async move {
            let durable = self.durable(count).await;
            self.committer.close().await;
            durable
        }
        .boxed()
    }
}

/// The file as what the committer writes.
struct FileMedium {
    disk: Disk,
    state: Arc<Mutex<State>>,
}

impl Medium for FileMedium {
    fn count(&self) -> u64 {
        lock(&self.state).book.count()
    }

    fn write(&mut self) -> (u64, io::Result<()>) {
        let (count, document) = {
            let state = lock(&self.state);
            (state.book.count(), state.book.document().clone())
        };
        (count, self.disk.replace(|out| Ok(schema::write(&document, out)?)))
    }
}

fn write_document(book: &Book, out: &mut dyn io::Write) -> io::Result<()> {
    Ok(schema::write(book.document(), out)?)
}

fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

// A panic while the lock is held would be a bug of ours; the storage goes on with what it has.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_contract_also_with_what_another_tool_left() {
        for text in ["", r#"{"le": {"Account": {"PrivateKey": "x"}, "Certificates": [null]}}"#] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("acme.json");
            let (mut disk, _) = Disk::open(&path).unwrap();
            disk.replace(|out| out.write_all(text.as_bytes())).unwrap();
            drop(disk);
            contract::check(&FileStore::open(&path, LeaseBounds::default()).unwrap()).await;
        }
    }

    #[tokio::test]
    async fn what_is_closed_is_saved_and_takes_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("acme.json");
        let store = FileStore::open(&path, LeaseBounds::default()).unwrap();
        contract::check(&store).await;
        store.close().await.unwrap();
        assert!(matches!(store.commit(Fence(0), Vec::new()).await, Err(CommitError::Unavailable(_))));

        let again = FileStore::open(&path, LeaseBounds::default()).unwrap();
        let kept = |store: &FileStore| store.state().book.all_progress().cloned().collect::<Vec<_>>();
        assert!(!kept(&again).is_empty() && kept(&again) == kept(&store));
    }
}
