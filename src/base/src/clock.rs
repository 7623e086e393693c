//! The time of day, for code that judges dates or issues numbers that grow with it.
//!
//! Promises: every native crate is given its [`Clock`] and reads no other (clippy refuses the system's time elsewhere), so
//! that a test or a simulation can set the time of a whole sidecar.
//! Refuses: to measure durations; tokio's clock does.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock, or a settable one.
#[derive(Clone, Debug)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The system's clock. Commands start with it; all code below them gets a clock passed in.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that shows this value, in milliseconds since 1970.
    pub fn showing(millis: Arc<AtomicI64>) -> Self {
        Self(Some(millis))
    }

    /// Milliseconds since 1970. The clock may jump.
    pub fn now_millis(&self) -> i64 {
        match &self.0 {
            Some(millis) => millis.load(Ordering::Relaxed),
            None => {
                #[expect(clippy::disallowed_methods, reason = "the one place where the system's time is read")]
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Seconds since 1970. The clock may jump.
    pub fn now_seconds(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }
}
