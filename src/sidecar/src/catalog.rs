//! What can be served for which name, best first; the one thing that the API writes and SDS reads.

use std::sync::Arc;

use tokio::sync::watch;

/// A certificate with its key, ready to be served.
pub struct Pair {
    /// The chain in PEM, leaf first.
    pub chain_pem: String,
    /// The key in PEM (PKCS#8). Secret: no Debug, no Display.
    pub key_pem: String,
    /// The names it covers: lower-case ASCII DNS names (also `*.example.com`), or IP addresses.
    pub names: Vec<String>,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// A hash of the content: equal content, equal version. It is the secret's version in SDS.
    pub version: String,
}

/// All certificates that can be served.
pub struct Catalog {
    changed: watch::Sender<u64>,
}

impl Catalog {
    /// Replaces or adds the ACME certificate of `id` (resolver and names); `None` removes it.
    pub fn put_acme(&self, _id: &wire::CertificateId, _pair: Option<Arc<Pair>>) {}

    /// Replaces all provided certificates.
    pub fn replace_provided(&self, _pairs: Vec<Arc<Pair>>) {}

    /// The best certificate for a name: valid ACME > expired ACME > provided > default; exact names before wildcards,
    /// then the one that is valid longest. `None` only when nothing covers it and there is no default.
    pub fn best(&self, _name: &str, _now: i64) -> Option<Arc<Pair>> {
        None
    }

    /// Counts up with every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
