//! Why nothing is imported at all.

use std::fmt;
use std::path::PathBuf;

use super::choice::ChoiceError;
use super::places::Places;
use super::tree::ReadError;
use crate::store::CommitError;
use crate::{Damage, OpenError};

/// Why nothing was taken over. Nothing has been changed.
#[derive(Debug)]
pub enum ImportError {
    /// The file is not Traefik's.
    Damaged {
        /// The file.
        path: PathBuf,
        /// The place in it.
        damage: Damage,
    },
    /// The source can't be read.
    Read(ReadError),
    /// It is not clear which resolver it is for.
    Resolver(ChoiceError),
    /// The source is the storage.
    SameFile(PathBuf),
    /// Several sources lie there.
    Several(Places),
    /// The storage can't be used.
    Storage(OpenError),
    /// The storage is not what it was a moment ago.
    Store(CommitError),
    /// The source is nobody's that is taken.
    Unrecognised {
        /// The file or directory.
        path: PathBuf,
        /// What it is, and what to do.
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
            Self::Several(places) => places.fmt(f),
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
