//! Errors of opening a storage: what was found, what was expected, what to do.

use std::io;
use std::path::PathBuf;

use super::schema::Damage;
use base::files::FileError;

/// Reason why a storage can't be used. The file is as it was.
#[derive(Debug)]
pub enum OpenError {
    /// The file's content is not that of a storage.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault and its place.
        damage: Damage,
    },
    /// The file is empty, though it was used before.
    Emptied {
        /// The file.
        path: PathBuf,
        /// The file next to it that proves the use.
        known_by: PathBuf,
    },
    /// The file, or its directory, is not to be trusted.
    File(FileError),
    /// The system refuses.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The operation.
        doing: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// Another process uses the file.
    Locked(PathBuf),
    /// The file is a mount point of its own, so it can't be replaced.
    MountPoint(PathBuf),
    /// The path is not a regular file.
    NotAFile(PathBuf),
    /// The error is about the file of some resolvers only.
    OfResolvers {
        /// The resolvers' names.
        resolvers: Vec<String>,
        /// The error.
        error: Box<OpenError>,
    },
    /// Other users may read the file.
    TooOpen {
        /// The file's mode.
        mode: u32,
        /// The file.
        path: PathBuf,
    },
}

impl OpenError {
    /// Adds the resolvers that have the file as their own.
    pub(super) fn of(self, resolvers: &[String]) -> Self {
        if resolvers.is_empty() {
            return self;
        }
        Self::OfResolvers { resolvers: resolvers.to_owned(), error: Box::new(self) }
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged { path, damage } => write!(
                f,
                "storage {}: {damage}. The file is unchanged: repair it, or move it away to start with a new one",
                path.display()
            ),
            Self::Emptied { path, known_by } => {
                let path = path.display();
                write!(
                    f,
                    "storage {path}: there is no account and no certificate in it, but a sidecar has used it before, as {} \
                     says: what was in it is lost (a full disk, a truncation?). The file is left as it is: put a backup in its \
                     place, or, to start anew, remove it: rm {path}",
                    known_by.display()
                )
            }
            Self::File(error) => write!(f, "storage: {error}"),
            Self::Io { path, doing, error } => {
                write!(f, "storage: can't {doing} {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; its directory must be the user's who runs this (or whom --user names): choose another path with \
                         --storage, or make one as root: install -d -o USER -m 700 DIRECTORY")
                    }
                    _ => Ok(()),
                }
            }
            Self::Locked(path) => write!(
                f,
                "storage {}: another sidecar is using it; stop that one, or give this one another --storage",
                path.display()
            ),
            Self::MountPoint(path) => write!(
                f,
                "storage {}: the file is a mount point of its own, so it can't be replaced atomically; mount its \
                 directory instead",
                path.display()
            ),
            Self::NotAFile(path) => write!(f, "storage {}: expected a regular file", path.display()),
            Self::OfResolvers { resolvers, error } => {
                let noun = if resolvers.len() == 1 { "resolver" } else { "resolvers" };
                write!(f, "{noun} {}: {error}", resolvers.join(", "))
            }
            Self::TooOpen { mode, path } => write!(
                f,
                "storage {}: permissions {mode:04o} are too open for a file with private keys; run: chmod 600 {}",
                path.display(),
                path.display()
            ),
        }
    }
}

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { path, doing, error } => Self::Io { path, doing, error },
            FileError::Locked(path) => Self::Locked(path),
            FileError::NotAFile(path) => Self::NotAFile(path),
            other => Self::File(other),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            Self::OfResolvers { error, .. } => error.source(),
            _ => None,
        }
    }
}
