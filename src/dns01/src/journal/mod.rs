//! The TXT records that are, or may be, at DNS providers: in a file, so that a sidecar that was killed removes them when
//! it runs again.
//!
//! Promises: a record is on disk before it is made, unless it is of a certificate that is near its end and the file can't
//! be written; the file is the whole old or the whole new one at every moment,
//! 0600, without credentials, and not there when there are no records. One that can't be read is set aside, and keeps
//! nobody from starting.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;

use super::provider::Record;
use base::clock::Clock;
use base::state_file;

/// What is added to the path of the storage.
const SUFFIX: &str = ".dns-records";

/// A record, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) provider: String,
    pub(super) resolver: String,
    pub(super) fqdn: String,
    pub(super) zone: String,
    pub(super) value: String,
    pub(super) domain: String,
    pub(super) token: String,
    pub(super) key_authorization: String,
}

/// What tells one record from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    provider: String,
    resolver: String,
    fqdn: String,
    value: String,
}

impl Entry {
    pub(super) fn key(&self) -> Key {
        let Self { provider, resolver, fqdn, value, .. } = self.clone();
        Key { provider, resolver, fqdn, value }
    }

    /// As providers want it.
    pub(super) fn record(&self) -> Record {
        let Self { fqdn, zone, value, domain, token, key_authorization, .. } = self.clone();
        Record { fqdn, zone, value, domain, token, key_authorization }
    }
}

/// Whether a record must be on disk before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    OnDisk,
    /// It need not, when the file can't be written: its certificate is near its end.
    MayBeInMemory,
}

/// All records.
pub(super) struct Journal {
    path: PathBuf,
    state: Mutex<State>,
    /// Held while the file is written: the revision that is on disk.
    saved: Arc<AsyncMutex<u64>>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<Key, Held>,
    revision: u64,
    /// Why the file can't be used.
    broken: Option<String>,
}

struct Held {
    entry: Entry,
    /// How many want it. It is removed when nobody does any more.
    owners: usize,
}

impl Journal {
    /// Reads the journal beside this storage.
    pub(super) async fn open(storage: &Path, clock: &Clock) -> Self {
        let path = state_file::path(storage, SUFFIX);
        let (reading, now) = (path.clone(), clock.now_seconds());
        // It is cancelled only when the runtime ends, and panics only by a bug.
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

    /// One more wants this record; when it returns, it is on disk, if that is needed. Whoever was told `Ok` calls
    /// [`Self::release`].
    pub(super) async fn hold(&self, entry: &Entry, need: Need) -> Result<(), String> {
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
                tracing::error!(fqdn, %file, why, "a TXT record is made that the journal could not keep: if the sidecar is killed, \
                    it is to be removed by hand");
                Ok(())
            }
            (saved, _) => saved,
        };
        if saved.is_err() {
            self.release(&entry.key());
            let mut state = self.state();
            // One that was there before may be at the provider.
            state.records.retain(|key, held| !is_new || held.owners > 0 || *key != entry.key());
        }
        saved
    }

    /// One less wants it.
    pub(super) fn release(&self, key: &Key) {
        if let Some(held) = self.state().records.get_mut(key) {
            held.owners = held.owners.saturating_sub(1);
        }
    }

    /// The records that nobody wants.
    pub(super) fn unwanted(&self) -> Vec<Entry> {
        self.state().records.values().filter(|held| held.owners == 0).map(|held| held.entry.clone()).collect()
    }

    /// Whether it is there and nobody wants it.
    pub(super) fn is_unwanted(&self, key: &Key) -> bool {
        self.state().records.get(key).is_some_and(|held| held.owners == 0)
    }

    /// Forgets it, unless somebody wants it by now.
    pub(super) async fn forget(&self, key: &Key) {
        {
            let mut state = self.state();
            if state.records.get(key).is_none_or(|held| held.owners > 0) {
                return;
            }
            state.records.remove(key);
            state.revision += 1;
        }
        // What stays in the file is removed once more at the next start, which harms nobody.
        if let Err(error) = self.save().await {
            tracing::warn!(error, "a DNS record was removed, and its line in the journal was not");
        }
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.state().records.len()
    }

    /// Waits until nothing is being written.
    pub(super) async fn settle(&self) {
        let _quiet = self.saved.lock().await;
    }

    /// Brings the file up to date. Those who come while it is written are all served by the next write.
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

    // A panic while the lock is held would be a bug of ours; the state is whole at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
