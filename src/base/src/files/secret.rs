//! Files with a secret: those that the user keeps, and those that we make.
//!
//! Promises: a secret that others may write is never taken, and one that is ours alone to know (a token, say) never
//! when everybody may read it, or somebody else could put another one there. A group's members may read it, as that is
//! how a secret is shared with one other user. The user's own files are found through links, as secrets in containers
//! are; they are regular files, and read bounded.

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

/// The bit that lets everybody read.
const EVERYBODY_READS: u32 = 0o004;
/// Only the owner may look in.
const DIRECTORY_MODE: u32 = 0o700;

/// What is in a user's file, and whether it is a secret at all.
pub struct UserSecret {
    /// The content.
    pub bytes: Vec<u8>,
    /// Why others may know it, or could put another one in its place.
    pub doubts: Vec<FileError>,
}

/// Reads a file that the user keeps, of at most `most` bytes, whoever may read it or could replace it: whoever calls
/// this tells of it. It blocks, but never on a FIFO.
///
/// # Errors
/// When it can't be read, is no regular file, is larger, or others may write it.
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

/// Reads a file that nobody but its owner and its group may read, and nobody else replace, of at most `most` bytes. It
/// blocks, but never on a FIFO.
///
/// # Errors
/// As [`read_exposed`], and when there is a doubt.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let UserSecret { bytes, doubts } = read_exposed(path, most)?;
    doubts.into_iter().next().map_or(Ok(bytes), Err)
}

/// Opens a file at the end of a way that was looked at, and says who on it could lead to another one.
fn opened(path: &Path) -> Result<(File, Metadata, Vec<FileError>), FileError> {
    let found = walk(path, Last::File)?;
    let Some(name) = found.name.filter(|_| found.missing.is_empty()) else {
        return Err(FileError::io(path, "read", io::ErrorKind::NotFound.into()));
    };
    let (file, metadata) = users::opened(&found.directory, &name, OFlags::NOFOLLOW, path)?;
    let mut doubts: Vec<FileError> = judge_way(&found.seen, &found.last, Owners::Anybody).err().into_iter().collect();
    // One that is mounted by itself was put there by root, as secrets of Docker Compose are, whose user's the file is.
    if !is_trusted(&metadata, found.last.metadata.uid()) && !is_mounted(&found.directory, &name) {
        doubts.push(FileError::ForeignSecret { path: path.to_owned(), owner: metadata.uid() });
    }
    Ok((file, metadata, doubts))
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
    atomic_file::create(&directory, &name, access, content)
}

/// Replaces a file with a secret by one step, or makes it. When it returns `Ok`, the new one is on disk. It blocks.
///
/// # Errors
/// When it can't be written there; the old one is as it was.
pub fn replace(path: &Path, access: Access, content: &[u8]) -> Result<(), FileError> {
    let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
    directory.look_at_file(&name)?;
    atomic_file::replace_as(&directory, &name, access, content)
}
