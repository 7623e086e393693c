//! DNS-01 (RFC 8555 §8.4): creates TXT records with a DNS provider, checks their propagation, and removes them.
//! dns-persist-01: checks TXT records that users set.
//!
//! Promises: a record is removed whatever happens to the order, the CA or this process; two orders for one name never
//! interfere with each other; a provider that takes minutes delays nothing else.
//!
//! | folder or file | its part |
//! |---|---|
//! | `solver.rs` | challenges by token: presented, awaited, withdrawn |
//! | `shared.rs`, `counted.rs` | the state that all challenges share |
//! | `delegation.rs` | names to which a CNAME may lead a record |
//! | `record_task.rs` | the task of one challenge's record, from finding its name to its removal |
//! | `interest.rs` | the engine's interest in a challenge |
//! | `call.rs` | one call to a provider |
//! | `removal.rs` | removes a record reliably, or says what to remove by hand |
//! | `journal.rs` | the records at providers, on disk |
//! | `locks.rs` | locks per provider and name |
//! | `propagation.rs` | waits until a record is visible |
//! | `persist.rs` | dns-persist-01 |
//! | `servers.rs` | name servers that a request may name |
//! | `lookup/` | DNS queries |
//! | `providers.rs` | the solver's interface to providers |
//! | `provider/` | DNS providers by lego's codes, with lego's variables: create and remove records |

#![forbid(unsafe_code)]

mod call;
mod counted;
mod delegation;
mod interest;
mod journal;
mod locks;
mod lookup;
mod persist;
mod propagation;
pub mod provider;
mod providers;
mod record_task;
mod removal;
mod servers;
mod shared;
mod solver;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base::clock::Clock;

pub use delegation::{Delegation, DelegationZone};
pub use journal::Need;
pub use lookup::{Exchange, MAX_SERVERS, Network, Question, Unanswered};
pub use persist::Persistent;
pub use providers::{ByCode, DnsProvider, Providers};
pub use servers::NameServers;
pub use shared::Parts;
pub use solver::{Solver, Unsolved};

/// lego's switch: with `true`, records are made at the challenge's own name, and CNAMEs are ignored.
const DISABLE_CNAME_SUPPORT: &str = "LEGO_DISABLE_CNAME_SUPPORT";

/// The sidecar's DNS challenges.
pub struct Dns {
    /// DNS-01.
    pub solver: Solver,
    /// dns-persist-01.
    pub persistent: Persistent,
}

impl Dns {
    /// Opens the journal next to this storage. Authoritative name servers are asked on this port; CNAMEs may lead into
    /// these zones, whatever the provider.
    pub async fn open(
        storage: &Path,
        name_server_port: u16,
        delegation_zones: Vec<DelegationZone>,
        clock: Clock,
    ) -> Self {
        let exchange: Arc<dyn Exchange> = Arc::new(Network::default());
        let parts = Parts {
            providers: Box::new(ByCode { clock: clock.clone() }),
            exchange: exchange.clone(),
            name_server_port,
            delegation: Delegation { is_followed: !is_true(DISABLE_CNAME_SUPPORT), zones: delegation_zones },
            clock: clock.clone(),
        };
        let persistent = Persistent::new(exchange, name_server_port, clock);
        Self { solver: Solver::open(storage, parts).await, persistent }
    }

    /// Resumes the records in the journal: those that no engine asks for are removed.
    pub fn resume(&self) {
        self.solver.resume();
    }

    /// Ends all tasks; removals in progress get this much time.
    pub async fn stop(&self, patience: Duration) {
        self.solver.stop(patience).await;
    }
}

/// True for a value that Go's `strconv.ParseBool`, which lego uses, reads as true.
fn is_true(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|text| matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}
