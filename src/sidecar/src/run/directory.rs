//! The directory of a running `run`: its sockets, Envoy's files, and a lock.
//!
//! Promises: no other user can look into it; one `run` uses it at a time; the temporary directory of a killed `run` is
//! removed by the next.

use std::ffi::OsStr;
use std::fs::{Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::RunError;
use base::files::{self, FileError, Lock, Owners, atomic_file};

/// The directory's mode: only the owner may enter, since Envoy runs as the same user.
const MODE: u32 = 0o700;
/// The mode of the mark.
const MARK_MODE: u32 = 0o600;
/// The prefix of temporary directories' names.
const PREFIX: &str = "envoy-autocert-";
/// The name of the lock's file.
const LOCK: &str = "lock";
/// The name of the file that marks a directory as temporary: directories that a user has named are never removed.
const MARK: &str = "temporary";

/// A directory that is ours as long as this lives.
pub struct Directory {
    path: PathBuf,
    /// The lock, released by the system however the process ends.
    _lock: Lock,
    /// The temporary directory, removed at the end.
    _temporary: Option<tempfile::TempDir>,
}

impl Directory {
    /// Opens this directory; creates it if it is missing. If unset, creates a temporary directory.
    ///
    /// # Errors
    /// When it can't be created, belongs to another user, or is in use.
    pub fn open(path: Option<&Path>) -> Result<Self, RunError> {
        match path {
            Some(path) => Self::at(path, None),
            None => {
                let in_which = std::env::temp_dir();
                // The mode must not depend on the umask.
                let mode = Permissions::from_mode(MODE);
                sweep(&in_which);
                let temporary = tempfile::Builder::new().prefix(PREFIX).permissions(mode).tempdir();
                let temporary = temporary.map_err(|error| RunError::File { path: in_which, error })?;
                let path = temporary.path().to_owned();
                let directory = Self::at(&path, Some(temporary))?;
                // Marked under the lock, so that a sweep can't come between.
                directory.mark()?;
                Ok(directory)
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

    fn mark(&self) -> Result<(), RunError> {
        let directory = files::Directory::open(&self.path, Owners::Ours).map_err(RunError::Directory)?;
        let marked = || atomic_file::replace(&directory, OsStr::new(MARK), MARK_MODE, b"");
        marked().map_err(RunError::Directory)
    }

    /// The directory's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Removes the temporary directories of killed runs: ours, and unlocked.
fn sweep(place: &Path) {
    // Others may write into it as well; each directory in it is checked by itself.
    let Ok(place) = files::Directory::open(place, Owners::AnybodyAmongOthers) else { return };
    let names = place.names().unwrap_or_default();
    for name in names.iter().filter(|name| name.to_string_lossy().starts_with(PREFIX)) {
        let path = place.path_of(name);
        match remove_dead(&place, name) {
            Ok(true) => tracing::info!(path = %path.display(), "removed the directory of a killed run"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the directory of a killed run can't be removed"),
        }
    }
}

/// Removes the directory of this name if it is ours and unused; returns whether it was.
fn remove_dead(place: &files::Directory, name: &OsStr) -> Result<bool, FileError> {
    let own = rustix::process::geteuid().as_raw();
    let is_ours = |found: &Metadata| found.is_dir() && found.uid() == own && found.mode() & 0o7777 == MODE;
    if !place.look(name)?.is_some_and(|found| is_ours(&found)) {
        return Ok(false);
    }
    let directory = files::Directory::open(&place.path_of(name), Owners::Ours)?;
    let lock = OsStr::new(LOCK);
    // A directory without a lock file is about to be used, and one without the mark is the user's own.
    if directory.look(lock)?.is_none() || directory.look(OsStr::new(MARK))?.is_none() {
        return Ok(false);
    }
    // Held until everything is removed, so that no `run` uses the directory meanwhile.
    let _lock = match directory.lock(lock) {
        Err(FileError::Locked(_)) => return Ok(false),
        locked => locked?,
    };
    for file in directory.names()?.iter().filter(|file| *file != lock) {
        directory.remove(file)?;
    }
    directory.remove(lock)?;
    place.remove_directory(name)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

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
        fs::set_permissions(parent.path(), Permissions::from_mode(0o777)).unwrap();
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

    /// F15.
    #[test]
    fn only_what_nobody_uses_any_more_is_swept() {
        let place = tempfile::tempdir().unwrap();
        let make = |name: &str, mode: u32| {
            let path = place.path().join(name);
            fs::create_dir(&path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            path
        };
        let dead = make("envoy-autocert-dead", MODE);
        fs::write(dead.join("bootstrap.json"), "{}").unwrap();
        let marked = Directory::at(&dead, None).unwrap();
        marked.mark().unwrap();
        drop(marked);
        // The directory is like one of `mktemp -d`.
        let named = make("envoy-autocert-named", MODE);
        fs::write(named.join("acme.json"), "{}").unwrap();
        drop(Directory::at(&named, None).unwrap());
        let live = make("envoy-autocert-live", MODE);
        let _live = Directory::at(&live, None).unwrap();
        let young = make("envoy-autocert-young", MODE);
        let open = make("envoy-autocert-open", 0o755);
        fs::write(open.join(LOCK), "").unwrap();
        let other = make("else", MODE);
        fs::write(other.join(LOCK), "").unwrap();
        let link = place.path().join("envoy-autocert-link");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        // The mode is that of the system's directory.
        fs::set_permissions(place.path(), Permissions::from_mode(0o1777)).unwrap();
        sweep(place.path());
        assert!(!dead.exists());
        for path in [live, young, open, other, link, named.join("acme.json")] {
            assert!(path.exists(), "{}", path.display());
        }
    }
}
