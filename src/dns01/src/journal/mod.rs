//! Journal of the TXT records that are, or may be, at DNS providers: a file, so that a sidecar that was killed removes
//! them after its restart.
//!
//! Promises: a record is on disk before it is created, unless its certificate is about to expire and the file can't be
//! written; the file is the complete old or the complete new one at every moment, with mode 0600, without credentials,
//! and removed when there are no records. An unreadable file is set aside, and prevents no start.

mod entry;
mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;

use base::clock::Clock;
use base::state_file;
pub(super) use entry::{EntryKey, JournalEntry};

/// Suffix of the storage's path for the journal.
const SUFFIX: &str = ".dns-records";

/// Requirement that a record is on disk before it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The record must be on disk.
    OnDisk,
    /// The record may be in memory only, if the file can't be written: its certificate is about to expire.
    MayBeInMemory,
}

/// The journal of all records.
pub(super) struct Journal {
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the file is written: the revision on disk.
    saved: Arc<AsyncMutex<u64>>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<EntryKey, Held>,
    revision: u64,
    /// The reason why the file can't be used.
    broken: Option<String>,
}

struct Held {
    entry: JournalEntry,
    /// Number of owners. A record without owners is to be removed.
    owners: usize,
}

impl Journal {
    /// Reads the journal next to this storage.
    pub(super) async fn open(storage: &Path, clock: &Clock) -> Self {
        let path = state_file::path(storage, SUFFIX);
        let (reading, now) = (path.clone(), clock.now_seconds());
        // The task is only cancelled when the runtime ends, and panics only by a bug.
        let read =
            spawn_blocking(move || file::read(&reading, now)).await.unwrap_or_else(|error| Err(error.to_string()));
        let (entries, broken) = match read {
            Ok(entries) => (entries, None),
            Err(why) => (Vec::new(), Some(why)),
        };
        let held = entries.into_iter().map(|entry| (entry.key(), Held { entry, owners: 0 }));
        let state = State { records: held.collect(), revision: 0, broken };
        Self { path, state: Mutex::new(state), saved: Arc::default() }
    }

    /// Adds an owner to this record; on return the record is on disk, if that is required. After `Ok` the caller has to
    /// call [`Self::release`].
    pub(super) async fn hold(&self, entry: &JournalEntry, need: Need) -> Result<(), String> {
        let is_new = {
            let mut state = self.state();
            if let Some(why) = &state.broken {
                return Err(why.clone());
            }
            let before = state.records.get(&entry.key()).map(|held| held.owners);
            let held = Held { entry: entry.clone(), owners: before.unwrap_or(0) + 1 };
            state.records.insert(entry.key(), held);
            state.revision += 1;
            before.is_none()
        };
        let saved = match (self.save().await, need) {
            (Err(why), Need::MayBeInMemory) => {
                let (fqdn, file) = (&entry.fqdn, self.path.display());
                tracing::error!(fqdn, %file, why, "a TXT record is created that could not be saved to the journal; if \
                    the sidecar is killed, remove the record by hand");
                Ok(())
            }
            (saved, _) => saved,
        };
        if saved.is_err() {
            self.release(&entry.key());
            let mut state = self.state();
            // A record that was in the journal before may be at the provider.
            state.records.retain(|key, held| !is_new || held.owners > 0 || *key != entry.key());
        }
        saved
    }

    /// Removes an owner from this record.
    pub(super) fn release(&self, key: &EntryKey) {
        if let Some(held) = self.state().records.get_mut(key) {
            held.owners = held.owners.saturating_sub(1);
        }
    }

    /// The records without owners.
    pub(super) fn unwanted(&self) -> Vec<JournalEntry> {
        self.state().records.values().filter(|held| held.owners == 0).map(|held| held.entry.clone()).collect()
    }

    /// True if the record is in the journal and has no owner.
    pub(super) fn is_unwanted(&self, key: &EntryKey) -> bool {
        self.state().records.get(key).is_some_and(|held| held.owners == 0)
    }

    /// Removes the record from the journal, unless it has an owner by now.
    pub(super) async fn forget(&self, key: &EntryKey) {
        {
            let mut state = self.state();
            if state.records.get(key).is_none_or(|held| held.owners > 0) {
                return;
            }
            state.records.remove(key);
            state.revision += 1;
        }
        // A record that stays in the file is removed again at the next start, which is harmless.
        if let Err(error) = self.save().await {
            tracing::warn!(error, "a DNS record was removed, and its line in the journal was not");
        }
    }

    /// Number of records.
    pub(super) fn len(&self) -> usize {
        self.state().records.len()
    }

    /// Waits until no write is in progress.
    pub(super) async fn settle(&self) {
        let _quiet = self.saved.lock().await;
    }

    /// Writes the current state. Callers that arrive during a write share the next one.
    async fn save(&self) -> Result<(), String> {
        let wanted = self.state().revision;
        let mut saved = self.saved.clone().lock_owned().await;
        if *saved >= wanted {
            return Ok(());
        }
        let (revision, records) = {
            let state = self.state();
            (state.revision, state.records.values().map(|held| held.entry.clone()).collect())
        };
        let path = self.path.clone();
        let written = spawn_blocking(move || {
            let written = file::write(&path, records);
            if written.is_ok() {
                *saved = revision;
            }
            written
        });
        let failed = |why: &dyn ToString| format!("can't write {}: {}", self.path.display(), why.to_string());
        written.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
    }

    // Only a bug could cause a panic while the lock is held, and the state is consistent at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
