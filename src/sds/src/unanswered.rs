//! Warnings about resources that never exist: one log line for each name.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use super::session::ResourceName;
use super::status::printable;

/// The most names that are logged: where secrets are asked for on demand, strangers choose them by their handshakes.
const MAX_NAMES: usize = 256;

/// Names already logged.
#[derive(Default)]
pub(super) struct Unanswered(Mutex<HashSet<String>>);

impl Unanswered {
    /// Logs that a client asks for a resource that never exists, once for each name.
    pub(super) fn tell(&self, given: &str, name: &ResourceName) {
        let Some(why) = why(name) else { return };
        let given = printable(given);
        match self.is_news(&given) {
            Some(true) => tracing::warn!(secret = given, "{why}"),
            Some(false) => tracing::warn!(secret = given, "{why}; further such names are not logged"),
            None => {}
        }
    }

    /// `Some` if the name was not logged yet; true if there is room for others after it.
    fn is_news(&self, given: &str) -> Option<bool> {
        // A panic while the lock is held would be a bug of ours; the set is whole at every moment.
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() >= MAX_NAMES || !logged.insert(given.to_owned()) {
            return None;
        }
        Some(logged.len() < MAX_NAMES)
    }
}

fn why(name: &ResourceName) -> Option<&'static str> {
    match name {
        ResourceName::CaCertificates => Some(
            "an Envoy asks for CA certificates to verify clients by, and the sidecar has none: the request stays \
             unanswered, and the TLS context never opens; give them as trusted_ca, or in Istio by caCertificates or a \
             Secret",
        ),
        ResourceName::Certificate(_) => None,
        ResourceName::Unknown => Some(
            "an Envoy asks for a secret under an invalid name, and gets none; expected a DNS name or an address, also as \
             sds://NAME, kubernetes://[NAMESPACE/]NAME or kubernetes-gateway://NAMESPACE/NAME",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_logged_once_and_not_without_bounds() {
        let unanswered = Unanswered::default();
        assert_eq!(unanswered.is_news("../x"), Some(true));
        assert_eq!(unanswered.is_news("../x"), None);
        let news = (0..10 * MAX_NAMES).filter_map(|number| unanswered.is_news(&format!("../{number}")));
        let news: Vec<bool> = news.collect();
        assert_eq!(news.len(), MAX_NAMES - 1);
        assert_eq!(news.iter().filter(|room| !**room).count(), 1, "the last one says that it is the last");
    }

    #[test]
    fn a_name_of_a_certificate_is_never_logged() {
        assert_eq!(why(&ResourceName::parse("sds://a.example")), None);
        assert!(why(&ResourceName::parse("sds://a.example-cacert")).is_some_and(|why| why.contains("CA certificates")));
        assert!(why(&ResourceName::parse("ns/a.example")).is_some_and(|why| why.contains("invalid name")));
    }
}
