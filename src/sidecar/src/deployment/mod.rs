//! Proof of deployment: a new certificate is verified to be served, and rolled back if it is not.
//!
//! A new certificate is pushed to the Envoys. Each acknowledges or rejects it; with `--verify-address`, a handshake shows
//! whether visitors get it. A certificate that an Envoy rejects, or that is not served in time, is rolled back to the
//! last good one, reported in the log, the metrics and the status, and to the engine, which orders a replacement.
//!
//! Promises:
//! - A rejection blames a certificate only when nothing else was new in the response, and nothing else that this Envoy
//!   holds is to blame: in a TLS context with several certificates Envoy rejects every update as long as one is bad.
//! - A certificate that was rolled back is not pushed again, until the last good one nears its end and there is no other.
//! - The last good certificate survives a restart. A rejected one is never taken for good.
//! - However often replacements are rejected, the engine is asked for another less and less often.
//!
//! Refuses: to judge a certificate by its content; that was done before it was stored. To roll back because no listener
//! answers at an address, or a listener was never seen to serve the name: this proves nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `table.rs`, `entry.rs` | decides: a pure state machine |
//! | `kept.rs` | the last good certificates, on disk |
//! | `verify.rs`, `handshake.rs` | verifies what is served |
//! | `runner.rs` | carries out the decisions |

mod counts;
mod entry;
mod handshake;
mod kept;
mod rolled_back;
mod runner;
mod table;
mod verify;

pub use counts::DeploymentCounts;
pub use rolled_back::RolledBack;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

pub use runner::Surroundings;
use table::{Observation, Table};

use base::clock::Clock;
use kept::LastGoodFile;
use pki::Pair;
use sds::Judge;
use storage::Certificate;

/// The most names remembered as served. For other names a failed handshake proves nothing.
const MAX_SERVED: usize = 20_000;

/// The deployment of new certificates.
pub struct Deployment {
    table: Mutex<Table>,
    last_good_file: LastGoodFile,
    clock: Clock,
    /// The addresses where visitors are served; if empty, only Envoys' acknowledgements count.
    addresses: Mutex<Vec<SocketAddr>>,
    /// The names that handshakes have shown to be served.
    served: Mutex<HashSet<String>>,
    /// Notified when there is work.
    work: Notify,
}

impl Deployment {
    /// Reads the file beside this storage. If there are addresses, handshakes there verify new certificates.
    pub async fn open(storage: &Path, addresses: Vec<SocketAddr>, clock: Clock) -> Self {
        let (last_good_file, kept) = LastGoodFile::open(storage, clock.now_seconds()).await;
        Self {
            table: Mutex::new(Table::new(kept)),
            last_good_file,
            clock,
            addresses: Mutex::new(addresses),
            served: Mutex::default(),
            work: Notify::new(),
        }
    }

    /// Sets the addresses where handshakes verify new certificates from now on.
    pub fn set_verify_addresses(&self, addresses: Vec<SocketAddr>) {
        *whole(&self.addresses) = addresses;
    }

    /// True if an Envoy has still to acknowledge this version, or no handshake has shown it yet.
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

    /// Chooses the pair to serve for a stored certificate: itself, or the last good one. `served` is the pair served
    /// now; `is_news` is true if the certificate was stored just now, not read at the start.
    pub fn choose(&self, certificate: &Certificate, served: Option<&Arc<Pair>>, is_news: bool) -> Arc<Pair> {
        let chosen = self.table().choose(certificate, Observation { served, is_news }, self.clock.now_seconds());
        self.work.notify_one();
        chosen
    }

    /// Saves the records that a restart needs, at once. They are saved now and then in any case.
    pub async fn save(&self) {
        let kept = self.table().kept();
        self.last_good_file.write(kept).await;
    }

    /// The certificates rolled back, or that would be if there were a last good one.
    pub fn rolled_back(&self) -> Vec<RolledBack> {
        self.table().rolled_back(self.clock.now_seconds())
    }

    /// The outcomes so far.
    pub fn counts(&self) -> DeploymentCounts {
        self.table().counts
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        whole(&self.table)
    }
}

// A panic while the lock is held would be our bug; the deployment goes on with the present state.
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
