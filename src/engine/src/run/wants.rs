//! Wants that come from outside of the configuration while the engine runs.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::task::{Poll, Waker};

use config::Config;
use protocol::{CertificateId, Replacement};

/// Wants that come from outside of the configuration while the engine runs: the sidecar's. Whoever receives them puts
/// them here, and the engine looks at every change.
#[derive(Default)]
pub struct WantsFeed {
    wants: RefCell<Vec<CertificateId>>,
    replacements: RefCell<Vec<Replacement>>,
    revision: Cell<u64>,
    /// True if another Envoy may have changed the stored state.
    is_stale: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

impl WantsFeed {
    /// Replaces all of them, and what is known of certificates that have to be replaced at once.
    pub fn replace(&self, wants: Vec<CertificateId>, replacements: Vec<Replacement>) {
        if *self.wants.borrow() == wants && *self.replacements.borrow() == replacements {
            return;
        }
        self.wants.replace(wants);
        self.replacements.replace(replacements);
        self.touch();
    }

    /// Marks the stored state as possibly changed by another Envoy: the engine reads it again before it begins
    /// anything.
    pub fn distrust(&self) {
        self.is_stale.set(true);
        self.touch();
    }

    /// True, once, if the stored state has to be read again.
    pub(super) fn take_stale(&self) -> bool {
        self.is_stale.take()
    }

    fn touch(&self) {
        self.revision.set(self.revision.get().wrapping_add(1));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// The configuration's wants, and then those of others that its resolvers can fulfil; each certificate once.
    pub(super) fn merged_with(&self, config: &Config) -> Vec<CertificateId> {
        let known: HashSet<&CertificateId> = config.wants.iter().collect();
        let resolvers: HashSet<&str> = config.resolvers.iter().map(|resolver| resolver.name.as_str()).collect();
        let others = self.wants.borrow();
        let fulfilable = others.iter().filter(|id| resolvers.contains(id.resolver.as_str()));
        config.wants.iter().chain(fulfilable.filter(|id| !known.contains(id))).cloned().collect()
    }

    /// Certificates that have to be replaced at once, by serial number.
    pub(super) fn replacements(&self) -> HashMap<String, Replacement> {
        let by_serial = |replacement: &Replacement| (replacement.serial.clone(), replacement.clone());
        self.replacements.borrow().iter().map(by_serial).collect()
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision.get()
    }

    /// Completes when the revision is another than `seen`.
    pub(super) fn changed_since(&self, seen: u64) -> impl Future<Output = ()> {
        std::future::poll_fn(move |context| {
            if self.revision.get() != seen {
                return Poll::Ready(());
            }
            self.waker.set(Some(context.waker().clone()));
            Poll::Pending
        })
    }
}
