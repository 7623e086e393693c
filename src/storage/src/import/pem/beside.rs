//! The key in the directory of a chain.

use super::{Blocks, Certificate};
use crate::import::tree::{MAX_FILE_BYTES, entries, read_file};
use std::path::{Path, PathBuf};

/// The most files read: HAProxy has one for each site. More means a wrong directory, such as `/usr`.
pub(super) const MAX_FILES: usize = 50_000;

/// A file next to a chain that has its key.
pub(super) fn key_beside(chain: &Path, leaf: &Certificate) -> Option<PathBuf> {
    let directory = chain.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let named = |path: PathBuf| path.strip_prefix("./").map(Path::to_owned).unwrap_or(path);
    let is_key = |path: &PathBuf| {
        let blocks = read_file(path, MAX_FILE_BYTES).map(|content| Blocks::of(&content.bytes)).unwrap_or_default();
        blocks.keys.iter().any(|key| key.public == leaf.public)
    };
    entries(directory).into_iter().take(MAX_FILES).filter(|path| path.is_file()).find(is_key).map(named)
}
