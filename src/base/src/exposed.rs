//! Secrets of the user's in files that everybody may read, or somebody else could replace: they are used, since in a
//! container that may be all right, and told of once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::files::FileError;
use crate::files::secret::UserSecret;

/// What was told. As much as there are files and directories that the user has configured, and modes and owners of them.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Tells of a file that was read, if there is a doubt.
pub fn tell(path: &Path, secret: &UserSecret) {
    for doubt in &secret.doubts {
        tell_once(path, doubt);
    }
}

/// Tells of a file, if it has a mode by which everybody may read it.
pub fn tell_of(path: &Path, mode: Option<u32>) {
    let Some(mode) = mode else { return };
    tell_once(path, &FileError::Exposed { path: path.to_owned(), mode });
}

fn tell_once(path: &Path, doubt: &FileError) {
    let doubt = doubt.to_string();
    if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(doubt.clone()) {
        tracing::warn!(secret = %path.display(), "{doubt}");
    }
}
