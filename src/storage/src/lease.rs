//! The engine's lease on one machine: a table of one row, with fencing tokens.
//!
//! Promises: a fence is never given twice, and each is higher than all before it, also over restarts, even when the
//! storage could not be written or the clock went back (not both at once).

use std::time::Duration;

use tokio::time::Instant;

/// The fencing token of one holding of the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fence(pub u64);

/// A request for the lease.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The name of the claimant.
    pub holder: String,
    /// Number of the claimant's instance.
    pub epoch: u64,
    /// The requested duration.
    pub ttl: Duration,
}

/// Bounds on the duration of a lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseBounds {
    /// Shorter requests are lengthened: a busy machine must not lose the lease between two heartbeats.
    pub shortest: Duration,
    /// Longer requests are shortened: after its holder died, the engine is away for this long.
    pub longest: Duration,
}

impl Default for LeaseBounds {
    fn default() -> Self {
        Self { shortest: Duration::from_secs(2), longest: Duration::from_secs(60) }
    }
}

impl LeaseBounds {
    fn clamp(&self, asked: Duration) -> Duration {
        asked.max(self.shortest).min(self.longest)
    }
}

/// The holder of the lease, for logs and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaseStatus {
    /// The holder, unless the lease expired.
    pub holder: Option<String>,
    /// Time since the last heartbeat of the last holder.
    pub heartbeat_age: Option<Duration>,
    /// The fencing token of the last holding.
    pub fence: Option<u64>,
}

/// The current holding, and the last fence.
pub(super) struct LeaseTable {
    bounds: LeaseBounds,
    holding: Option<Holding>,
    /// The highest fence ever given.
    last_fence: u64,
}

struct Holding {
    holder: String,
    epoch: u64,
    fence: u64,
    heartbeat: Instant,
    ends: Instant,
}

impl LeaseTable {
    /// Returns a table without a holder. `last_fence` is the highest fence that was stored.
    pub(super) fn new(bounds: LeaseBounds, last_fence: u64) -> Self {
        Self { bounds, holding: None, last_fence }
    }

    pub(super) fn last_fence(&self) -> u64 {
        self.last_fence
    }

    /// Grants or refuses a claim. `unix_millis` seeds the fence, so that a fence that was given but never stored is
    /// still lower than the next.
    pub(super) fn claim(&mut self, claim: &Claim, now: Instant, unix_millis: u64) -> protocol::Lease {
        let ttl = self.bounds.clamp(claim.ttl);
        if let Some(held) = &mut self.holding {
            let same_holder = held.holder == claim.holder;
            if same_holder && held.epoch == claim.epoch {
                held.heartbeat = now;
                held.ends = now + ttl;
                return granted(held.fence, ttl);
            }
            let is_older_instance = same_holder && claim.epoch < held.epoch;
            if now < held.ends && (!same_holder || is_older_instance) {
                return protocol::Lease { granted: false, fence: 0, expires_in_millis: millis(held.ends - now) };
            }
        }
        let fence = self.last_fence.saturating_add(1).max(unix_millis);
        self.last_fence = fence;
        let holder = claim.holder.clone();
        self.holding = Some(Holding { holder, epoch: claim.epoch, fence, heartbeat: now, ends: now + ttl });
        granted(fence, ttl)
    }

    /// True for the fence of the last holding. An expired holding counts until it is taken over: nobody else can have
    /// changed anything.
    pub(super) fn is_current(&self, fence: Fence) -> bool {
        self.holding.as_ref().is_some_and(|held| held.fence == fence.0)
    }

    pub(super) fn status(&self, now: Instant) -> LeaseStatus {
        let Some(held) = &self.holding else { return LeaseStatus::default() };
        LeaseStatus {
            holder: (now < held.ends).then(|| held.holder.clone()),
            heartbeat_age: Some(now.saturating_duration_since(held.heartbeat)),
            fence: Some(held.fence),
        }
    }
}

fn granted(fence: u64, ttl: Duration) -> protocol::Lease {
    protocol::Lease { granted: true, fence, expires_in_millis: millis(ttl) }
}

/// At least one millisecond, so that a client doesn't ask again at once for ever.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_MILLIS: u64 = 1_000_000;

    struct Fixture {
        table: LeaseTable,
        start: Instant,
    }

    impl Fixture {
        fn new() -> Self {
            Self { table: LeaseTable::new(LeaseBounds::default(), 0), start: Instant::now() }
        }

        fn claim_at(&mut self, seconds: u64, holder: &str, epoch: u64) -> protocol::Lease {
            let claim = Claim { holder: holder.into(), epoch, ttl: Duration::from_secs(10) };
            self.table.claim(&claim, self.start + Duration::from_secs(seconds), NOW_MILLIS)
        }
    }

    #[test]
    fn a_heartbeat_keeps_the_lease_and_its_fence() {
        let mut fixture = Fixture::new();
        let first = fixture.claim_at(0, "a", 1);
        assert!(first.granted);
        assert_eq!(first.expires_in_millis, 10_000);
        assert_eq!(fixture.claim_at(9, "a", 1), first);
        let other = fixture.claim_at(18, "b", 1);
        assert_eq!(other, protocol::Lease { granted: false, fence: 0, expires_in_millis: 1_000 });
    }

    #[test]
    fn a_lease_that_ran_out_passes_to_the_next_and_fences_off_the_last() {
        let mut fixture = Fixture::new();
        let old = fixture.claim_at(0, "a", 1);
        let new = fixture.claim_at(10, "b", 1);
        assert!(new.granted && new.fence > old.fence);
        assert!(!fixture.table.is_current(Fence(old.fence)));
        assert!(fixture.table.is_current(Fence(new.fence)));
        assert!(!fixture.claim_at(11, "a", 1).granted);
    }

    #[test]
    fn a_newer_instance_of_the_holder_takes_over_at_once_and_an_older_one_never() {
        let mut fixture = Fixture::new();
        let old = fixture.claim_at(0, "a", 1);
        let new = fixture.claim_at(1, "a", 2);
        assert!(new.granted && new.fence > old.fence);
        assert!(!fixture.claim_at(2, "a", 1).granted);
        assert!(fixture.table.is_current(Fence(new.fence)));
    }

    #[test]
    fn a_fence_is_higher_than_the_stored_one_when_the_clock_went_back() {
        let mut table = LeaseTable::new(LeaseBounds::default(), NOW_MILLIS * 2);
        let claim = Claim { holder: "a".into(), epoch: 0, ttl: Duration::ZERO };
        assert_eq!(table.claim(&claim, Instant::now(), NOW_MILLIS).fence, NOW_MILLIS * 2 + 1);
    }

    #[test]
    fn a_fence_is_seeded_by_the_clock_when_none_was_stored() {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.claim_at(0, "a", 0).fence, NOW_MILLIS);
    }

    #[test]
    fn the_asked_time_is_clamped() {
        let mut table = LeaseTable::new(LeaseBounds::default(), 0);
        let mut asked = |ttl| {
            let claim = Claim { holder: "a".into(), epoch: 0, ttl };
            table.claim(&claim, Instant::now(), NOW_MILLIS).expires_in_millis
        };
        assert_eq!(asked(Duration::ZERO), 2_000);
        assert_eq!(asked(Duration::MAX), 60_000);
    }

    #[test]
    fn nobody_holds_it_at_first() {
        let table = LeaseTable::new(LeaseBounds::default(), 7);
        assert!(!table.is_current(Fence(7)));
        assert_eq!(table.status(Instant::now()), LeaseStatus::default());
    }
}
