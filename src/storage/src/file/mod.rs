//! The storage of one machine: acme.json in Traefik's schema, or several of them.
//!
//! All records are in memory, and every change rewrites its file: the document is copied by pointers under the lock, a
//! thread of its own makes and writes the text, and all changes made meanwhile go into the next write. A resolver can
//! have a file of its own; the engine's lease is one for all of them, so that no change to any file escapes its fence.
//!
//! | file | what it does |
//! |---|---|
//! | `schema.rs` | a file's text |
//! | `foreign.rs` | a file of Traefik's, of any version, for import |
//! | `import.rs`, `progress.rs`, `ledgers.rs`, `accounts.rs`, `render.rs` | the parts of that text, read and written |
//! | `document.rs` | the records in memory: look-ups and changes |
//! | `committer.rs` | group commit |
//! | `disk.rs` | permissions, lock, replacement |
//! | `history.rs` | the history of an empty file: new, or used before |
//! | `open_error.rs` | errors of opening a file |
//! | `one.rs` | one file: all of the above together |
//! | `offline.rs` | the files while no sidecar uses them |
//! | `storages.rs` | the files of all resolvers |
//! | `reader.rs` | reads certificates while a sidecar uses the files |

mod accounts;
mod blank;
mod certificate_entry;
mod committer;
mod disk;
mod document;
pub mod foreign;
#[doc(hidden)]
pub mod fuzzing;
mod history;
mod import;
mod ledgers;
mod offline;
mod one;
mod open_error;
mod progress;
mod reader;
mod render;
mod schema;
mod storages;

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, join_all, ready};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::disk_status::Writing;
pub use offline::Offline;
pub use open_error::OpenError;
pub use reader::Reader;
pub use schema::Damage;
pub use storages::Storages;

use super::lease::{LeaseBounds, LeaseTable};
use super::record::{CaOrigin, Certificate, Progress};
use super::{
    Account, AllLedgers, Change, Claim, CommitError, Fence, LeaseStatus, Ledgers, Revision, StorageStatus, Store,
    StoreError, Versioned,
};
use base::clock::Clock;
use one::{OneFile, Opened};
use protocol::CertificateId;

/// Number of changes that a watcher may lag behind before it has to read all again.
const WATCH_QUEUE: usize = 1024;

/// A store in one acme.json, or in several.
///
/// A resolver's records are read from and written to its own file, or else the default one. While its own file has
/// none, those of the default file are copied there first, so that a resolver that moves orders nothing anew; the
/// default file keeps them. Certificates that are only in another file are read, and so served; a newer one is written
/// to the resolver's file.
pub struct FileStore {
    /// The file of all resolvers without one of their own.
    default: Arc<OneFile>,
    own: BTreeMap<String, Arc<OneFile>>,
    /// The files, each once. Several are locked in this order, after the shared state.
    files: Vec<Arc<OneFile>>,
    shared: Mutex<Shared>,
    clock: Clock,
    changed: broadcast::Sender<CertificateId>,
}

/// State shared by all files. A commit holds it until its changes are made, so that nobody takes the lease in between.
struct Shared {
    lease: LeaseTable,
    /// True once no commit is accepted any more.
    closed: bool,
}

impl FileStore {
    /// Opens the files, and makes missing ones. Blocks.
    ///
    /// # Errors
    /// When a file can't be used; that file is unchanged.
    pub fn open(storages: &Storages, bounds: LeaseBounds, clock: Clock) -> Result<Self, OpenError> {
        Self::open_with(storages, bounds, clock, Writing::OnAThread)
    }

    /// [`FileStore::open`] with a choice of the thread that writes.
    ///
    /// # Errors
    /// When a file can't be used; that file is unchanged.
    pub fn open_with(
        storages: &Storages,
        bounds: LeaseBounds,
        clock: Clock,
        writing: Writing,
    ) -> Result<Self, OpenError> {
        let mut opened = read_all(storages, |path| Opened::read(path, &clock))?;
        adopt(&mut opened);
        let last_fence = opened.iter().map(|(file, _)| file.records.document().fence).max().unwrap_or_default();
        let mut files = Vec::new();
        let mut own = BTreeMap::new();
        for (file, resolvers) in opened {
            let file = Arc::new(file.start(writing).map_err(|error| error.of(&resolvers))?);
            own.extend(resolvers.into_iter().map(|resolver| (resolver, file.clone())));
            files.push(file);
        }
        #[expect(clippy::expect_used, reason = "the default file is always among them")]
        let default = files.first().expect("there is a default file").clone();
        let shared = Mutex::new(Shared { lease: LeaseTable::new(bounds, last_fence), closed: false });
        Ok(Self { default, own, files, shared, clock, changed: broadcast::channel(WATCH_QUEUE).0 })
    }

    // A panic while the lock is held would be a bug of ours; the storage goes on with what it has.
    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file_of(&self, resolver: &str) -> &Arc<OneFile> {
        self.own.get(resolver).unwrap_or(&self.default)
    }

    /// Makes the changes in memory, in all files or in none; returns the files with the number of changes to save.
    fn apply(&self, fence: Fence, changes: Vec<Change>) -> Result<Vec<(&OneFile, u64)>, CommitError> {
        let shared = self.shared();
        if shared.closed {
            return Err(CommitError::Unavailable("it is being closed".into()));
        }
        if !shared.lease.is_current(fence) {
            return Err(CommitError::FenceLost);
        }
        let mut parts = Vec::new();
        let mut left = changes;
        for file in &self.files {
            let is_its = |change: &Change| Arc::ptr_eq(self.file_of(change.resolver()), file);
            let (its, others): (Vec<_>, Vec<_>) = left.into_iter().partition(is_its);
            left = others;
            if !its.is_empty() {
                let records = file.records();
                let needed = records.needed(its)?;
                parts.push((file, records, needed));
            }
        }
        let mut counts = Vec::new();
        for (file, mut records, needed) in parts {
            for key in records.make(needed) {
                // There may be no watcher.
                let _ = self.changed.send(key);
            }
            counts.push((file.as_ref(), records.count()));
        }
        Ok(counts)
    }

    async fn claim_lease(&self, claim: Claim) -> protocol::Lease {
        let (lease, count) = {
            let mut shared = self.shared();
            let before = shared.lease.last_fence();
            let lease = shared.lease.claim(&claim, Instant::now(), unix_millis(&self.clock));
            let fence = shared.lease.last_fence();
            if fence == before {
                return lease;
            }
            // The other files get the fence with their next write, so that a file that can't be written holds up
            // nobody.
            self.files.iter().for_each(|file| file.records().set_fence(fence));
            (lease, self.default.records().count())
        };
        // The clock vouches for the fence as well, so the engine need not wait for room on the disk.
        let _ = self.default.durable(count).await;
        lease
    }

    /// A certificate that is only in a file other than its resolver's.
    fn stray(&self, key: &CertificateId) -> Option<Versioned<Certificate>> {
        let found = self.files.iter().find_map(|file| Some(file.records().certificate(key)?.value.clone()));
        found.map(|value| Versioned { revision: Revision::ABSENT, value })
    }
}

/// Opens every file, the default one first, with the resolvers that have it as their own.
fn read_all(
    storages: &Storages,
    open: impl Fn(&Path) -> Result<Opened, OpenError>,
) -> Result<Vec<(Opened, Vec<String>)>, OpenError> {
    let read = |(path, resolvers): (PathBuf, Vec<String>)| {
        let opened = open(&path).map_err(|error| error.of(&resolvers))?;
        Ok((opened, resolvers))
    };
    storages.files().into_iter().map(read).collect()
}

/// Copies from the default file the records of resolvers that got files of their own.
fn adopt(opened: &mut [(Opened, Vec<String>)]) {
    let Some(((default, _), others)) = opened.split_first_mut() else { return };
    for (file, resolvers) in others {
        for resolver in resolvers.iter() {
            let Some(certificates) = file.records.adopt(resolver, &default.records) else { continue };
            let from = default.path().display();
            let to = file.path().display();
            tracing::info!(
                resolver,
                %from,
                %to,
                certificates,
                "the resolver has a new storage: its account and certificates are copied there, and kept in the old one"
            );
        }
    }
}

impl Store for FileStore {
    fn account<'a>(
        &'a self,
        resolver: &'a str,
        ca: &'a CaOrigin,
        eab_kid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<Versioned<Account>>, StoreError>> {
        ready(Ok(self.file_of(resolver).records().account(resolver, ca, eab_kid))).boxed()
    }

    fn certificate<'a>(
        &'a self,
        key: &'a CertificateId,
    ) -> BoxFuture<'a, Result<Option<Versioned<Certificate>>, StoreError>> {
        let found = self.file_of(&key.resolver).records().certificate(key).cloned();
        ready(Ok(found.or_else(|| self.stray(key)))).boxed()
    }

    fn certificates(&self) -> BoxFuture<'_, Result<Vec<Certificate>, StoreError>> {
        let mut certificates = Vec::new();
        let mut strays = HashSet::new();
        for file in &self.files {
            for certificate in file.records().certificates() {
                if Arc::ptr_eq(self.file_of(&certificate.facts.resolver), file) {
                    certificates.push(certificate.clone());
                } else {
                    strays.insert(certificate.facts.id());
                }
            }
        }
        let is_stray = |key: &CertificateId| self.file_of(&key.resolver).records().certificate(key).is_none();
        let found = strays.iter().filter(|key| is_stray(key)).filter_map(|key| self.stray(key));
        certificates.extend(found.map(|found| found.value));
        ready(Ok(certificates)).boxed()
    }

    fn progress<'a>(
        &'a self,
        key: &'a CertificateId,
    ) -> BoxFuture<'a, Result<Option<Versioned<Progress>>, StoreError>> {
        ready(Ok(self.file_of(&key.resolver).records().progress(key).cloned())).boxed()
    }

    fn all_progress(&self) -> BoxFuture<'_, Result<Vec<Progress>, StoreError>> {
        let mut all = Vec::new();
        for file in &self.files {
            let records = file.records();
            let is_its = |progress: &&Progress| Arc::ptr_eq(self.file_of(&progress.id.resolver), file);
            all.extend(records.all_progress().filter(is_its).cloned());
        }
        ready(Ok(all)).boxed()
    }

    fn ledgers<'a>(&'a self, ca: &'a CaOrigin) -> BoxFuture<'a, Result<Ledgers, StoreError>> {
        let mut all = Ledgers::new();
        for file in &self.files {
            let records = file.records();
            let is_its = |(resolver, _): &(&String, _)| Arc::ptr_eq(self.file_of(resolver), file);
            all.extend(records.ledgers(ca).filter(is_its).map(|(resolver, ledger)| (resolver.clone(), ledger.clone())));
        }
        ready(Ok(all)).boxed()
    }

    fn all_ledgers(&self) -> BoxFuture<'_, Result<AllLedgers, StoreError>> {
        let mut all = AllLedgers::new();
        for file in &self.files {
            let records = file.records();
            let its = records.all_ledgers().filter(|(resolver, ..)| Arc::ptr_eq(self.file_of(resolver), file));
            all.extend(its.map(|(resolver, ca, ledger)| (resolver.clone(), ca.clone(), ledger.clone())));
        }
        ready(Ok(all)).boxed()
    }

    fn commit(&self, fence: Fence, changes: Vec<Change>) -> BoxFuture<'_, Result<(), CommitError>> {
        let applied = self.apply(fence, changes);
        async move {
            let saved = applied?.into_iter().map(|(file, count)| file.durable(count));
            join_all(saved).await.into_iter().collect()
        }
        .boxed()
    }

    fn claim(&self, claim: Claim) -> BoxFuture<'_, Result<protocol::Lease, StoreError>> {
        self.claim_lease(claim).map(Ok).boxed()
    }

    fn check(&self, fence: Fence) -> Result<(), CommitError> {
        if self.shared().lease.is_current(fence) { Ok(()) } else { Err(CommitError::FenceLost) }
    }

    fn lease(&self) -> LeaseStatus {
        self.shared().lease.status(Instant::now())
    }

    fn watch(&self) -> broadcast::Receiver<CertificateId> {
        self.changed.subscribe()
    }

    fn storages(&self) -> Vec<StorageStatus> {
        let status = |file: &Arc<OneFile>| {
            let own = self.own.iter().filter(|(_, own)| Arc::ptr_eq(own, file));
            let resolvers = own.map(|(resolver, _)| resolver.clone()).collect();
            StorageStatus {
                place: file.place().to_owned(),
                resolvers,
                disk: file.status(),
                faults: file.records().faults(),
            }
        };
        self.files.iter().map(status).collect()
    }

    fn retry(&self) -> BoxFuture<'_, ()> {
        let failing = self.files.iter().filter(|file| file.status().error.is_some());
        // The status shows another failure.
        join_all(failing.map(|file| file.retry())).map(drop).boxed()
    }

    fn close(&self) -> BoxFuture<'_, Result<(), CommitError>> {
        self.shared().closed = true;
        let closing = self.files.iter().map(|file| file.close());
        join_all(closing).map(|closed| closed.into_iter().collect()).boxed()
    }
}

fn unix_millis(clock: &Clock) -> u64 {
    u64::try_from(clock.now_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
