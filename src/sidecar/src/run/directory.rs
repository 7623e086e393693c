//! The directory of a running `run`: its sockets, Envoy's files, and a lock.
//!
//! Promises: nobody else can look into it; one `run` uses it at a time.

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::RunError;
use crate::files::{self, FileError, Lock, Owners};

/// Only the owner may pass: Envoy runs as the same user.
const MODE: u32 = 0o700;
/// The name of the lock's file.
const LOCK: &str = "lock";

/// A directory that is ours as long as this lives.
pub struct Directory {
    path: PathBuf,
    /// Let go of by the system, however the process ends.
    _lock: Lock,
    /// Removed at the end, when it is only for this run.
    _temporary: Option<tempfile::TempDir>,
}

impl Directory {
    /// This directory; it is made when it is not there. Unset, one that is removed at the end.
    ///
    /// # Errors
    /// When it can't be made, belongs to somebody else, or is in use.
    pub fn open(path: Option<&Path>) -> Result<Self, RunError> {
        match path {
            Some(path) => Self::at(path, None),
            None => {
                let in_which = std::env::temp_dir();
                // Whatever the umask is.
                let mode = Permissions::from_mode(MODE);
                let temporary = tempfile::Builder::new().prefix("envoy-autocert-").permissions(mode).tempdir();
                let temporary = temporary.map_err(|error| RunError::File { path: in_which, error })?;
                let path = temporary.path().to_owned();
                Self::at(&path, Some(temporary))
            }
        }
    }

    fn at(path: &Path, temporary: Option<tempfile::TempDir>) -> Result<Self, RunError> {
        let directory = files::Directory::make(path, MODE, Owners::Ours).map_err(RunError::Directory)?;
        // Absolute, as Envoy may have another working directory.
        let path = directory.path().to_owned();
        match directory.lock(OsStr::new(LOCK)) {
            Ok(lock) => Ok(Self { path, _lock: lock, _temporary: temporary }),
            Err(FileError::Locked(_)) => Err(RunError::InUse(path)),
            Err(error) => Err(RunError::Directory(error)),
        }
    }

    /// Where it is, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn one_at_a_time_uses_a_directory() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("deep/run");
        let first = Directory::open(Some(&path)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        assert!(matches!(Directory::open(Some(&path)), Err(RunError::InUse(_))));
        drop(first);
        assert!(Directory::open(Some(&path)).is_ok());
    }

    #[test]
    fn one_that_others_can_write_into_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let refused = Directory::open(Some(parent.path()));
        assert!(matches!(refused, Err(RunError::Directory(FileError::OpenDirectory { .. }))));
    }

    #[test]
    fn a_directory_of_nobodys_choice_is_removed_at_the_end() {
        let directory = Directory::open(None).unwrap();
        let path = directory.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE, "whatever the umask is");
        drop(directory);
        assert!(!path.exists());
    }
}
