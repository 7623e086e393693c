//! How an attempt ended.

use crate::plan::Task;
use crate::state_store::StateStoreError;
use protocol::{Attempt, Order, StoredCertificate};
use std::cell::{Cell, RefCell};

/// The result of an attempt.
#[allow(clippy::large_enum_variant, reason = "it is taken apart as soon as it is there")]
pub(super) enum Outcome {
    /// The attempt failed, and the failure is stored. `order` is the order, if it can be resumed.
    Failed { attempt: Attempt, order: Option<Order> },
    /// The CA may not be asked before this time, seconds since 1970; it was not.
    Postponed { until: i64 },
    /// A certificate is being served.
    Issued(StoredCertificate),
    /// Another Envoy may have placed an order for the certificate meanwhile, so this attempt placed none. The stored
    /// state has to be read again.
    LeadershipLost,
    /// The state store is away, so nothing can be done at all.
    StoreUnavailable(StateStoreError),
}

/// A try under way.
pub(super) struct Course<'t> {
    pub(super) task: &'t Task,
    /// The order that there is.
    pub(super) order: RefCell<Option<Order>>,
    /// The names that the CA could not validate.
    pub(super) refused: RefCell<Vec<String>>,
    /// True once an order of this renewal named the certificate that it replaces: later orders omit `replaces`,
    /// whatever came of the first.
    pub(super) has_named_replaced: Cell<bool>,
}
