//! Why something is not done with a file or directory: what was found, what was expected, what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::trust::own_user;

/// Why a file of ours, or a directory for one, is not used. It is as it was.
#[derive(Debug)]
pub enum FileError {
    /// Everybody may read a secret.
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A directory of somebody who could put another one in the place of ours.
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A file of somebody else's where ours is to be.
    ForeignFile {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose the directory is.
        expected: u32,
    },
    /// A link of somebody who could let it lead elsewhere.
    ForeignLink {
        /// The link.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// A secret of somebody who could change it.
    ForeignSecret {
        /// The file.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
    /// The system refuses.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// A link where a file of ours is to be.
    Link(PathBuf),
    /// Another process holds it.
    Locked(PathBuf),
    /// A file that has other names, which may be others' files.
    ManyNames {
        /// The file.
        path: PathBuf,
        /// How many.
        count: u64,
    },
    /// Something else where a directory is to be.
    NotADirectory(PathBuf),
    /// Something else where a file is to be.
    NotAFile(PathBuf),
    /// A directory into which others may write.
    OpenDirectory {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A file that is larger than any should be.
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes that are read.
        most: u64,
    },
    /// Others may write a secret.
    Writable {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl FileError {
    pub(super) fn io(path: &Path, doing: &'static str, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), doing, error }
    }

    /// The kind of the system's error that it is, or is like.
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

    /// Whether there is no such file or directory.
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
