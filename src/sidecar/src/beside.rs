//! Small files of our own beside the storage: JSON, read whole and replaced whole.
//!
//! Promises: a file is the whole old or the whole new one at every moment, 0600; one that can't be read is set aside and
//! never written over.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::catalog::now_seconds;
use crate::store::sync_directory;

/// Only the owner may read and write.
const MODE: u32 = 0o600;

/// The path of a file beside a storage.
pub(crate) fn path(storage: &Path, suffix: &str) -> PathBuf {
    let mut path = storage.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// What is in a file of at most `max` bytes.
///
/// # Errors
/// When it is not there, not readable, larger, or something else.
pub(crate) fn read<T: DeserializeOwned>(path: &Path, max: u64) -> io::Result<T> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    let mut text = Vec::new();
    file.take(max.saturating_add(1)).read_to_end(&mut text)?;
    if text.len() as u64 > max {
        return Err(io::Error::other(format!("larger than {max} bytes")));
    }
    Ok(serde_json::from_slice(&text)?)
}

/// Moves a file out of the way; gives where to.
///
/// # Errors
/// When it can't be moved.
pub(crate) fn set_aside(unreadable: &Path) -> io::Result<PathBuf> {
    let aside = path(unreadable, &format!(".unreadable-{}", now_seconds()));
    fs::rename(unreadable, &aside)?;
    Ok(aside)
}

/// Replaces a file. When it returns `Ok` the new one is on disk; on an error the old one is still there. The directory
/// must be ours alone, as that of a locked storage is.
///
/// # Errors
/// When it can't be written.
pub(crate) fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let temporary = self::path(path, ".new");
    // A crash may have left one. Nobody else is writing it, as the storage beside it is locked.
    absent(fs::remove_file(&temporary))?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(content)?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_directory(directory(path))
}

/// Removes a file, if it is there.
///
/// # Errors
/// When it can't be removed.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    absent(fs::remove_file(path))?;
    sync_directory(directory(path))
}

/// What is not there is removed already.
fn absent(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
