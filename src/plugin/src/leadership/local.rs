//! The local lease: the record of [`super::lease`] in shared data.

use std::cell::Cell;
use std::rc::Rc;

use super::lease::{self, Candidate, Record};
use crate::context::Context;

/// The key.
const KEY: &str = "envoy-autocert/lease";

/// The lease as one instance sees it.
pub(super) struct LocalLease {
    context: Rc<Context>,
    me: Candidate,
    mine: Cell<Option<Record>>,
    /// The lease found last. Epochs only grow: what is not there, or is older, is no word of ours but of somebody who
    /// writes over it.
    seen: Cell<Option<Record>>,
}

impl LocalLease {
    /// Stands for election with a new random name.
    pub(super) fn new(context: &Rc<Context>) -> Self {
        let me = Candidate { instance: context.random(), fingerprint: context.fingerprint, born: context.born };
        Self { context: Rc::clone(context), me, mine: Cell::default(), seen: Cell::default() }
    }

    /// Takes the lease if it is free; returns its epoch.
    pub(super) fn take(&self) -> Option<u64> {
        let now = self.context.clock.shared();
        let record = self.change(&|current| lease::take(current, self.me, now)).ok()??;
        Some(record.epoch)
    }

    /// Keeps the lease; false when it is lost.
    pub(super) fn renew(&self) -> bool {
        let Some(mine) = self.mine.get() else { return false };
        let now = self.context.clock.shared();
        match self.change(&|current| lease::renew(current, mine, now)) {
            Ok(record) => record.is_some(),
            // Shared data can't be reached: then nobody else can take it either, before it is over.
            Err(_) => mine.expires > now,
        }
    }

    /// Gives the lease up, so that another instance need not wait for its end.
    pub(super) fn release(&self) {
        if let Some(mine) = self.mine.take() {
            let _ = self.change(&|current| lease::release(current, mine));
        }
    }

    fn change(
        &self,
        decide: &dyn Fn(Option<Record>) -> Option<Record>,
    ) -> Result<Option<Record>, crate::proxy::Status> {
        let mut decided = None;
        self.context.shared.update(KEY, |value| {
            let found =
                Record::read(value).filter(|found| self.seen.get().is_none_or(|seen| found.epoch >= seen.epoch));
            self.seen.set(found.or(self.seen.get()));
            decided = decide(self.seen.get());
            decided.map(|record| record.to_string().into_bytes())
        })?;
        if let Some(record) = decided {
            self.mine.set(Some(record));
            self.seen.set(Some(record));
        }
        Ok(decided)
    }
}

/// A root context that ends need not let the others wait.
impl Drop for LocalLease {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::tests::context;
    use crate::proxy::ProxyHandle;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn of_two_instances_one_gets_it_and_the_other_after_its_end() {
        let fake = Rc::new(FakeProxy::default());
        let proxy: ProxyHandle = fake.clone();
        let (first_world, second_world) = (Rc::new(context(&proxy)), Rc::new(context(&proxy)));
        let (first, second) = (LocalLease::new(&first_world), LocalLease::new(&second_world));
        let epoch = first.take().unwrap();
        assert_eq!(second.take(), None);
        fake.advance(9_000);
        assert!(first.renew());
        fake.advance(9_999);
        assert_eq!(second.take(), None);
        fake.advance(1);
        assert!(second.take().unwrap() > epoch);
        assert!(!first.renew());
    }

    #[test]
    fn a_released_lease_is_taken_at_once() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        let (first_world, second_world) = (Rc::new(context(&proxy)), Rc::new(context(&proxy)));
        let (first, second) = (LocalLease::new(&first_world), LocalLease::new(&second_world));
        first.take().unwrap();
        first.release();
        assert!(second.take().is_some());
    }

    #[test]
    fn a_candidate_that_never_held_it_can_neither_renew_nor_release_it() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        let (first_world, second_world) = (Rc::new(context(&proxy)), Rc::new(context(&proxy)));
        let (first, second) = (LocalLease::new(&first_world), LocalLease::new(&second_world));
        first.take().unwrap();
        assert!(!second.renew());
        second.release();
        assert!(first.renew());
    }

    /// I1: neither does it stop the engine, nor does it make another instance lead beside it.
    #[test]
    fn what_somebody_else_writes_changes_nothing() {
        let fake = Rc::new(FakeProxy::default());
        let proxy: ProxyHandle = fake.clone();
        let (first_world, second_world) = (Rc::new(context(&proxy)), Rc::new(context(&proxy)));
        let (first, second) = (LocalLease::new(&first_world), LocalLease::new(&second_world));
        let replayed = || proxy.shared_data(KEY).unwrap().unwrap().0;
        second.take().unwrap();
        let of_second = replayed();
        second.release();
        let released = replayed();
        first.take().unwrap();
        assert_eq!(second.take(), None);
        for written in [&b""[..], b"v1 1 1 1 1 99999999999999", &of_second, &released] {
            fake.advance(1_000);
            proxy.set_shared_data(KEY, written, 0).unwrap();
            assert_eq!(second.take(), None);
            assert!(first.renew());
            assert_eq!(second.take(), None);
        }
        // It ends all the same when its holder is gone.
        proxy.set_shared_data(KEY, b"garbage", 0).unwrap();
        fake.advance(10_000);
        assert!(second.take().is_some());
        assert!(!first.renew());
    }

    #[test]
    fn garbage_is_replaced_by_whoever_comes_first() {
        let proxy: ProxyHandle = Rc::new(FakeProxy::default());
        proxy.set_shared_data(KEY, b"\xff\0garbage", 0).unwrap();
        let context = Rc::new(context(&proxy));
        assert!(LocalLease::new(&context).take().is_some());
    }
}
