//! The time of day, for whatever judges dates or hands out numbers that grow with it.
//!
//! Promises: one clock for the whole sidecar, so that a test can set it. Durations are tokio's affair, not this one's.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock, or one that somebody sets.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The clock that shows what stands here, in milliseconds since 1970.
    pub fn showing(millis: Arc<AtomicI64>) -> Self {
        Self(Some(millis))
    }

    /// Milliseconds since 1970. It may jump.
    pub fn now_millis(&self) -> i64 {
        match &self.0 {
            Some(millis) => millis.load(Ordering::Relaxed),
            None => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
            }
        }
    }

    /// Seconds since 1970. It may jump.
    pub fn now_seconds(&self) -> i64 {
        self.now_millis().div_euclid(1000)
    }
}

/// The wall clock, in seconds since 1970.
pub fn now_seconds() -> i64 {
    Clock::default().now_seconds()
}
