//! No order is started twice for one need.
//!
//! What counts: the CA takes a newOrder for names whose earlier order the sidecar has stored, and which could be gone
//! on with: the CA still has it, it is not invalid, its time is not over by the clock as it is set, and nobody has told
//! the sidecar that it is dead or done. So an order whose URL never reached the sidecar (the CA's answer was lost, or an
//! engine died between the two) may be followed by another; nobody can know of it. Nor of one that was told by an engine
//! that has given up since, when it arrives after the next one has read what is stored. An engine that lost its lease
//! without knowing may place one, too: what it wanted to store is refused, and the next one goes on with what is
//! stored.

use std::collections::BTreeMap;

use super::{Key, Violation};

/// The orders that the sidecar has.
#[derive(Default)]
pub struct Orders {
    stored: BTreeMap<Key, Stored>,
    /// When an engine read all that is stored.
    read_at: i64,
}

struct Stored {
    url: String,
    /// True if the leading engine has stored or read the order.
    is_known: bool,
    /// When it is given up, seconds since 1970.
    expires: Option<i64>,
}

impl Orders {
    /// The sidecar has stored an order that it was first told of at this time.
    pub fn stored(&mut self, key: Key, url: String, expires: Option<i64>, told_at: i64) {
        let is_known = told_at >= self.read_at;
        self.stored.insert(key, Stored { url, is_known, expires });
    }

    /// An engine has read all that is stored.
    pub fn read(&mut self, now: i64) {
        self.read_at = now;
        for stored in self.stored.values_mut() {
            stored.is_known = true;
        }
    }

    /// Notes that the sidecar was told that the order is dead, or its certificate was published.
    pub fn ended(&mut self, key: &Key) {
        self.stored.remove(key);
    }

    /// The order that is stored for a certificate.
    pub fn of(&self, key: &Key) -> Option<&String> {
        self.stored.get(key).map(|stored| &stored.url)
    }

    /// The CA has taken a new order, from an engine that has the lease, at this time of the clock that may be set, in
    /// seconds since 1970. `status` is the CA's word on an order.
    pub fn placed(&self, key: &Key, wall: i64, status: impl Fn(&str) -> Option<&'static str>) -> Result<(), Violation> {
        let Some(Stored { url, is_known, expires }) = self.stored.get(key) else { return Ok(()) };
        match status(url) {
            _ if !is_known => Ok(()),
            None | Some("invalid") => Ok(()),
            _ if expires.is_some_and(|expires| expires <= wall) => Ok(()),
            Some(status) => Err(format!("{key}: a second order was placed while {url} is {status} and stored")),
        }
    }
}
