//! The health of the writing of a file.

use std::sync::Arc;
use std::time::Duration;

/// Where writes are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// On a thread of its own: what a sidecar does.
    OnAThread,
    /// By whoever waits for them, who blocks; a failed one is tried again with the next. For a simulation, in which
    /// everything happens in one order, and what is dropped has written nothing more.
    InPlace,
}

/// How the storage is doing.
#[derive(Clone, Debug, Default)]
pub struct DiskStatus {
    /// Writes that succeeded.
    pub saves: u64,
    /// Writes that failed.
    pub failures: u64,
    /// How long the last write took that succeeded.
    pub last_save: Duration,
    /// Why the last write failed; none when it did not.
    pub error: Option<Arc<str>>,
}
