//! Locks: of files that are there for nothing else, and that nobody else can open. A directory's own could be held by
//! whoever may read it.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::directory::Directory;
use super::error::FileError;

/// Only the owner may read and write.
const LOCK_MODE: u32 = 0o600;
/// How often a lock's file is looked for that comes and goes.
const TRIES: usize = 16;
/// How long a lock that is held is left alone. Nobody notices such a delay.
const PAUSE: Duration = Duration::from_millis(20);

/// A file's lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Replaces what is in the lock's file: a short note for who takes it next. A crash may leave part of it.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, note: &[u8]) -> io::Result<()> {
        self.file.write_all_at(note, 0)?;
        self.file.set_len(u64::try_from(note.len()).unwrap_or(u64::MAX))?;
        self.file.sync_all()
    }
}

impl Directory {
    /// Locks a file, which is made when it is not there.
    ///
    /// # Errors
    /// When another process has locked it, or it can't be a file of ours.
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

    /// As [`Directory::lock`], but waits so long for another process that has locked it. It blocks.
    ///
    /// # Errors
    /// When it is still locked then, or can't be a file of ours.
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
