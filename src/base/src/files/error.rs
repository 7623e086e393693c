//! The reason why an operation on a file or directory was refused or failed: what was found, what was expected, what to
//! do.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::own_user::own_user;

/// The reason why a file of ours, or a directory for one, is not used. The file is unchanged.
#[derive(Debug)]
pub enum FileError {
    /// A secret that everybody may read.
    Exposed {
        /// The file.
        path: PathBuf,
        /// The file's mode.
        mode: u32,
    },
    /// A directory whose owner could replace ours.
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
        /// The owner's uid.
        owner: u32,
    },
    /// A file of another user in place of ours.
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// The file's owner.
        owner: u32,
        /// The directory's owner.
        expected: u32,
    },
    /// A link whose owner could redirect it.
    ForeignLink {
        /// The link.
        path: PathBuf,
        /// The owner's uid.
        owner: u32,
    },
    /// A secret whose owner could change it.
    ForeignSecret {
        /// The file.
        path: PathBuf,
        /// The owner's uid.
        owner: u32,
    },
    /// An error of the system.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operation that failed.
        doing: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// A link in place of a file of ours.
    Link(PathBuf),
    /// A file that another process has locked.
    Locked(PathBuf),
    /// A file with further names (hard links), which may be other users' files.
    ManyNames {
        /// The file.
        path: PathBuf,
        /// The number of names.
        count: u64,
    },
    /// An entry that is no directory, where one is expected.
    NotADirectory(PathBuf),
    /// An entry that is no regular file, where one is expected.
    NotAFile(PathBuf),
    /// A directory that others may write to.
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// The directory's mode.
        mode: u32,
    },
    /// A file that is larger than expected.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The maximum size, in bytes.
        most: u64,
    },
    /// A secret that others may write.
    Writable {
        /// The file.
        path: PathBuf,
        /// The file's mode.
        mode: u32,
    },
}

impl FileError {
    pub(super) fn io(path: &Path, doing: &'static str, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, error }
    }

    /// The kind of the system's error, or the most similar one.
    pub fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Exposed { .. }
            | Self::ForeignDirectory { .. }
            | Self::ForeignFile { .. }
            | Self::ForeignLink { .. }
            | Self::ForeignSecret { .. }
            | Self::OpenDirectory { .. }
            | Self::Writable { .. } => io::ErrorKind::PermissionDenied,
            Self::Io { error, .. } => error.kind(),
            Self::Link(_) | Self::ManyNames { .. } | Self::NotAFile(_) => io::ErrorKind::InvalidInput,
            Self::Locked(_) => io::ErrorKind::WouldBlock,
            Self::NotADirectory(_) => io::ErrorKind::NotADirectory,
            Self::TooLarge { .. } => io::ErrorKind::FileTooLarge,
        }
    }

    /// True if there is no such file or directory.
    pub fn is_absent(&self) -> bool {
        self.kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = own_user();
        match self {
            Self::Exposed { path, mode } => {
                let path = path.display();
                write!(f, "{path}: with the mode {mode:04o} everybody can read this secret; run: chmod o-r {path}")
            }
            Self::ForeignDirectory { path, owner } => {
                let path = path.display();
                let expected = if own == 0 { "root's".to_owned() } else { format!("root's or the uid {own}'s") };
                write!(
                    f,
                    "{path}: this directory belongs to the uid {owner}, who could replace what is in it; expected one \
                     of {expected}; choose another place, or run: chown {own} {path}"
                )
            }
            Self::ForeignFile { path, owner, expected } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: the file belongs to the uid {owner}, expected the uid {expected}; it is left as it is: \
                     run: chown {expected} {path}, if it is the right file, or move it away"
                )
            }
            Self::ForeignLink { path, owner } => write!(
                f,
                "{}: this link belongs to the uid {owner}, who could let it lead elsewhere; remove it, or name the file that it \
                 leads to",
                path.display()
            ),
            Self::ForeignSecret { path, owner } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: this secret belongs to the uid {owner}, who could change it; if it is the right one, run: \
                     chown {own} {path}"
                )
            }
            Self::Io { path, doing, error } => write!(f, "can't {doing} {}: {error}", path.display()),
            Self::Link(path) => write!(
                f,
                "{}: found a symbolic link, expected a regular file; it is not followed: remove it",
                path.display()
            ),
            Self::Locked(path) => write!(f, "{}: another process is using it", path.display()),
            Self::ManyNames { path, count } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: the file has {count} names (hard links), expected one; it is left as it is: remove this \
                     one, or make it a file of its own: cp -p {path} {path}.copy && mv {path}.copy {path}"
                )
            }
            Self::NotADirectory(path) => write!(f, "{}: expected a directory", path.display()),
            Self::NotAFile(path) => write!(f, "{}: expected a regular file", path.display()),
            Self::OpenDirectory { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: with the mode {mode:04o} others could replace what is in this directory; expected one \
                     into which only its owner can write, or a sticky one above it; run: chmod go-w {path}, or choose \
                     another place"
                )
            }
            Self::TooLarge { path, most } => write!(f, "{}: it has more than {most} bytes", path.display()),
            Self::Writable { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "{path}: with the mode {mode:04o} others can change this secret, so it is not taken; run: chmod \
                     go-w {path}"
                )
            }
        }
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> Self {
        Self::new(error.kind(), error)
    }
}
