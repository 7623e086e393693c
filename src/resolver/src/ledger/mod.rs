//! How fast, and never too fast: what a CA has been asked for, against what it allows.

use std::time::Duration;

/// So many in so long, refilled evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many; at least 1.
    pub count: u32,
    /// In how long; at least a second.
    pub window: Duration,
}

/// The limits of a CA. What is `None` is not limited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Orders per account.
    pub orders: Option<Limit>,
    /// New certificates per registered domain, whatever the account.
    pub certificates: Option<Limit>,
    /// Certificates of exactly the same names, whatever the account.
    pub duplicates: Option<Limit>,
    /// Failed authorizations per account and name.
    pub failures: Option<Limit>,
}
