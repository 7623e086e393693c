//! A certificate of the user's, in one file or two.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use base::date::day;
use base::exposed;
use base::files::{self, secret, users};
use pki::Pair;
use pki::PairError;

/// The largest file that is read, in bytes. A chain of ten certificates has some 20 KiB.
pub(super) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The files of a pair. Both paths are the same if one file holds both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Files {
    /// The file with the chain, leaf first.
    pub certificate: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
}

/// The stamps of a pair's files, by which a change is noticed without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([FileStamp; 2]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// The change time, which also changes with the permissions: a file that became readable is tried again.
    changed: (i64, i64),
}

impl Files {
    /// Reads both files and checks that they match. Ignores the validity dates.
    ///
    /// # Errors
    /// When a file can't be read, or Envoy would not take the pair.
    pub fn load(&self) -> Result<Pair, FileError> {
        let key = self.read_key()?;
        let certificate = if self.key == self.certificate { key.clone() } else { read(&self.certificate)? };
        Pair::parse(&certificate, &key).map_err(|error| FileError::Pair { key: self.key.clone(), error })
    }

    /// Loads as [`Files::load`] does, but refuses an expired certificate. A certificate that is not valid yet is fine.
    pub(super) fn load_valid_at(&self, now: i64) -> Result<Pair, FileError> {
        let pair = self.load()?;
        if pair.not_after < now { Err(FileError::Expired(pair.not_after)) } else { Ok(pair) }
    }

    fn read_key(&self) -> Result<String, FileError> {
        let read = secret::read_exposed(&self.key, MAX_FILE_BYTES)?;
        exposed::warn(&self.key, &read);
        Ok(text(&read.bytes))
    }

    /// The files' stamps; `None` if a file is missing.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let stamp = |path: &Path| fs::metadata(path).ok().map(|metadata| FileStamp::of(&metadata));
        Some(Stamp([stamp(&self.certificate)?, stamp(&self.key)?]))
    }
}

impl FileStamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    Ok(text(&users::read(path, MAX_FILE_BYTES)?))
}

/// Converts a file's content to text. PEM is ASCII; other parts of the file are ignored.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl From<files::FileError> for FileError {
    fn from(error: files::FileError) -> Self {
        match error {
            files::FileError::Io { path, error, .. } => Self::Unreadable { path, error },
            files::FileError::TooLarge { path, .. } => Self::TooLarge(path),
            other => Self::Unfit(other),
        }
    }
}

/// Reasons why files are not served.
#[derive(Debug)]
pub enum FileError {
    /// The certificate expired at this time, in seconds since 1970.
    Expired(i64),
    /// The files are not a pair that can be served.
    Pair {
        /// The file that should hold the key.
        key: PathBuf,
        /// The fault.
        error: PairError,
    },
    /// A file is larger than any certificate.
    TooLarge(PathBuf),
    /// The path is no regular file, or the key's owner or mode is unsafe.
    Unfit(files::FileError),
    /// A file can't be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired(not_after) => write!(f, "it expired on {}", day(*not_after)),
            Self::Pair { key, error: error @ (PairError::Key(_) | PairError::KeyMismatch) } => {
                write!(f, "{error}; key file {}", key.display())
            }
            Self::Pair { error, .. } => error.fmt(f),
            Self::TooLarge(path) => {
                write!(f, "{} has more than {MAX_FILE_BYTES} bytes; expected a PEM file", path.display())
            }
            Self::Unfit(error) => error.fmt(f),
            Self::Unreadable { path, error } => write!(f, "{} can't be read: {error}", path.display()),
        }
    }
}

impl std::error::Error for FileError {}
