//! Small files of our own next to the storage: JSON, read and replaced as a whole.
//!
//! Promises: a file is replaced by [`crate::files::atomic_file`], and has the mode 0600; an unreadable file is set aside
//! and never overwritten.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::files::Directory;
use crate::files::atomic_file::{replace_locked, sibling};

/// Mode of the files: only the owner may read and write.
const MODE: u32 = 0o600;

/// The path of a file next to a storage.
pub fn path(storage: &Path, suffix: &str) -> PathBuf {
    let mut path = storage.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Reads a file of at most `max` bytes.
///
/// # Errors
/// If the file does not exist, is not readable, is larger, or has another content.
pub fn read<T: DeserializeOwned>(path: &Path, max: u64) -> io::Result<T> {
    let (directory, name) = Directory::of_entry(path)?;
    let content = directory.read(&name, max)?.ok_or(io::ErrorKind::NotFound)?;
    Ok(serde_json::from_slice(&content.bytes)?)
}

/// Moves a file out of the way, under a name with this time (seconds since 1970); returns its new path.
///
/// # Errors
/// If the file can't be moved.
pub fn set_aside(unreadable: &Path, now: i64) -> io::Result<PathBuf> {
    let (directory, name) = Directory::of_entry(unreadable)?;
    let aside = sibling("", &name, &format!(".unreadable-{now}"));
    directory.rename(&name, &aside)?;
    Ok(directory.path_of(&aside))
}

/// Replaces a file. On `Ok` the new file is on disk; on an error the old one is still there. The storage next to it
/// must be locked.
///
/// # Errors
/// If the file can't be written.
pub fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let (directory, name) = Directory::of_entry(path)?;
    let temporary = sibling("", &name, ".new");
    let content = serde_json::to_vec_pretty(content)?;
    replace_locked(&directory, [&name, &temporary], MODE, |out| out.write_all(&content), || Ok(()))?;
    Ok(())
}

/// Removes a file, if it exists.
///
/// # Errors
/// If the file can't be removed.
pub fn remove(path: &Path) -> io::Result<()> {
    let (directory, name) = Directory::of_entry(path)?;
    directory.remove(&name)?;
    Ok(directory.sync()?)
}
