//! Directories of several tools in the named one.

use super::Kind;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

/// The most directories that are named.
const NAMED: usize = 8;

/// Several tools' directories below the one that the user named.
#[derive(Debug)]
pub struct Candidates {
    pub(super) path: PathBuf,
    pub(super) candidates: BTreeSet<(Kind, PathBuf)>,
}

impl fmt::Display for Candidates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.candidates.iter().take(NAMED).map(|(kind, path)| format!("{} ({kind})", path.display()));
        let named = named.collect::<Vec<_>>().join(", ");
        let more = self.candidates.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        write!(
            f,
            "{}: did you mean one of these: {named}{more}? Name one, or the tool with --from",
            self.path.display()
        )
    }
}
