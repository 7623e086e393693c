//! An order on its way to a certificate, and how often it was resumed: no order is resumed for ever.
//!
//! A resumption counts from when the CA is asked to do something, so that neither a restart in the midst of it nor
//! another leader makes it endless, and neither a CA that is away nor a DNS provider that is makes an order look dead.

use std::cell::{Cell, RefCell};

use crate::delegate::{Failure, OrderDelegate};
use crate::error::Error;
use crate::order::{Counts, Course, Order, OrderState, OrderStatus};

/// Most resumptions of an order without progress. Some CAs know dead orders for days.
const MOST_RESUMPTIONS: u32 = 2;

/// How often that may be because the CA itself asked for a longer wait than there was. Each next try comes no sooner
/// than it asked, and they grow apart: hours, also at a CA that asks for seconds for ever.
const MOST_WAITS: u32 = 8;

/// How often the CA may fail to finalize an order, each time after the repetitions of one request.
const MOST_REFUSALS: u32 = 2;

/// How far an order is that is past its authorizations, in [`Counts::reached`]; before, that is how many are valid.
const READY: u32 = 1_000;
const PROCESSING: u32 = 1_001;
const VALID: u32 = 1_002;

/// An order that is driven, and who keeps what becomes of it.
pub(crate) struct Drive<'a, C> {
    pub(crate) delegate: &'a C,
    pub(crate) order: RefCell<Order>,
    /// True when an earlier run placed it.
    is_resumed: bool,
    is_counted: Cell<bool>,
}

impl<'a, C: OrderDelegate> Drive<'a, C> {
    /// Of an order that was just placed.
    pub(crate) fn new(delegate: &'a C, order: Order) -> Self {
        Self { delegate, order: RefCell::new(order), is_resumed: false, is_counted: Cell::new(false) }
    }

    /// Of one that was placed before.
    pub(crate) fn resumed(delegate: &'a C, order: Order) -> Self {
        Self { is_resumed: true, ..Self::new(delegate, order) }
    }

    /// The order.
    pub(crate) fn order(&self) -> Order {
        self.order.borrow().clone()
    }

    /// Takes note of what the CA says of a resumed order, at this time in seconds since 1970. An error when
    /// it is dead.
    pub(crate) fn seen(&self, state: &OrderState, now: i64) -> Result<(), Error> {
        self.order.borrow_mut().course = state.course.clone();
        let Course { expires, not_after, .. } = state.course;
        let is_past = |at: Option<i64>| at.is_some_and(|at| at <= now);
        if state.status != OrderStatus::Valid && is_past(expires) {
            return Err(self.dead("it has expired"));
        }
        if is_past(not_after) {
            return Err(self.dead("the CA fixed the end of its certificate's validity, which is over"));
        }
        match state.status {
            OrderStatus::Invalid | OrderStatus::Pending => Ok(()),
            OrderStatus::Ready => self.reached(READY),
            OrderStatus::Processing => self.reached(PROCESSING),
            OrderStatus::Valid => self.reached(VALID),
        }
    }

    /// Takes note of how many of its authorizations are valid.
    pub(crate) fn proved(&self, valid: usize) -> Result<(), Error> {
        self.reached(u32::try_from(valid).unwrap_or(u32::MAX).min(READY.saturating_sub(1)))
    }

    /// Takes note that the CA answers, and not with the order.
    pub(crate) async fn unreadable(&self) -> Result<(), Failure<C::Error>> {
        let reached = self.counts().reached;
        self.reached(reached)?;
        self.count().await
    }

    /// An error when it came no further than before, often enough.
    fn reached(&self, reached: u32) -> Result<(), Error> {
        let counts = self.counts();
        if !self.is_resumed || self.is_counted.get() {
            return Ok(());
        }
        if reached > counts.reached {
            self.set(Counts { reached, resumptions: 0, waits: 0, ..counts });
        } else if counts.resumptions >= MOST_RESUMPTIONS || counts.waits >= MOST_WAITS {
            let times = counts.resumptions.saturating_add(counts.waits);
            return Err(self.dead(&format!("it came no further in {times} resumptions")));
        }
        Ok(())
    }

    /// Counts the resumption, once and durably: the CA is going to be asked for something.
    pub(crate) async fn count(&self) -> Result<(), Failure<C::Error>> {
        if !self.is_resumed || self.is_counted.replace(true) {
            return Ok(());
        }
        let counts = self.counts();
        self.set(Counts { resumptions: counts.resumptions.saturating_add(1), ..counts });
        self.keep().await
    }

    /// Counts the resumption as a wait: the CA itself asked for a longer one.
    pub(crate) async fn uncount(&self) -> Result<(), Failure<C::Error>> {
        if !self.is_counted.replace(false) {
            return Ok(());
        }
        let counts = self.counts();
        let (resumptions, waits) = (counts.resumptions.saturating_sub(1), counts.waits.saturating_add(1));
        self.set(Counts { resumptions, waits, ..counts });
        self.keep().await
    }

    /// Counts, durably, that the CA failed to finalize it; the error to end with.
    pub(crate) async fn refused(&self, error: Error) -> Failure<C::Error> {
        let counts = self.counts();
        let refusals = counts.refusals.saturating_add(1);
        self.set(Counts { refusals, ..counts });
        if let Err(failure) = self.keep().await {
            return failure;
        }
        match refusals {
            MOST_REFUSALS.. => self.stuck(&format!("{MOST_REFUSALS} times: {error}")).into(),
            _ => error.into(),
        }
    }

    /// Error of an order that can't be resumed: where that shows before the CA was asked for anything, a new one is
    /// placed at once.
    pub(crate) fn dead(&self, why: &str) -> Error {
        let is_at_once = self.is_resumed && !self.is_counted.get();
        if is_at_once { Error::OrderLost { order: self.url(), why: why.to_owned() } } else { self.stuck(why) }
    }

    /// Error of an order that can't be resumed, after the CA was asked for something.
    pub(crate) fn stuck(&self, why: &str) -> Error {
        Error::OrderStuck { order: self.url(), why: why.to_owned() }
    }

    fn url(&self) -> String {
        self.order.borrow().url.clone()
    }

    fn counts(&self) -> Counts {
        self.order.borrow().course.counts
    }

    fn set(&self, counts: Counts) {
        self.order.borrow_mut().course.counts = counts;
    }

    async fn keep(&self) -> Result<(), Failure<C::Error>> {
        let order = self.order();
        self.delegate.ordered(&order).await.map_err(Failure::Delegate)
    }
}
