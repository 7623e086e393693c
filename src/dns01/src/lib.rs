//! DNS-01 (RFC 8555 §8.4): TXT records, made with a DNS provider, looked for, and removed again. dns-persist-01: TXT
//! records that the user sets, looked for.
//!
//! Promises: a record is removed whatever happens to the order, the CA or this process; two orders for one name never
//! harm each other's; a provider that takes minutes holds up nothing else.
//!
//! | folder or file | what it does |
//! |---|---|
//! | `solver.rs` | challenges by token: asked for, waited for, withdrawn |
//! | `delegation.rs` | which names a CNAME may lead a record to |
//! | `life.rs` | the life of one challenge's record, from where it goes to its removal |
//! | `removal.rs` | removes a record for sure, or says what to remove by hand |
//! | `journal.rs` | the records that are out there, on disk |
//! | `turns.rs` | who may use a provider now |
//! | `propagation.rs` | waits until a record is seen |
//! | `persist.rs` | dns-persist-01 |
//! | `servers.rs` | which name servers a request may name |
//! | `lookup/` | questions to name servers |
//! | `providers.rs` | what the solver wants of providers |
//! | `provider/` | DNS providers by lego's codes, with lego's variables: make a record, remove it |

#![forbid(unsafe_code)]

mod delegation;
mod journal;
mod life;
mod lookup;
mod persist;
mod propagation;
pub mod provider;
mod providers;
mod removal;
mod servers;
mod solver;
#[cfg(test)]
mod tests;
mod turns;

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
pub use solver::{Parts, Solver, Unsolved};

/// lego's switch: `true` when records are made at the challenge's own name, wherever CNAMEs lead.
const DISABLE_CNAME_SUPPORT: &str = "LEGO_DISABLE_CNAME_SUPPORT";

/// All that the sidecar does with DNS.
pub struct Dns {
    /// DNS-01.
    pub solver: Solver,
    /// dns-persist-01.
    pub persistent: Persistent,
}

impl Dns {
    /// With the journal beside this storage. Authoritative name servers are asked on this port; CNAMEs may lead into these
    /// zones, whatever the provider.
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

    /// Sees to the records that are left from before: those that no engine asks for are removed.
    pub fn resume(&self) {
        self.solver.resume();
    }

    /// Ends everything; records that are being removed get this long.
    pub async fn stop(&self, patience: Duration) {
        self.solver.stop(patience).await;
    }
}

/// As Go's `strconv.ParseBool`, which lego uses.
fn is_true(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|text| matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}
