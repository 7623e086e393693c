//! The limits of a CA that the user has told are kept: orders per account, refilled evenly.
//!
//! The CA keeps the count. What replaces a certificate by RFC 9773 is not counted, and a clock that was set makes the
//! ledger's times mean nothing, so from then on it is not looked at any more.

use super::Violation;

/// What may be over: an order of an engine that had lost its lease, and one on the second.
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
    /// How many more there may be, when it was last looked at.
    left: f64,
    at: i64,
}

impl Limits {
    /// This limit is configured.
    pub fn new(limit: Option<Limit>) -> Self {
        Self { limit, left: limit.map_or(0.0, |limit| f64::from(limit.count)), at: 0 }
    }

    /// The CA has taken an order that counts.
    pub fn placed(&mut self, now: i64) -> Result<(), Violation> {
        self.refill(now);
        self.left -= 1.0;
        match self.limit {
            Some(Limit { count, window }) if self.left < -SLACK => {
                Err(format!("more orders are placed than the limit of {count} in {} s lets", window / 1000))
            }
            _ => Ok(()),
        }
    }

    /// Whether another one has to wait.
    pub fn is_reached(&mut self, now: i64) -> bool {
        self.refill(now);
        self.limit.is_some() && self.left < SLACK
    }

    /// The clock was set.
    pub fn clock_set(&mut self) {
        self.limit = None;
    }

    fn refill(&mut self, now: i64) {
        let Some(Limit { count, window }) = self.limit else { return };
        let gained = f64::from(count) * (now - self.at) as f64 / window as f64;
        self.left = (self.left + gained).min(f64::from(count));
        self.at = now;
    }
}
