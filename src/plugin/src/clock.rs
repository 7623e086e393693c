//! The two clocks: one that never jumps, for waiting and leases, and the wall clock, for dates.

use std::cell::Cell;

use crate::proxy::ProxyHandle;

/// Without a monotonic clock, the most that the wall clock's advance between two looks counts for, in milliseconds: a
/// jump of a day must not end every wait. Twice the longest tick period.
const MAX_STEP: u64 = 2_000;

/// Reads the host's clocks.
pub(crate) struct Clock {
    proxy: ProxyHandle,
    /// Of the stand-in for a monotonic clock: the wall clock at the last look, and what has passed until then.
    last_wall: Cell<u64>,
    passed: Cell<u64>,
}

impl Clock {
    /// A clock that starts now.
    pub(crate) fn new(proxy: ProxyHandle) -> Self {
        let last_wall = Cell::new(wall_millis(&proxy));
        Self { proxy, last_wall, passed: Cell::new(0) }
    }

    /// Milliseconds that never go back and never jump. They start anywhere, and in each instance elsewhere if the host
    /// has no monotonic clock.
    pub(crate) fn steady(&self) -> u64 {
        if let Some(nanos) = self.proxy.monotonic_nanos() {
            return millis(nanos);
        }
        let wall = wall_millis(&self.proxy);
        let step = wall.saturating_sub(self.last_wall.replace(wall)).min(MAX_STEP);
        let passed = self.passed.get().saturating_add(step);
        self.passed.set(passed);
        passed
    }

    /// Milliseconds that all instances of this process read alike: monotonic, or the wall clock if the host has no
    /// other.
    pub(crate) fn shared(&self) -> u64 {
        self.proxy.monotonic_nanos().map_or_else(|| wall_millis(&self.proxy), millis)
    }

    /// Milliseconds since 1970. They may jump.
    pub(crate) fn wall(&self) -> u64 {
        wall_millis(&self.proxy)
    }
}

fn wall_millis(proxy: &ProxyHandle) -> u64 {
    millis(proxy.wall_nanos().unwrap_or_default())
}

fn millis(nanos: u64) -> u64 {
    nanos / 1_000_000
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn a_wall_clock_jump_does_not_move_the_steady_clock() {
        let proxy = Rc::new(FakeProxy::default());
        let clock = Clock::new(proxy.clone());
        let before = clock.steady();
        proxy.jump_wall(86_400_000);
        assert_eq!(clock.steady(), before);
    }

    #[test]
    fn without_a_monotonic_clock_a_jump_counts_for_two_seconds_at_most() {
        let proxy = Rc::new(FakeProxy::default());
        proxy.refuse_monotonic();
        let clock = Clock::new(proxy.clone());
        assert_eq!(clock.steady(), 0);
        proxy.advance(1_500);
        assert_eq!(clock.steady(), 1_500);
        proxy.jump_wall(86_400_000);
        assert_eq!(clock.steady(), 3_500);
        proxy.jump_wall(-2 * 86_400_000);
        assert_eq!(clock.steady(), 3_500);
        proxy.advance(100);
        assert_eq!(clock.steady(), 3_600);
    }
}
