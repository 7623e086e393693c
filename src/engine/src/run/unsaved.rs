//! Records that are saved together after a while: one save may rewrite the whole store.

use protocol::{Renewal, Unwanted};

/// How long it waits, in milliseconds; but for the first.
const SAVE_PAUSE: i64 = 60_000;

/// Records to be saved.
#[derive(Default)]
pub(super) struct Unsaved {
    pub(super) renewals: Vec<Renewal>,
    pub(super) unwanted: Vec<Unwanted>,
}

/// The same, and when something was saved last.
pub(super) struct Saving {
    pub(super) unsaved: Unsaved,
    saved_at: i64,
}

impl Saving {
    pub(super) fn new(now_millis: i64) -> Self {
        Self { unsaved: Unsaved::default(), saved_at: now_millis.saturating_sub(SAVE_PAUSE) }
    }

    /// The clock has been set back to this time: what was saved later by the old time makes nothing wait.
    pub(super) fn went_back(&mut self, now_millis: i64) {
        self.saved_at = self.saved_at.min(now_millis);
    }

    /// When there is something to be saved, milliseconds since 1970.
    pub(super) fn due_at(&self) -> Option<i64> {
        let Unsaved { renewals, unwanted } = &self.unsaved;
        (!renewals.is_empty() || !unwanted.is_empty()).then(|| self.saved_at.saturating_add(SAVE_PAUSE))
    }

    /// The records to be saved, once their time has come.
    pub(super) fn take(&mut self, now_millis: i64) -> Option<Unsaved> {
        self.due_at().filter(|at| *at <= now_millis)?;
        self.saved_at = now_millis;
        Some(std::mem::take(&mut self.unsaved))
    }
}
