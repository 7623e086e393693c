//! The user's files, which are only read: found through any link, and never blocking.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use rustix::fd::AsFd;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;

use super::error::FileError;

/// Reads a regular file of at most `most` bytes. Blocks, but never on a FIFO.
///
/// # Errors
/// If the file can't be read, is no regular file, or is larger.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    content(opened(CWD, path.as_os_str(), OFlags::empty(), path)?.0, path, most)
}

/// Opens a path in which all links were resolved before: a link that is there now was created since, and is not
/// followed. Kernels before 5.6 can only refuse a link in the last name.
///
/// # Errors
/// If the path can't be opened, or contains a link.
pub fn open_resolved(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        // A sandbox that does not know the call may say that it is not permitted.
        Err(Errno::NOSYS | Errno::PERM) => Ok(open(path, flags, Mode::empty())?.into()),
        opened => Ok(opened?.into()),
    }
}

/// Opens the regular file `name` in the directory `at`; errors name it as `path`.
pub(super) fn opened(at: impl AsFd, name: &OsStr, further: OFlags, path: &Path) -> Result<(File, Metadata), FileError> {
    let failed = |error| FileError::io(path, "read", error);
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | further;
    let file: File = openat(at, name, flags, Mode::empty()).map_err(|error| failed(error.into()))?.into();
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
