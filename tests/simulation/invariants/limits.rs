//! The limits of a CA that the user has told are kept: orders per account, refilled evenly.
//!
//! The CA keeps the count. What replaces a certificate by RFC 9773 is not counted, and a clock that was set makes the
//! ledger's times mean nothing, so from then on it is not looked at any more.

use super::Violation;

/// The tolerated excess: an order of an engine that had lost its lease, and one on the second.
const SLACK: f64 = 2.0;

/// So many in so long.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub count: u32,
    /// In milliseconds.
    pub window: i64,
}

/// The account's orders.
#[derive(Default)]
pub struct Limits {
    limit: Option<Limit>,
    /// Orders that the CA has taken.
    placed: Bucket,
    /// Permits for orders that the sidecar has given. Nobody knows whether an engine that died has used its own.
    granted: Bucket,
}

/// How many more there may be, when it was last looked at.
#[derive(Default)]
struct Bucket {
    left: f64,
    at: i64,
}

impl Bucket {
    fn refill(&mut self, limit: Limit, now: i64) {
        let gained = f64::from(limit.count) * (now - self.at) as f64 / limit.window as f64;
        self.left = (self.left + gained).min(f64::from(limit.count));
        self.at = now;
    }
}

impl Limits {
    /// Checks this limit, if it is configured.
    pub fn new(limit: Option<Limit>) -> Self {
        let full = || Bucket { left: limit.map_or(0.0, |limit| f64::from(limit.count)), at: 0 };
        Self { limit, placed: full(), granted: full() }
    }

    /// The CA has taken an order that counts.
    pub fn placed(&mut self, now: i64) -> Result<(), Violation> {
        let Some(limit) = self.limit else { return Ok(()) };
        self.placed.refill(limit, now);
        self.placed.left -= 1.0;
        if self.placed.left < -SLACK {
            let Limit { count, window } = limit;
            return Err(format!("more orders are placed than the limit of {count} in {} s lets", window / 1000));
        }
        Ok(())
    }

    /// The CA's answer to an order was lost, so that it is placed again with the same permit.
    pub fn lost(&mut self) {
        self.placed.left += 1.0;
    }

    /// The sidecar has given a permit for one.
    pub fn granted(&mut self, now: i64) {
        let Some(limit) = self.limit else { return };
        self.granted.refill(limit, now);
        self.granted.left -= 1.0;
    }

    /// True if another order has to wait.
    pub fn is_reached(&mut self, now: i64) -> bool {
        let Some(limit) = self.limit else { return false };
        let is_reached = |bucket: &mut Bucket| {
            bucket.refill(limit, now);
            bucket.left < SLACK
        };
        is_reached(&mut self.placed) | is_reached(&mut self.granted)
    }

    /// The clock was set.
    pub fn clock_set(&mut self) {
        self.limit = None;
    }
}
