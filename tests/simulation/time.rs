//! The clocks of a simulated machine. Nothing here passes by itself.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// When every simulation begins: 2026-01-01, in milliseconds since 1970.
const START: i64 = 1_767_225_600_000;

/// A second, minute, hour and day in milliseconds.
pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// The clocks.
#[derive(Default)]
pub struct Time {
    steady: Cell<i64>,
    /// The part of the steady time that was skipped.
    slept: Cell<i64>,
    skew: Cell<i64>,
    shown: Arc<AtomicI64>,
}

impl Time {
    /// A clock that stands at the beginning.
    pub fn new() -> Self {
        let time = Self::default();
        time.show();
        time
    }

    /// Milliseconds since the beginning.
    pub fn now(&self) -> i64 {
        self.steady.get()
    }

    /// Milliseconds since the beginning in which something could happen.
    pub fn awake(&self) -> i64 {
        self.steady.get() - self.slept.get()
    }

    /// Milliseconds since 1970, by the clock of the rest of the world.
    pub fn true_millis(&self) -> i64 {
        START + self.steady.get()
    }

    /// Milliseconds since 1970 by this machine's clock.
    pub fn wall_millis(&self) -> i64 {
        self.true_millis() + self.skew.get()
    }

    /// Goes on to this moment.
    pub fn go_on(&self, to: i64) {
        self.steady.set(to.max(self.steady.get()));
        self.show();
    }

    /// Lets time pass in which everything goes on as it was, and nothing happens.
    pub fn sleep(&self, millis: i64) {
        self.slept.set(self.slept.get() + millis);
        self.go_on(self.steady.get() + millis);
    }

    /// Sets this machine's clock forward or back.
    pub fn jump(&self, millis: i64) {
        self.skew.set(self.skew.get() + millis);
        self.show();
    }

    /// The time for [`base::clock::Clock`].
    pub fn shown(&self) -> Arc<AtomicI64> {
        self.shown.clone()
    }

    fn show(&self) {
        self.shown.store(self.wall_millis(), Ordering::Relaxed);
    }
}
