//! Files with a secret: the user's, and our own.
//!
//! Promises: a secret that others may write is never accepted. A secret that only we may know (a token, say) is not
//! accepted if everybody may read it, or if another user could replace it. A group's members may read it, since that is
//! how a secret is shared with one other user. The user's own files are found through links, as containers mount
//! secrets; they are regular files, and reads are bounded.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::OFlags;

use super::atomic_file::{self, Access};
use super::directory::{Directory, is_mounted};
use super::error::FileError;
use super::trust::{Owners, is_trusted, judge_way, others_write};
use super::users;
use super::walk::{Last, walk};

/// Mode bit: everybody may read.
const EVERYBODY_READS: u32 = 0o004;
/// Mode of directories: only the owner has access.
const DIRECTORY_MODE: u32 = 0o700;

/// The content of a user's file, and doubts about its secrecy.
pub struct UserSecret {
    /// The content.
    pub bytes: Vec<u8>,
    /// Reasons why others may know the secret, or could replace it.
    pub doubts: Vec<FileError>,
}

/// Reads a file of the user's, of at most `most` bytes, even if others may read or replace it: the caller has to report
/// the doubts. Blocks, but never on a FIFO.
///
/// # Errors
/// If the file can't be read, is no regular file, is larger, or may be written by others.
pub fn read_exposed(path: &Path, most: u64) -> Result<UserSecret, FileError> {
    let (file, metadata, mut doubts) = opened(path)?;
    let mode = metadata.mode() & 0o7777;
    if others_write(&metadata) {
        return Err(FileError::Writable { path: path.to_owned(), mode });
    }
    let bytes = users::content(file, path, most)?;
    doubts.extend(exposed(&metadata).map(|mode| FileError::Exposed { path: path.to_owned(), mode }));
    Ok(UserSecret { bytes, doubts })
}

/// Reads a file of at most `most` bytes that only its owner and its group may read, and nobody else may replace.
/// Blocks, but never on a FIFO.
///
/// # Errors
/// As [`read_exposed`], and if there is a doubt.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let UserSecret { bytes, doubts } = read_exposed(path, most)?;
    doubts.into_iter().next().map_or(Ok(bytes), Err)
}

/// Opens the file at the end of a checked path; also returns who on the path could redirect it.
fn opened(path: &Path) -> Result<(File, Metadata, Vec<FileError>), FileError> {
    let found = walk(path, Last::File)?;
    let Some(name) = found.name.filter(|_| found.missing.is_empty()) else {
        return Err(FileError::io(path, "read", io::ErrorKind::NotFound.into()));
    };
    let (file, metadata) = users::opened(&found.directory, &name, OFlags::NOFOLLOW, path)?;
    let mut doubts: Vec<FileError> = judge_way(&found.seen, &found.last, Owners::Anybody).err().into_iter().collect();
    // A mount point was set up by root, as for secrets of Docker Compose, whatever the file's owner is.
    if !is_trusted(&metadata, found.last.metadata.uid()) && !is_mounted(&found.directory, &name) {
        doubts.push(FileError::ForeignSecret { path: path.to_owned(), owner: metadata.uid() });
    }
    Ok((file, metadata, doubts))
}

/// Reads a file that we have created, as [`read`] does, but never through a link.
///
/// # Errors
/// As [`read`], and if it can't be a file of ours.
pub fn read_own(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let (directory, name) = Directory::of_entry(path)?;
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

/// The mode of a file, if everybody may read it.
pub fn exposed(metadata: &Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o7777;
    (mode & EVERYBODY_READS != 0).then_some(mode)
}

/// Creates a file with a secret, which has its content and mode before it has its name; returns false if the file
/// exists. Creates the directory if it does not exist. Blocks.
///
/// # Errors
/// If the file can't be created.
pub fn create(path: &Path, access: Access, content: &[u8]) -> Result<bool, FileError> {
    let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
    if directory.look_at_file(&name)?.is_some() {
        return Ok(false);
    }
    atomic_file::create(&directory, &name, access, content)
}

/// Replaces a file with a secret atomically, or creates it. On `Ok`, the new file is on disk. Blocks.
///
/// # Errors
/// If the file can't be written; the old file is unchanged.
pub fn replace(path: &Path, access: Access, content: &[u8]) -> Result<(), FileError> {
    let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
    directory.look_at_file(&name)?;
    atomic_file::replace_as(&directory, &name, access, content)
}
