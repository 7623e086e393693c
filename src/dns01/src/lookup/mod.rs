//! Questions to name servers, for challenges: where CNAMEs lead, which zone a name is in, who sees a TXT record.
//!
//! Promises: every look is a fresh one, as nothing is kept between two; every wait, list and chain is bounded; one that
//! fails says which server said what. Refuses: to judge what a record holds.
//!
//! | file | what it does |
//! |---|---|
//! | `exchange.rs` | one question to one server: UDP, and TCP when the answer is cut off |
//! | `recursive.rs` | which servers answer for the whole DNS, and questions to them |
//! | `delegation.rs` | chains of CNAMEs |
//! | `zone.rs` | the zone of a name, and its servers |
//! | `sight.rs` | what servers see at a name |
//! | `error.rs` | why there is no answer |

mod delegation;
mod error;
mod exchange;
mod recursive;
mod sight;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod zone;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use hickory_resolver::proto::rr::Name;

pub use error::LookupError;
pub use exchange::{Exchange, Network, Question, Unanswered};
pub use recursive::MAX_SERVERS;
pub(super) use sight::{Look, lacking};
pub(super) use zone::NameServer;

use recursive::Server;

/// Asks name servers, for one challenge.
pub struct Lookup {
    exchange: Arc<dyn Exchange>,
    /// They answer for the whole DNS; or why there are none.
    recursive: Result<Vec<Server>, LookupError>,
    /// The place of the recursive server that answered last: one that is silent costs its time once.
    answering: AtomicUsize,
    /// Where authoritative servers listen.
    port: u16,
}

/// The fully qualified name, in lower case.
///
/// # Errors
/// When it is longer than names can be, or none at all.
pub(super) fn name(text: &str) -> Result<Name, LookupError> {
    let parsed = Name::from_ascii(text).map_err(|_| LookupError::Name(text.to_owned()))?;
    let mut name = parsed.to_lowercase();
    name.set_fqdn(true);
    Ok(name)
}
