//! State that all challenges share: the journal, the providers' locks, and the tasks.

use super::counted::Counted;
use super::delegation::Delegation;
use super::interest::Interest;
use super::journal::Journal;
use super::locks::ProviderLocks;
use super::lookup::Exchange;
use super::providers::Providers;
use base::clock::Clock;
use protocol::Dns01;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The solver's dependencies.
pub struct Parts {
    /// The source of DNS providers.
    pub providers: Box<dyn Providers>,
    /// The transport of DNS queries.
    pub exchange: Arc<dyn Exchange>,
    /// The port of authoritative name servers.
    pub name_server_port: u16,
    /// Rules for records whose challenge name is a CNAME.
    pub delegation: Delegation,
    /// The clock for the names of files that are set aside.
    pub clock: Clock,
}

/// State shared by all challenges.
pub(super) struct Shared {
    pub(super) parts: Parts,
    pub(super) journal: Journal,
    pub(super) locks: ProviderLocks,
    /// Number of removals in progress.
    pub(super) removals: watch::Sender<usize>,
    pub(crate) tokens: Mutex<Tokens>,
    /// Becomes true when all tasks are to end.
    pub(crate) ended: watch::Sender<bool>,
}

#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) active: HashMap<String, Challenge>,
    /// Records from before a restart, which their engine may still withdraw. A token can have several.
    pub(crate) left: HashMap<String, Vec<watch::Sender<Interest>>>,
}

pub(crate) struct Challenge {
    pub(crate) asked: Dns01,
    pub(crate) interest: watch::Sender<Interest>,
    pub(crate) progress: watch::Receiver<Progress>,
}

/// Progress of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The challenge failed, for this reason.
    Failed(String),
    /// The record is visible.
    Ready,
    /// The record is not visible yet.
    UnderWay,
}

impl Shared {
    /// Runs a task until all tasks are to end.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
    }

    pub(crate) fn withdraw(&self, interest: &watch::Sender<Interest>) {
        let counted = Counted::new(self.removals.clone());
        interest.send_modify(|interest| interest.withdrawn = Some(counted));
    }

    /// Drops this challenge, but no later one with its token.
    pub(crate) fn end(&self, token: &str, progress: &watch::Receiver<Progress>) {
        let mut tokens = self.tokens();
        if tokens.active.get(token).is_some_and(|there| there.progress.same_channel(progress)) {
            tokens.active.remove(token);
        }
    }

    // Only a bug could cause a panic while the lock is held, and the maps are consistent at every moment.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
