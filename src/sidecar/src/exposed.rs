//! Secrets of the user's in files that everybody may read: they are used, since in a container that may be all right, and
//! told of once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::files::FileError;
use crate::files::secret::UserSecret;

/// The files that were told of, with their modes. As many as the user has configured.
static TOLD: Mutex<BTreeSet<(PathBuf, u32)>> = Mutex::new(BTreeSet::new());

/// Tells of a file that was read, if everybody may read it.
pub(crate) fn tell(path: &Path, secret: &UserSecret) {
    tell_of(path, secret.exposed);
}

/// Tells of a file, if it has a mode by which everybody may read it.
pub(crate) fn tell_of(path: &Path, mode: Option<u32>) {
    let Some(mode) = mode else { return };
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert((path.to_owned(), mode)) {
        tracing::warn!("{}", FileError::Exposed { path: path.to_owned(), mode });
    }
}
