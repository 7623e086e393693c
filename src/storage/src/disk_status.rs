//! The health of the writing of a file.

use std::sync::Arc;
use std::time::Duration;

/// The thread that writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// A thread of its own: for a sidecar.
    OnAThread,
    /// The thread that waits, which blocks; a failed write is retried with the next one. For a simulation, in which
    /// everything happens in one order, and a dropped store writes nothing more.
    InPlace,
}

/// State of the writes to a storage.
#[derive(Clone, Debug, Default)]
pub struct DiskStatus {
    /// Writes that succeeded.
    pub saves: u64,
    /// Writes that failed.
    pub failures: u64,
    /// Duration of the last successful write.
    pub last_save: Duration,
    /// Error of the last write; `None` if it succeeded.
    pub error: Option<Arc<str>>,
}
