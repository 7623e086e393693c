//! The CAs that Envoy can't reach, and why: for people, for `/status` and for the metrics. Known only under `run`,
//! which may ask Envoy; the plugin learns only that there was no answer.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

/// The CAs that can't be reached.
#[derive(Debug, Default)]
pub struct CaReach(Mutex<BTreeMap<String, Unreachable>>);

/// A CA that can't be reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreachable {
    /// The CA's host and port.
    pub ca: String,
    /// The time since when, in seconds since 1970.
    pub since: i64,
    /// The reason.
    pub reason: String,
}

impl CaReach {
    /// Notes that a CA answers; returns whether that is new.
    pub fn answers(&self, ca: &str) -> bool {
        // A panic while the lock is held would be our bug; the map goes on with its present content.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(ca).is_some()
    }

    /// Notes that a CA can't be reached at `now`, in seconds since 1970; returns whether that or the reason is new.
    pub fn fails(&self, ca: &str, reason: &str, now: i64) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.get(ca);
        let is_new = before.is_none_or(|before| before.reason != reason);
        let since = before.map_or(now, |before| before.since);
        all.insert(ca.to_owned(), Unreachable { ca: ca.to_owned(), since, reason: reason.to_owned() });
        is_new
    }

    /// All unreachable CAs.
    pub fn unreachable(&self) -> Vec<Unreachable> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}

impl Unreachable {
    /// A warning for a person.
    pub fn warning(&self) -> String {
        format!("the CA {} can't be reached: {}", self.ca, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_is_unreachable_until_it_answers_and_news_are_told_once() {
        let reach = CaReach::default();
        assert!(!reach.answers("ca.example:443"));
        assert!(reach.fails("ca.example:443", "a", 1));
        assert!(!reach.fails("ca.example:443", "a", 2));
        assert!(reach.fails("ca.example:443", "b", 3));
        let known = Unreachable { ca: "ca.example:443".into(), since: 1, reason: "b".into() };
        assert_eq!(known.warning(), "the CA ca.example:443 can't be reached: b");
        assert_eq!(reach.unreachable(), [known]);
        assert!(reach.answers("ca.example:443") && reach.unreachable().is_empty());
    }
}
