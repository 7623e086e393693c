//! Errors of an import.

use std::fmt;
use std::path::PathBuf;

use super::candidates::Candidates;
use super::choice::ChoiceError;
use super::tree::ReadError;
use crate::store::CommitError;
use crate::{Damage, OpenError};

/// Reason why an import failed. Nothing has been changed.
#[derive(Debug)]
pub enum ImportError {
    /// The file is not Traefik's.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The fault and its place.
        damage: Damage,
    },
    /// The source can't be read.
    Read(ReadError),
    /// No resolver can be chosen.
    Resolver(ChoiceError),
    /// The source is the storage itself.
    SameFile(PathBuf),
    /// Several tools' directories are at the path.
    Several(Candidates),
    /// The storage can't be used.
    Storage(OpenError),
    /// The storage was changed by somebody else in the meantime.
    Store(CommitError),
    /// The source is of no known kind.
    Unrecognised {
        /// The file or directory.
        path: PathBuf,
        /// What the source is, and what to do.
        why: String,
    },
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { path, damage } => write!(f, "{}: {damage}", path.display()),
            Self::Read(error) => error.fmt(f),
            Self::Resolver(error) => error.fmt(f),
            Self::SameFile(path) => write!(
                f,
                "{} is the storage itself: a file of Traefik 2 or 3 can be used as it is; for one of Traefik 1 name \
                 another file with --storage",
                path.display()
            ),
            Self::Storage(OpenError::Locked(path)) => write!(
                f,
                "storage {}: a running sidecar uses it: stop the sidecar, import, and start it again (what is served \
                 stays served: Envoy keeps its certificates)",
                path.display()
            ),
            Self::Storage(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Several(candidates) => candidates.fmt(f),
            Self::Unrecognised { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl std::error::Error for ImportError {}

impl From<ChoiceError> for ImportError {
    fn from(error: ChoiceError) -> Self {
        Self::Resolver(error)
    }
}

impl From<CommitError> for ImportError {
    fn from(error: CommitError) -> Self {
        Self::Store(error)
    }
}

impl From<OpenError> for ImportError {
    fn from(error: OpenError) -> Self {
        Self::Storage(error)
    }
}

impl From<ReadError> for ImportError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
