//! Reports user's secrets in files that everybody may read, or that somebody else could replace: they are used, since
//! they may be acceptable in a container, and reported once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::files::FileError;
use crate::files::secret::UserSecret;

/// Messages logged so far. They are bounded by the files and directories that the user has configured, and their modes
/// and owners.
static LOGGED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Logs a warning about a file that was read, if there is a doubt.
pub fn warn(path: &Path, secret: &UserSecret) {
    for doubt in &secret.doubts {
        warn_once(path, doubt);
    }
}

/// Logs a warning about a file, if its mode lets everybody read it.
pub fn warn_of_mode(path: &Path, mode: Option<u32>) {
    let Some(mode) = mode else { return };
    warn_once(path, &FileError::Exposed { path: path.to_owned(), mode });
}

fn warn_once(path: &Path, doubt: &FileError) {
    let doubt = doubt.to_string();
    if LOGGED.lock().unwrap_or_else(PoisonError::into_inner).insert(doubt.clone()) {
        tracing::warn!(secret = %path.display(), "{doubt}");
    }
}
