//! Locks: of a file that is there for nothing else, and of a directory itself.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::io;

use rustix::fs::{Mode, OFlags, openat};

use super::directory::Directory;
use super::error::FileError;

/// Only the owner may read and write.
const LOCK_MODE: u32 = 0o600;
/// How often a lock's file is looked for that comes and goes.
const TRIES: usize = 16;

/// A file's lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// A directory's lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub struct Turn {
    _file: File,
}

impl Directory {
    /// Locks a file, which is made when it is not there.
    ///
    /// # Errors
    /// When another process has locked it, or it can't be a file of ours.
    pub fn lock(&self, name: &OsStr) -> Result<Lock, FileError> {
        let file = self.lock_file(name)?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
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

    /// Locks the directory itself; waits until nobody else has locked it.
    ///
    /// # Errors
    /// When it can't be locked.
    pub fn wait_for_turn(&self) -> Result<Turn, FileError> {
        let failed = |error| FileError::io(self.path(), "lock", error);
        // Opened anew, as a lock belongs to what was opened.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let file: File = openat(self.file(), ".", flags, Mode::empty()).map_err(|error| failed(error.into()))?.into();
        file.lock().map_err(failed)?;
        Ok(Turn { _file: file })
    }
}
