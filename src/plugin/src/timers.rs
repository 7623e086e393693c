//! Sleeping: a list of deadlines by the steady clock, looked at whenever Envoy calls.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::future::{Either, select};

use crate::table::Table;

/// The sleepers of one root context.
#[derive(Default)]
pub(crate) struct Timers {
    now: Cell<u64>,
    next_id: Cell<u64>,
    sleepers: RefCell<Table<(u64, u64), Waker>>,
}

impl Timers {
    /// Sets the time, in milliseconds, and wakes whoever is due.
    pub(crate) fn advance(&self, now: u64) {
        self.now.set(now);
        loop {
            let due = self.sleepers.borrow_mut().take_first_if(|(deadline, _)| *deadline <= now);
            let Some(due) = due else { return };
            due.wake();
        }
    }

    /// How long until the first sleeper is due, in milliseconds.
    pub(crate) fn next_due_in(&self) -> Option<u64> {
        self.sleepers.borrow().first().map(|((deadline, _), _)| deadline.saturating_sub(self.now.get()))
    }

    /// Ends after that long, or at the first look after it.
    pub(crate) fn sleep(self: &Rc<Self>, duration: Duration) -> Sleep {
        let id = self.next_id.get();
        self.next_id.set(id.wrapping_add(1));
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Sleep { timers: Rc::clone(self), key: (self.now.get().saturating_add(millis), id) }
    }

    /// The future's result, or `None` when it takes longer than that.
    pub(crate) async fn within<T>(self: &Rc<Self>, limit: Duration, future: impl Future<Output = T>) -> Option<T> {
        match select(std::pin::pin!(future), self.sleep(limit)).await {
            Either::Left((result, _)) => Some(result),
            Either::Right(_) => None,
        }
    }
}

/// See [`Timers::sleep`].
pub(crate) struct Sleep {
    timers: Rc<Timers>,
    key: (u64, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.key.0 <= self.timers.now.get() {
            return Poll::Ready(());
        }
        self.timers.sleepers.borrow_mut().insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.timers.sleepers.borrow_mut().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn a_sleeper_ends_at_its_deadline_and_not_before() {
        let timers = Rc::new(Timers::default());
        timers.advance(1_000);
        let mut sleep = timers.sleep(Duration::from_millis(50));
        assert!((&mut sleep).now_or_never().is_none());
        assert_eq!(timers.next_due_in(), Some(50));
        timers.advance(1_049);
        assert!((&mut sleep).now_or_never().is_none());
        timers.advance(1_050);
        assert!((&mut sleep).now_or_never().is_some());
        assert_eq!(timers.next_due_in(), None);
    }

    #[test]
    fn a_dropped_sleeper_leaves_nothing_behind() {
        let timers = Rc::new(Timers::default());
        let mut sleep = timers.sleep(Duration::MAX);
        assert!((&mut sleep).now_or_never().is_none());
        assert!(timers.next_due_in().is_some());
        drop(sleep);
        assert_eq!(timers.next_due_in(), None);
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let timers = Rc::new(Timers::default());
        let mut waiting = Box::pin(timers.within(Duration::from_secs(1), std::future::pending::<()>()));
        assert_eq!((&mut waiting).now_or_never(), None);
        timers.advance(1_000);
        assert_eq!((&mut waiting).now_or_never(), Some(None));
    }
}
