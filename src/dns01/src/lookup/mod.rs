//! DNS queries for challenges: CNAME chains, zones of names, visibility of TXT records.
//!
//! Promises: every query is a fresh one, as nothing is cached; every wait, list and chain is bounded; a failure names
//! each server and its response. Refuses: to judge the content of a record.
//!
//! | file | its part |
//! |---|---|
//! | `exchange.rs` | a single query to one server: UDP, and TCP if the response is truncated |
//! | `recursive.rs` | recursive servers, and queries to them |
//! | `server.rs` | one of them |
//! | `delegation.rs` | chains of CNAMEs |
//! | `zone.rs` | the zone of a name, and its servers |
//! | `txt_answer.rs` | the TXT records that servers return for a name |
//! | `error.rs` | the reason why there is no answer |

mod delegation;
mod error;
mod exchange;
mod recursive;
mod server;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod txt_answer;
mod zone;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hickory_resolver::proto::rr::Name;

pub use error::LookupError;
pub use exchange::{Exchange, Network, Question, Unanswered};
pub use recursive::MAX_SERVERS;
pub(super) use txt_answer::{ServerAnswer, lacking};
pub(super) use zone::NameServer;

use server::Server;

/// Client of name servers, for one challenge.
pub struct Lookup {
    exchange: Arc<dyn Exchange>,
    /// The recursive servers, or the reason why there are none.
    recursive: Result<Vec<Server>, LookupError>,
    /// The index of the recursive server that answered last, so that a silent one costs its timeout once.
    answering: AtomicUsize,
    /// The port of authoritative servers.
    port: u16,
}

/// Parses a fully qualified name, in lower case.
///
/// # Errors
/// If the name is too long or invalid.
pub(super) fn name(text: &str) -> Result<Name, LookupError> {
    let parsed = Name::from_ascii(text).map_err(|_| LookupError::Name(text.to_owned()))?;
    let mut name = parsed.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}
