//! The presence of an engine, by the heartbeats of its lease.
//!
//! Promises: an absent engine is shown at once, and counts as a fault only after it had time to come back: an Envoy
//! that restarts, or another instance that takes over, is no news.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use storage::{LeaseStatus, Store};

/// The interval at which the heartbeat is checked.
const CHECK: Duration = Duration::from_secs(1);
/// The time after the start during which a missing engine is no fault: Envoy may be starting too.
const FIRST_HEARTBEAT: Duration = Duration::from_secs(60);
/// The silence after which a present engine counts as absent: three times the lease that the plugin asks for, so that
/// another instance can have taken over.
const SILENCE: Duration = Duration::from_secs(30);

/// The presence of the engine, by its heartbeats.
pub struct EnginePresence {
    store: Arc<dyn Store>,
    started: Instant,
}

/// The states of the engine's presence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The engine has been missing for too long.
    Absent,
    /// The engine is missing, but had not enough time to come.
    Awaited,
    /// An engine holds the lease.
    Present,
}

/// The engine's heartbeat at one moment.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The engine's presence.
    pub presence: Presence,
    /// The holder of the lease, and the time of its last heartbeat.
    pub lease: LeaseStatus,
    /// The time since the last heartbeat, or since the sidecar's start if there was none.
    pub silence: Duration,
}

impl EnginePresence {
    /// Watches the lease in this store, in a sidecar that is just starting.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, started: Instant::now() }
    }

    /// The heartbeat now.
    pub fn heartbeat(&self) -> Heartbeat {
        let lease = self.store.lease();
        let silence = lease.heartbeat_age.unwrap_or_else(|| self.started.elapsed());
        let patience = if lease.heartbeat_age.is_some() { SILENCE } else { FIRST_HEARTBEAT };
        let presence = match &lease.holder {
            Some(_) => Presence::Present,
            None if silence < patience => Presence::Awaited,
            None => Presence::Absent,
        };
        Heartbeat { presence, lease, silence }
    }

    /// Logs when an engine comes and goes. Runs until dropped.
    pub async fn watch(&self) {
        // No engine has been seen yet.
        let mut told = None;
        loop {
            tokio::time::sleep(CHECK).await;
            let heartbeat = self.heartbeat();
            match (&told, heartbeat.lease.holder) {
                (Some(Some(before)), Some(holder)) if *before == holder => {}
                (_, Some(holder)) => {
                    tracing::info!(holder, "an engine drives the orders");
                    told = Some(Some(holder));
                }
                (Some(Some(_)), None) => {
                    tracing::warn!("the engine is gone: nothing is issued or renewed until an Envoy takes the lease");
                    told = Some(None);
                }
                (None, None) if heartbeat.presence == Presence::Absent => {
                    tracing::warn!("no engine has asked for the lease yet: is Envoy running, with the plugin?");
                    told = Some(None);
                }
                (_, None) => {}
            }
        }
    }
}

impl Presence {
    /// The presence in a word.
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
        let engine = EnginePresence::new(store.clone());
        tokio::time::pause();
        let presence = || engine.heartbeat().presence;
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
