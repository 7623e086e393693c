//! Small files of our own beside the storage: JSON, read whole and replaced whole.
//!
//! Promises: a file is replaced as [`crate::files::atomic_file`] promises, and has the mode 0600; a file that can't be read is set
//! aside and never written over.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::Directory;
use crate::files::atomic_file::{replace_locked, sibling};

/// Only the owner may read and write.
const MODE: u32 = 0o600;

/// The path of a file beside a storage.
pub fn path(storage: &Path, suffix: &str) -> PathBuf {
    let mut path = storage.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What is in a file of at most `max` bytes.
///
/// # Errors
/// When it is not there, not readable, larger, or something else.
pub fn read<T: DeserializeOwned>(path: &Path, max: u64) -> io::Result<T> {
    let (directory, name) = Directory::beside(path)?;
    let content = directory.read(&name, max)?.ok_or(io::ErrorKind::NotFound)?;
    Ok(serde_json::from_slice(&content.bytes)?)
}

/// Moves a file out of the way, under a name with this time (seconds since 1970); gives where to.
///
/// # Errors
/// When it can't be moved.
pub fn set_aside(unreadable: &Path, now: i64) -> io::Result<PathBuf> {
    let (directory, name) = Directory::beside(unreadable)?;
    let aside = sibling("", &name, &format!(".unreadable-{now}"));
    directory.rename(&name, &aside)?;
    Ok(directory.path_of(&aside))
}

/// Replaces a file. When it returns `Ok` the new one is on disk; on an error the old one is still there. The storage
/// beside it must be locked.
///
/// # Errors
/// When it can't be written.
pub fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let (directory, name) = Directory::beside(path)?;
    let temporary = sibling("", &name, ".new");
    let content = serde_json::to_vec_pretty(content)?;
    replace_locked(&directory, [&name, &temporary], MODE, |out| out.write_all(&content), || Ok(()))?;
    Ok(())
}

/// Removes a file, if it is there.
///
/// # Errors
/// When it can't be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    let (directory, name) = Directory::beside(path)?;
    directory.remove(&name)?;
    Ok(directory.sync()?)
}
