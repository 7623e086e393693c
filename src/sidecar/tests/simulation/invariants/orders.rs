//! No order is started twice for one need.
//!
//! What counts: the CA takes a newOrder for names whose earlier order the sidecar has stored, and which could be gone
//! on with: the CA still has it, it is not invalid, and nobody has told the sidecar that it is dead or done. So an
//! order whose URL never reached the sidecar (the CA's answer was lost, or an engine died between the two) may be
//! followed by another; nobody can know of it. An engine that lost its lease without knowing may place one, too: what
//! it wanted to store is refused, and the next one goes on with what is stored.

use std::collections::BTreeMap;

use super::{Key, Violation};

/// The orders that the sidecar has.
#[derive(Default)]
pub struct Orders(BTreeMap<Key, String>);

impl Orders {
    /// The sidecar has stored an order.
    pub fn stored(&mut self, key: Key, url: String) {
        self.0.insert(key, url);
    }

    /// It was told that the order is dead, or has published its certificate.
    pub fn ended(&mut self, key: &Key) {
        self.0.remove(key);
    }

    /// The order that is stored for a certificate.
    pub fn of(&self, key: &Key) -> Option<&String> {
        self.0.get(key)
    }

    /// The CA has taken a new order, from an engine that has the lease. `status` is the CA's word on an order.
    pub fn placed(&self, key: &Key, status: impl Fn(&str) -> Option<&'static str>) -> Result<(), Violation> {
        let Some(url) = self.0.get(key) else { return Ok(()) };
        match status(url) {
            None | Some("invalid") => Ok(()),
            Some(status) => Err(format!("{key}: a second order was placed while {url} is {status} and stored")),
        }
    }
}
