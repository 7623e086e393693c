//! Files with a secret: those that the user keeps, and those that we make.
//!
//! Promises: a secret that others may change is never taken, and one that is ours alone to know (a token, say) never
//! when everybody may read it. A group's members may, as that is how a secret is shared with one other user. The user's
//! own files are found through any link, as secrets in containers are; they are regular files, and read bounded.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::directory::Directory;
use super::error::FileError;
use super::trust::others_write;
use super::users;

/// The bit that lets everybody read.
const EVERYBODY_READS: u32 = 0o004;
/// Only the owner may look in.
const DIRECTORY_MODE: u32 = 0o700;

/// What is in a user's file, and whether it is a secret at all.
pub struct UserSecret {
    /// The content.
    pub bytes: Vec<u8>,
    /// The mode, when everybody may read the file.
    pub exposed: Option<u32>,
}

/// Reads a file that the user keeps, of at most `most` bytes, which everybody may read: whoever calls this tells of it.
/// It blocks, but never on a FIFO.
///
/// # Errors
/// When it can't be read, is no regular file, is larger, or others may write it.
pub fn read_exposed(path: &Path, most: u64) -> Result<UserSecret, FileError> {
    let (file, metadata) = users::opened(path)?;
    let mode = metadata.mode() & 0o7777;
    if others_write(&metadata) {
        return Err(FileError::Writable { path: path.to_owned(), mode });
    }
    let bytes = users::content(file, path, most)?;
    Ok(UserSecret { bytes, exposed: exposed(&metadata) })
}

/// Reads a file that nobody but its owner and its group may read, of at most `most` bytes. It blocks, but never on a
/// FIFO.
///
/// # Errors
/// As [`read_exposed`], and when everybody may read it.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let UserSecret { bytes, exposed } = read_exposed(path, most)?;
    match exposed {
        Some(mode) => Err(FileError::Exposed { path: path.to_owned(), mode }),
        None => Ok(bytes),
    }
}

/// Reads a file that we have made, as [`read`] does, but never through a link.
///
/// # Errors
/// As [`read`], and when it can't be a file of ours.
pub fn read_own(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let (directory, name) = Directory::beside(path)?;
    let absent = || FileError::io(path, "read", io::ErrorKind::NotFound.into());
    let content = directory.read(&name, most)?.ok_or_else(absent)?;
    let mode = content.metadata.mode() & 0o7777;
    if others_write(&content.metadata) {
        return Err(FileError::Writable { path: path.to_owned(), mode });
    }
    match exposed(&content.metadata) {
        Some(mode) => Err(FileError::Exposed { path: path.to_owned(), mode }),
        None => Ok(content.bytes),
    }
}

/// The mode of a file that everybody may read.
pub fn exposed(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    (mode & EVERYBODY_READS != 0).then_some(mode)
}

/// Who may read a file that we make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its mode, as 0600 or 0640.
    pub mode: u32,
    /// The group that it is given to.
    pub group: Option<u32>,
}

/// Makes a file with a secret, whole and with its mode before it has its name; says whether there was none. The
/// directory is made when it is not there. It blocks.
///
/// # Errors
/// When it can't be made there.
pub fn create(path: &Path, access: Access, content: &[u8]) -> Result<bool, FileError> {
    let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
    if directory.look_at_file(&name)?.is_some() {
        return Ok(false);
    }
    let mut new = directory.new_file_for(&name, access.mode)?;
    new.set_access(access.mode, access.group)?;
    new.write(|out| out.write_all(content)).map_err(|error| FileError::io(path, "write", error))?;
    new.put_if_absent(&name)
}

/// Replaces a file with a secret by one step, or makes it. When it returns `Ok`, the new one is on disk. It blocks.
///
/// # Errors
/// When it can't be written there; the old one is as it was.
pub fn replace(path: &Path, access: Access, content: &[u8]) -> Result<(), FileError> {
    let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
    directory.look_at_file(&name)?;
    let mut new = directory.new_file_for(&name, access.mode)?;
    new.set_access(access.mode, access.group)?;
    new.write(|out| out.write_all(content)).map_err(|error| FileError::io(path, "write", error))?;
    new.put(&name)
}
