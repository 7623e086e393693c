//! One certificate of the user's, in one file or two.

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

/// Where a pair lies. Both paths are the same when one file holds both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Files {
    /// The file with the chain, leaf first.
    pub certificate: PathBuf,
    /// The file with the key.
    pub key: PathBuf,
}

/// What tells that files have changed without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp([FileStamp; 2]);

#[derive(Clone, Debug, PartialEq, Eq)]
struct FileStamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also changes with the permissions, so that a file that became readable is tried again.
    changed: (i64, i64),
}

impl Files {
    /// Reads both and checks that they fit. Validity dates are not looked at.
    ///
    /// # Errors
    /// When one can't be read, or they are not a pair that Envoy takes.
    pub fn load(&self) -> Result<Pair, FileError> {
        let key = self.read_key()?;
        let certificate = if self.key == self.certificate { key.clone() } else { read(&self.certificate)? };
        Pair::parse(&certificate, &key).map_err(|error| FileError::Pair { key: self.key.clone(), error })
    }

    /// [`Files::load`], but refuses a certificate that has expired. One that is not valid yet is fine.
    pub(super) fn load_valid_at(&self, now: i64) -> Result<Pair, FileError> {
        let pair = self.load()?;
        if pair.not_after < now { Err(FileError::Expired(pair.not_after)) } else { Ok(pair) }
    }

    fn read_key(&self) -> Result<String, FileError> {
        let read = secret::read_exposed(&self.key, MAX_FILE_BYTES)?;
        exposed::warn(&self.key, &read);
        Ok(text(&read.bytes))
    }

    /// `None` when one of them is not there.
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

/// PEM is ASCII; whatever else is in the file is not looked at.
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

/// Why files are not served.
#[derive(Debug)]
pub enum FileError {
    /// The certificate's validity has ended, at these seconds since 1970.
    Expired(i64),
    /// They are not a pair that can be served.
    Pair {
        /// The file the key was looked for in.
        key: PathBuf,
        /// What is wrong.
        error: PairError,
    },
    /// A file is larger than any certificate.
    TooLarge(PathBuf),
    /// Something that is no file, or a key that is not to be trusted.
    Unfit(files::FileError),
    /// A file can't be read.
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
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
