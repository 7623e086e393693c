//! How an attempt ended.

use crate::plan::Task;
use crate::state_store::StateStoreError;
use protocol::{Attempt, Order, StoredCertificate};
use std::cell::{Cell, RefCell};

/// What came of a try.
#[allow(clippy::large_enum_variant, reason = "it is taken apart as soon as it is there")]
pub(super) enum Outcome {
    /// It failed; so it is stored. The order, if it can be gone on with.
    Failed { attempt: Attempt, order: Option<Order> },
    /// The CA may not be asked before this time, seconds since 1970; it was not.
    Postponed { until: i64 },
    /// A certificate is being served.
    Issued(StoredCertificate),
    /// Somebody else may have placed an order for it meanwhile, so this one did not. What is stored has to be read again.
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
    /// Whether an order of this renewal named the certificate that it replaces: the next ones leave that out, whatever
    /// came of it.
    pub(super) has_named_replaced: Cell<bool>,
}
