//! The file on disk: permissions, lock, and atomic replacement.
//!
//! Promises: at every moment the path holds the whole old or the whole new file; the file is never readable by others;
//! one sidecar uses it at a time; a version that somebody else wrote meanwhile is set aside, not overwritten. The file
//! is judged before anything is made or locked. Refuses: to open a file that others may read, that is no regular file,
//! that lost its content, or that is a mount point of its own (it could not be replaced).

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::document::Records;
use super::history::{History, LOCK, Note, Noted};
use super::open_error::OpenError;
use base::clock::Clock;
use base::files::atomic_file::{replace_locked, sibling};
use base::files::{Content, Directory, FileError, Lock};

/// Only the owner may read and write.
const MODE: u32 = 0o600;
/// Only the owner may enter.
const DIRECTORY_MODE: u32 = 0o700;
/// The mode bits of group and others.
const OTHERS: u32 = 0o077;
/// The largest file that is read, in bytes: ten thousand certificates take a tenth of it.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// The file, locked.
pub(super) struct Disk {
    directory: Directory,
    name: OsString,
    path: PathBuf,
    temporary: OsString,
    clock: Clock,
    /// The file as last read or written; `None` when it was not there.
    known: Option<Stamp>,
    /// Held as long as the file is used. The kernel releases it when the process ends, however that happens.
    lock: Lock,
    noted: Noted,
}

/// The attributes that tell two versions of a file apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.size(), modified }
    }
}

impl Disk {
    /// Locks and reads the file. A later version of somebody else's will be set aside under a name with the time of
    /// `clock`.
    pub(super) fn open(path: &Path, clock: Clock) -> Result<(Self, Found), OpenError> {
        let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
        let path = directory.path_of(&name);
        if let Some(metadata) = directory.look_at_file(&name)? {
            judge(&directory, &name, &metadata)?;
        }
        let history = History::find(&directory, &name);
        let lock = directory.lock(&sibling("", &name, LOCK)).map_err(|error| match error {
            FileError::Locked(_) => OpenError::Locked(path.clone()),
            other => other.into(),
        })?;
        history.begin(&lock);
        let content = content(&directory, &name)?;
        let known = content.as_ref().map(|content| Stamp::of(&content.metadata));
        let temporary = sibling(".", &name, ".new");
        let noted = Noted::of(&history);
        let found = Found { path: path.clone(), text: content.map(|content| content.bytes), history };
        Ok((Self { directory, name, path, temporary, clock, known, lock, noted }, found))
    }

    /// Updates the note in the lock file, for the case that the storage is found empty one day.
    pub(super) fn note(&mut self, note: Note) {
        self.noted.update(&self.lock, note);
    }

    /// Replaces the file. On `Ok` the new file is on disk; on an error the old file is still there.
    pub(super) fn replace(&mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let names = [self.name.as_os_str(), self.temporary.as_os_str()];
        let written = replace_locked(&self.directory, names, MODE, content, || self.set_aside_a_foreign_version())?;
        self.known = Some(Stamp::of(&written));
        Ok(())
    }

    fn set_aside_a_foreign_version(&self) -> io::Result<()> {
        let Some(found) = self.directory.look(&self.name)? else {
            if self.known.is_some() {
                tracing::warn!(path = %self.path.display(), "the storage file was removed; writing it again");
            }
            return Ok(());
        };
        if self.known == Some(Stamp::of(&found)) {
            return Ok(());
        }
        let aside = sibling("", &self.name, &format!(".changed-{}", self.clock.now_seconds()));
        self.directory.rename(&self.name, &aside)?;
        let path = self.path.display();
        let aside = self.directory.path_of(&aside);
        tracing::warn!(%path, aside = %aside.display(), "the storage file was changed by something else while in use; \
            that version is set aside, and ours is written. Stop the sidecar before you edit the file");
        Ok(())
    }
}

/// The file as found.
pub(super) struct Found {
    /// The path.
    pub(super) path: PathBuf,
    /// The content; `None` when there is no file.
    pub(super) text: Option<Vec<u8>>,
    /// The history, from the files next to it.
    pub(super) history: History,
}

impl Found {
    /// The parsed content.
    ///
    /// # Errors
    /// When the file is no storage, or has lost its content.
    pub(super) fn records(&self) -> Result<Records, OpenError> {
        let read = Records::read(self.text.as_deref().unwrap_or_default());
        let records = read.map_err(|damage| OpenError::Damaged { path: self.path.clone(), damage })?;
        self.history.judge(&self.path, self.text.as_deref(), records.document())?;
        Ok(records)
    }
}

/// The file without a lock. Nothing is made or changed.
pub(super) fn look(path: &Path) -> Result<Found, OpenError> {
    looked(path, content)
}

/// The file for a reader: checked, without a lock.
pub(super) fn read(path: &Path) -> Result<Found, OpenError> {
    looked(path, |directory, name| Ok(directory.read(name, MAX_BYTES)?))
}

fn looked(
    path: &Path,
    content: impl Fn(&Directory, &OsStr) -> Result<Option<Content>, OpenError>,
) -> Result<Found, OpenError> {
    let (directory, name) = match Directory::of(path) {
        Err(error) if error.is_absent() => {
            return Ok(Found { path: path.to_owned(), text: None, history: History::default() });
        }
        found => found?,
    };
    let history = History::find(&directory, &name);
    let text = content(&directory, &name)?.map(|content| content.bytes);
    Ok(Found { path: directory.path_of(&name), text, history })
}

/// The stamp of the file; `None` when it is not there, or can't be examined.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let (directory, name) = Directory::of(path).ok()?;
    directory.look(&name).ok()?.map(|metadata| Stamp::of(&metadata))
}

fn content(directory: &Directory, name: &OsStr) -> Result<Option<Content>, OpenError> {
    let content = directory.read(name, MAX_BYTES)?;
    if let Some(content) = &content {
        judge(directory, name, &content.metadata)?;
    }
    Ok(content)
}

/// Refuses a file that can't be a storage.
fn judge(directory: &Directory, name: &OsStr, metadata: &Metadata) -> Result<(), OpenError> {
    let path = directory.path_of(name);
    if metadata.mode() & OTHERS != 0 {
        return Err(OpenError::TooOpen { mode: metadata.mode() & 0o7777, path });
    }
    if directory.is_mount_point(name) { Err(OpenError::MountPoint(path)) } else { Ok(()) }
}
