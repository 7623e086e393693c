//! Proof of deployment: whether a new certificate really is served, and the way back when it is not.
//!
//! A new certificate is pushed to the Envoys. Each says whether it takes it; with `--verify-address`, a handshake shows
//! whether visitors get it. One that an Envoy rejects, or that is not served in time, is rolled back to the last good one,
//! told in the log, the metrics and the status, and to the engine, which gets another.
//!
//! Promises:
//! - A rejection blames a certificate only when nothing else was new in the response, and nothing else that this Envoy
//!   holds is to blame: in a TLS context with several certificates Envoy rejects every update as long as one is bad.
//! - What was rolled back is not pushed to anybody again, until the last good one nears its end and it is the only one.
//! - The last good one survives a restart. A rejected one is never taken for good.
//! - However often new ones are rejected, the engine is asked for another less and less often.
//!
//! Refuses: to judge a certificate by what is in it; that was done before it was stored. To roll back because nothing
//! answers at an address, or something that was never seen to serve that name: this proves nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `table.rs`, `entry.rs` | decides: a pure state machine |
//! | `kept.rs` | the last good ones, on disk |
//! | `verify.rs`, `handshake.rs` | looks at what is served |
//! | `runner.rs` | carries out what was decided |

mod entry;
mod handshake;
mod kept;
mod rolled_back;
mod runner;
mod table;
mod tally;
mod verify;

pub use rolled_back::RolledBack;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
pub use tally::Tally;

use tokio::sync::Notify;

pub use runner::Surroundings;
use table::{Sight, Table};

use base::clock::Clock;
use kept::Keeper;
use pki::Pair;
use sds::Judge;
use storage::Certificate;

/// The most names that are known to have been served. Of others no failure is held against a certificate.
const MAX_SERVED: usize = 20_000;

/// What is known of the deployment of new certificates.
pub struct Deployment {
    table: Mutex<Table>,
    keeper: Keeper,
    clock: Clock,
    /// Where visitors are served; none: what Envoys say is all there is.
    addresses: Mutex<Vec<SocketAddr>>,
    /// The names that were seen to be served.
    served: Mutex<HashSet<String>>,
    /// Something is to be done.
    work: Notify,
}

impl Deployment {
    /// Reads what was kept beside this storage. With addresses, what is served there is looked at.
    pub async fn open(storage: &Path, addresses: Vec<SocketAddr>, clock: Clock) -> Self {
        let (keeper, kept) = Keeper::open(storage, clock.now_seconds()).await;
        Self {
            table: Mutex::new(Table::new(kept)),
            keeper,
            clock,
            addresses: Mutex::new(addresses),
            served: Mutex::default(),
            work: Notify::new(),
        }
    }

    /// From now on, what is served at these addresses is looked at.
    pub fn look_at(&self, addresses: Vec<SocketAddr>) {
        *whole(&self.addresses) = addresses;
    }

    /// Says whether an Envoy has still to take this version, or nobody has seen yet that it is served.
    pub fn is_awaited(&self, version: &str) -> bool {
        self.table().is_awaited(version)
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        whole(&self.addresses).clone()
    }

    fn was_served(&self, name: &str) -> bool {
        whole(&self.served).contains(name)
    }

    fn is_served(&self, name: String) {
        let mut served = whole(&self.served);
        if served.len() < MAX_SERVED {
            served.insert(name);
        }
    }

    /// What is to be served of a stored certificate: itself, or the last good one. `served` is what is served now;
    /// `is_news` says whether it was stored just now, and not read at the start.
    pub fn choose(&self, certificate: &Certificate, served: Option<&Arc<Pair>>, is_news: bool) -> Arc<Pair> {
        let chosen = self.table().choose(certificate, Sight { served, is_news }, self.clock.now_seconds());
        self.work.notify_one();
        chosen
    }

    /// Saves what a restart needs. It is saved now and then in any case.
    pub async fn save(&self) {
        let kept = self.table().kept();
        self.keeper.write(kept).await;
    }

    /// The certificates that are rolled back, or would be if there were a last good one.
    pub fn rolled_back(&self) -> Vec<RolledBack> {
        self.table().rolled_back(self.clock.now_seconds())
    }

    /// How it went so far.
    pub fn tally(&self) -> Tally {
        self.table().tally
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        whole(&self.table)
    }
}

// A panic while the lock is held would be a bug of ours; things go on with what there is.
fn whole<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Judge for Deployment {
    fn accepted(&self, node: &str, version: &str) {
        if self.table().accepted(node, version) {
            self.work.notify_one();
        }
    }

    fn rejected(&self, node: &str, version: &str, error: &str) {
        if self.table().rejected(node, version, error, self.clock.now_seconds()) {
            self.work.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
