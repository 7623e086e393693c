//! One file: its records in memory, and its writer.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::blank::is_blank;
use super::committer::{Committer, Medium};
use super::disk::{self, Disk, Found};
use super::document::{Document, Records};
use super::history::Note;
use super::open_error::OpenError;
use super::schema;
use crate::disk_status::{DiskStatus, Writing};
use crate::store::CommitError;
use base::clock::Clock;

/// A file that is read, and locked if it is to be written. Nothing has been written yet.
pub(super) struct Opened {
    path: PathBuf,
    /// The file on disk; `None` when it is read only.
    disk: Option<Disk>,
    pub(super) records: Records,
    /// True if the file is missing or empty.
    is_new: bool,
    /// Number of changes that are in the file.
    saved: u64,
}

impl Opened {
    /// Locks and reads the file. Blocks.
    pub(super) fn read(path: &Path, clock: &Clock) -> Result<Self, OpenError> {
        let (disk, found) = Disk::open(path, clock.clone())?;
        Self::of(Some(disk), found)
    }

    /// Reads the file without a lock, and without making anything: it can't be written. Blocks.
    pub(super) fn look(path: &Path) -> Result<Self, OpenError> {
        Self::of(None, disk::look(path)?)
    }

    fn of(disk: Option<Disk>, found: Found) -> Result<Self, OpenError> {
        let records = found.records()?;
        for fault in records.faults() {
            tracing::error!(storage = %found.path.display(), "{fault}");
        }
        let saved = records.count();
        let is_new = found.text.is_none_or(|text| is_blank(&text));
        Ok(Self { path: found.path, disk, records, is_new, saved })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// True if there are changes to save.
    pub(super) fn is_changed(&self) -> bool {
        self.saved < self.records.count()
    }

    /// Writes everything. Blocks.
    pub(super) fn write(&mut self) -> Result<(), OpenError> {
        let doing = if self.is_new { "create" } else { "write" };
        let written = match &mut self.disk {
            Some(disk) => save(disk, self.records.document()),
            None => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it was opened only to be looked at")),
        };
        written.map_err(|error| OpenError::Io { path: self.path.clone(), doing, error })
    }

    /// Makes the file when it is missing, saves the changes since it was read, and accepts changes from now on. Blocks.
    pub(super) fn start(mut self, writing: Writing) -> Result<OneFile, OpenError> {
        if self.is_new || self.is_changed() {
            self.write()?;
        }
        let path = self.path;
        let Some(mut disk) = self.disk else { return Err(OpenError::Locked(path)) };
        disk.note(Note::of(self.records.document()));
        let saved = self.records.count();
        let place: Arc<str> = path.display().to_string().into();
        let records = Arc::new(Mutex::new(self.records));
        let medium = FileMedium { disk, records: records.clone() };
        let committer = Committer::start(medium, saved, place.clone(), writing).map_err(|error| OpenError::Io {
            path,
            doing: "start a thread for",
            error,
        })?;
        Ok(OneFile { place, records, committer })
    }
}

/// A file in use.
pub(super) struct OneFile {
    place: Arc<str>,
    records: Arc<Mutex<Records>>,
    committer: Committer,
}

impl OneFile {
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }

    pub(super) fn status(&self) -> DiskStatus {
        self.committer.status()
    }

    /// Waits until the changes up to `count` are on disk, or the next write failed.
    pub(super) async fn durable(&self, count: u64) -> Result<(), CommitError> {
        let durable = self.committer.durable(count).await;
        durable.map_err(|why| CommitError::Unsaved(format!("{}: {why}", self.place)))
    }

    /// Tries once to save the remaining changes.
    pub(super) async fn retry(&self) {
        let count = self.records().count();
        // The status shows why it failed.
        let _ = self.durable(count).await;
    }

    /// Saves the remaining changes, and ends.
    pub(super) async fn close(&self) -> Result<(), CommitError> {
        let count = self.records().count();
        let durable = self.durable(count).await;
        self.committer.close().await;
        durable
    }
}

/// The file and its records, for the committer.
struct FileMedium {
    disk: Disk,
    records: Arc<Mutex<Records>>,
}

impl Medium for FileMedium {
    fn count(&self) -> u64 {
        lock(&self.records).count()
    }

    fn write(&mut self) -> (u64, io::Result<()>) {
        let (count, document) = {
            let records = lock(&self.records);
            (records.count(), records.document().clone())
        };
        (count, save(&mut self.disk, &document))
    }
}

fn save(disk: &mut Disk, document: &Document) -> io::Result<()> {
    disk.replace(|out| Ok(schema::write(document, out)?))?;
    disk.note(Note::of(document));
    Ok(())
}

// A panic while the lock is held would be a bug of ours; the storage goes on with what it has.
fn lock(records: &Mutex<Records>) -> MutexGuard<'_, Records> {
    records.lock().unwrap_or_else(PoisonError::into_inner)
}
