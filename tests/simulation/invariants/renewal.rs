//! Every certificate that can be renewed is renewed before it expires, whatever crashes happened.
//!
//! What counts: whenever nothing has gone wrong for as long as the longest backoff, and the engine has nothing left to
//! do, each wanted certificate that the CA would issue is there and valid. So one expires only when its whole renewal
//! window was trouble, and is replaced soon after. Crashes are no trouble but for some minutes.

use super::Violation;
use crate::time::{HOUR, MINUTE};

/// The longest backoff, with the time that a try takes.
const AFTER_TROUBLE: i64 = 6 * HOUR + 30 * MINUTE;

/// The delay that a crash may cause: leases run out, orders are resumed.
const AFTER_CRASH: i64 = 15 * MINUTE;

/// The time until which certificates may be missing.
#[derive(Default)]
pub struct Renewal {
    excused_until: i64,
}

impl Renewal {
    /// Notes a fault that keeps certificates from being issued; `asked` is the CA's pause, in milliseconds.
    pub fn trouble(&mut self, now: i64, asked: i64) {
        self.excused_until = self.excused_until.max(now + AFTER_TROUBLE + asked);
    }

    /// Notes a crash, or a change of the wants.
    pub fn crash(&mut self, now: i64) {
        self.excused_until = self.excused_until.max(now + AFTER_CRASH);
    }

    /// Checks an idle moment. `missing` are wanted names without a valid certificate served.
    pub fn idle(&self, now: i64, mut missing: impl Iterator<Item = String>) -> Result<(), Violation> {
        if now <= self.excused_until {
            return Ok(());
        }
        match missing.next() {
            Some(name) => Err(format!("{name}: it has no valid certificate, and nothing stands in the way")),
            None => Ok(()),
        }
    }
}
