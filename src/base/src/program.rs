//! The path of the running program.

use std::path::PathBuf;

/// The running binary itself, even if its file was replaced, or is in a directory that this user can't access.
pub fn own_binary() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}
