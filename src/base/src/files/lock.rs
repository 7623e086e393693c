//! Locks on dedicated files that no other user can open. A directory's own lock could be held by any user who may read
//! it.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::directory::Directory;
use super::error::FileError;

/// Mode of lock files: only the owner may read and write.
const LOCK_MODE: u32 = 0o600;
/// Maximum number of attempts to open a lock file that appears and disappears.
const TRIES: usize = 16;
/// Interval between attempts to take a lock. Nobody notices such a delay.
const PAUSE: Duration = Duration::from_millis(20);

/// A lock on a file, held until it is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Replaces the content of the lock file: a short note for its next holder. A crash may leave part of it.
    ///
    /// # Errors
    /// If the note can't be written.
    pub fn write(&self, note: &[u8]) -> io::Result<()> {
        self.file.write_all_at(note, 0)?;
        self.file.set_len(u64::try_from(note.len()).unwrap_or(u64::MAX))?;
        self.file.sync_all()
    }
}

impl Directory {
    /// Locks a file, and creates it if it does not exist.
    ///
    /// # Errors
    /// If another process has locked the file, or if it can't be a file of ours.
    pub fn lock(&self, name: &OsStr) -> Result<Lock, FileError> {
        let file = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { file }),
            Err(TryLockError::WouldBlock) => Err(FileError::Locked(self.path_of(name))),
            Err(TryLockError::Error(error)) => Err(self.failed(name, "lock", error)),
        }
    }

    fn lock_file(&self, name: &OsStr) -> Result<File, FileError> {
        for _ in 0..TRIES {
            if let Some(file) = self.open_file(name, OFlags::RDWR)? {
                return Ok(file);
            }
            match self.create(name, LOCK_MODE) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                created => return created,
            }
        }
        Err(self.failed(name, "lock", io::ErrorKind::ResourceBusy))
    }

    /// As [`Directory::lock`], but waits up to `patience` for another process to release the lock. Blocks.
    ///
    /// # Errors
    /// If the file is still locked then, or can't be a file of ours.
    pub fn wait_for_lock(&self, name: &OsStr, patience: Duration) -> Result<Lock, FileError> {
        let start = Instant::now();
        loop {
            match self.lock(name) {
                Err(FileError::Locked(_)) if start.elapsed() < patience => std::thread::sleep(PAUSE),
                locked => return locked,
            }
        }
    }
}
