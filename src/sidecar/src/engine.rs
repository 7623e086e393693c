//! Whether an engine drives the orders: what the heartbeats of its lease tell.
//!
//! Promises: one that is gone is told at once, and counts as a fault only when it had time to come back: an Envoy that
//! restarts, or another instance that takes over, is no news.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use storage::{LeaseStatus, Store};

/// How often the heartbeat is looked at.
const CHECK: Duration = Duration::from_secs(1);
/// How long no engine is nothing to speak of after the start: Envoy may be starting too.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(60);
/// How long one that was there may be silent: three times as long as the plugin asks its lease for, so that another
/// instance can have taken over.
const SILENCE: Duration = Duration::from_secs(30);

/// The engine, seen from here.
pub struct Engine {
    store: Arc<dyn Store>,
    started: Instant,
}

/// Whether there is an engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// There is none, for too long.
    Absent,
    /// There is none, but it may be about to come.
    Awaited,
    /// It holds the lease.
    Present,
}

/// What is known of the engine at one moment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// Whether there is one.
    pub presence: Presence,
    /// Who holds the lease, and since when nobody was heard.
    pub lease: LeaseStatus,
    /// How long ago it was last heard of, or the sidecar was started if it never was.
    pub silence: Duration,
}

impl Engine {
    /// The one that takes its lease from this store. The sidecar is just starting.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, started: Instant::now() }
    }

    /// What is known of it now.
    pub fn look(&self) -> Sight {
        let lease = self.store.lease();
        let silence = lease.heartbeat_age.unwrap_or_else(|| self.started.elapsed());
        let patience = if lease.heartbeat_age.is_some() { SILENCE } else { FIRST_HEARTBEAT };
        let presence = match &lease.holder {
            Some(_) => Presence::Present,
            None if silence < patience => Presence::Awaited,
            None => Presence::Absent,
        };
        Sight { presence, lease, silence }
    }

    /// Says in the log when an engine comes and goes. Runs until it is dropped.
    pub async fn watch(&self) {
        // Nobody has been heard of at all.
        let mut told = None;
        loop {
            tokio::time::sleep(CHECK).await;
            let sight = self.look();
            match (&told, sight.lease.holder) {
                (Some(Some(before)), Some(holder)) if *before == holder => {}
                (_, Some(holder)) => {
                    tracing::info!(holder, "an engine drives the orders");
                    told = Some(Some(holder));
                }
                (Some(Some(_)), None) => {
                    tracing::warn!("the engine is gone: nothing is issued or renewed until an Envoy takes the lease");
                    told = Some(None);
                }
                (None, None) if sight.presence == Presence::Absent => {
                    tracing::warn!("no engine has asked for the lease yet: is Envoy running, with the plugin?");
                    told = Some(None);
                }
                (_, None) => {}
            }
        }
    }
}

impl Presence {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Awaited => "awaited",
            Self::Present => "present",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use base::clock::Clock;
    use storage::{Claim, FileStore, LeaseBounds, Storages};

    #[tokio::test]
    async fn an_engine_is_awaited_for_a_while_after_the_start_and_after_it_went() {
        let directory = tempfile::tempdir().unwrap();
        let storages = Storages::from(directory.path().join("acme.json").as_path());
        let store: Arc<dyn Store> =
            Arc::new(FileStore::open(&storages, LeaseBounds::default(), Clock::system()).unwrap());
        let engine = Engine::new(store.clone());
        tokio::time::pause();
        let presence = || engine.look().presence;
        assert_eq!(presence(), Presence::Awaited);
        tokio::time::advance(FIRST_HEARTBEAT).await;
        assert_eq!(presence(), Presence::Absent);
        store.claim(Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) }).await.unwrap();
        assert_eq!(presence(), Presence::Present);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(presence(), Presence::Awaited, "another instance may take over");
        tokio::time::advance(SILENCE).await;
        assert_eq!(presence(), Presence::Absent);
    }
}
