//! The watchdog: revives an engine whose virtual machine trapped.
//!
//! When the plugin's virtual machine traps, Envoy recreates it only when the next HTTP request reaches its thread
//! (`failure_policy: FAIL_RELOAD`); until then it gets no ticks. On an entry point with few visitors this can take
//! long. So, when the engine's heartbeat is lost, the watchdog sends plain requests through the entry point `web`, each
//! on a connection of its own, since Envoy spreads connections over its threads.
//!
//! Promises: sends nothing while there are heartbeats; rounds are further and further apart, and each is bounded; every
//! round is logged. Refuses: to restart anything. An Envoy that has stopped is the business of whatever started it.

mod request;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};

use engine::backoff::Backoff;

use crate::engine_presence::{EnginePresence, Heartbeat};

/// The interval at which the heartbeat is checked.
const CHECK: Duration = Duration::from_secs(1);
/// The silence after which the engine is woken: the plugin asks for leases of 10 s, and another instance that ticks
/// takes the lease over within seconds.
const PATIENCE: Duration = Duration::from_secs(15);
/// The connections of a round. With 16 threads, all but one in a thousand rounds reach any given thread; one working
/// thread is enough for an engine.
const CONNECTIONS: usize = 96;
/// The connections opened at once: a few times what a visitor's browser opens.
const AT_ONCE: usize = 16;
/// The shortest wait between rounds; waits double. An engine starts within seconds.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// The longest wait between rounds: a stopped Envoy may stay stopped for long.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// Wakes the engine.
pub struct Watchdog {
    engine: Arc<EnginePresence>,
    /// The addresses of Envoy's plaintext entry point; if there are none, the watchdog is off.
    addresses: Vec<SocketAddr>,
    rounds: AtomicU64,
}

impl Watchdog {
    /// Creates a watchdog of this engine, which sends requests to these addresses.
    pub fn new(engine: Arc<EnginePresence>, addresses: Vec<SocketAddr>) -> Self {
        Self { engine, addresses, rounds: AtomicU64::new(0) }
    }

    /// The number of rounds sent.
    pub fn wakes(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }

    /// True if there is an address to send requests to.
    pub fn is_armed(&self) -> bool {
        !self.addresses.is_empty()
    }

    /// Watches the heartbeat until dropped; ends at once when there is no address.
    pub async fn run(&self) {
        while self.is_armed() {
            tokio::time::sleep(CHECK).await;
            if is_lost(&self.engine.heartbeat()) {
                self.wake().await;
            }
        }
    }

    /// Sends rounds of requests until the engine is back.
    async fn wake(&self) {
        let mut backoff = Backoff::new(FIRST_WAIT, LAST_WAIT);
        loop {
            let heartbeat = self.engine.heartbeat();
            if !is_lost(&heartbeat) {
                return;
            }
            self.rounds.fetch_add(1, Ordering::Relaxed);
            let answered = self.round().await;
            let silence = heartbeat.silence.as_secs();
            if answered > 0 {
                tracing::warn!(silence, answered, "the engine is silent: requests were sent through Envoy to wake it");
            } else {
                let addresses = self.addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
                tracing::warn!(silence, addresses, "the engine is silent, and Envoy answers at none of --wake-address");
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    /// Sends one round; returns the number of requests answered.
    async fn round(&self) -> usize {
        let each = self.addresses.repeat(CONNECTIONS);
        let answers = stream::iter(each).map(request::send).buffer_unordered(AT_ONCE);
        answers.filter(|answered| std::future::ready(*answered)).count().await
    }
}

/// True if the engine needs to be woken.
fn is_lost(heartbeat: &Heartbeat) -> bool {
    heartbeat.lease.holder.is_none() && heartbeat.silence >= PATIENCE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use base::clock::Clock;
    use storage::{Claim, FileStore, LeaseBounds, Storages, Store};

    struct Desk {
        store: Arc<dyn Store>,
        watchdog: Arc<Watchdog>,
        listener: TcpListener,
        _directory: tempfile::TempDir,
    }

    impl Desk {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let storages = Storages::from(directory.path().join("acme.json").as_path());
            let store: Arc<dyn Store> =
                Arc::new(FileStore::open(&storages, LeaseBounds::default(), Clock::system()).unwrap());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let engine = Arc::new(EnginePresence::new(store.clone()));
            let watchdog = Arc::new(Watchdog::new(engine, vec![listener.local_addr().unwrap()]));
            Self { store, watchdog, listener, _directory: directory }
        }

        /// Answers one connection; returns the request.
        async fn answer(&self) -> String {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            let mut asked = [0; 1024];
            let length = stream.read(&mut asked).await.unwrap();
            stream.write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&asked[..length]).into_owned()
        }
    }

    #[tokio::test]
    async fn a_round_opens_a_connection_for_each_request() {
        let desk = Desk::new().await;
        let answers = async {
            for _ in 0..CONNECTIONS {
                let asked = desk.answer().await;
                assert!(asked.starts_with("GET /.well-known/acme-challenge/"), "{asked}");
            }
        };
        let (answered, ()) = tokio::join!(desk.watchdog.round(), answers);
        assert_eq!(answered, CONNECTIONS);
    }

    #[tokio::test]
    async fn who_does_not_answer_is_not_counted() {
        let Desk { watchdog, listener, .. } = Desk::new().await;
        drop(listener);
        assert_eq!(watchdog.round().await, 0);
    }

    #[tokio::test]
    async fn an_engine_that_is_heard_of_is_left_alone() {
        let desk = Desk::new().await;
        tokio::time::pause();
        tokio::time::advance(PATIENCE).await;
        assert!(is_lost(&desk.watchdog.engine.heartbeat()), "none came in time");
        let claim = Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) };
        desk.store.claim(claim).await.unwrap();
        assert!(!is_lost(&desk.watchdog.engine.heartbeat()));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert!(!is_lost(&desk.watchdog.engine.heartbeat()), "another instance may take over");
        tokio::time::advance(PATIENCE).await;
        assert!(is_lost(&desk.watchdog.engine.heartbeat()));
    }
}
