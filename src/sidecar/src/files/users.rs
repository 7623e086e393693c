//! Files that the user keeps, which are only read: found through any link, and never waited for.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::error::FileError;

/// Reads a regular file of at most `most` bytes. It blocks, but never on a FIFO.
///
/// # Errors
/// When it can't be read, is something else, or is larger.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    content(opened(path)?.0, path, most)
}

pub(super) fn opened(path: &Path) -> Result<(File, Metadata), FileError> {
    let failed = |error| FileError::io(path, "read", error);
    let not_waiting = i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(not_waiting).open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if metadata.is_file() { Ok((file, metadata)) } else { Err(FileError::NotAFile(path.to_owned())) }
}

pub(super) fn content(file: File, path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| FileError::io(path, "read", error))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= most => Ok(bytes),
        Ok(_) | Err(_) => Err(FileError::TooLarge { path: path.to_owned(), most }),
    }
}
