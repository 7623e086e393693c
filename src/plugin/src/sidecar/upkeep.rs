//! The age of the table of certified hosts.

use std::cell::Cell;

/// The table's age, and what changed it last.
#[derive(Default)]
pub(super) struct Upkeep {
    /// The last reading, by the steady clock; `None` before the first.
    pub(crate) read_at: Cell<Option<u64>>,
    /// How many certificates were published.
    pub(crate) publications: Cell<u64>,
    /// True once a failure to write the table was logged.
    pub(crate) has_told: Cell<bool>,
}
