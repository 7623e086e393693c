//! The engine: looks at what is wanted and what there is, and drives what is due through ACME.

use acme::Host;

use crate::config::Config;
use crate::vault::{CertificateId, Vault, VaultError};

/// Runs until the vault is gone for good; dropped when the lease is lost. Returns why it could not go on; whoever
/// holds the lease starts it again after a moment.
pub async fn run<H: Host, V: Vault>(
    _config: &Config,
    _host: &H,
    _vault: &V,
    _wants: &WantsFeed,
    _observer: &dyn Observer,
) -> VaultError {
    VaultError::Unavailable(String::new())
}

/// Wants that come from outside of the configuration while the engine runs (the sidecar's `wants`). The one that
/// receives them puts them here; the engine looks at every change.
#[derive(Default)]
pub struct WantsFeed {
    wants: std::cell::RefCell<Vec<CertificateId>>,
}

impl WantsFeed {
    /// Replaces all of them.
    pub fn replace(&self, wants: Vec<CertificateId>) {
        *self.wants.borrow_mut() = wants;
    }
}

/// Is told what happens, for logs and metrics.
pub trait Observer {
    /// Something happened. MUST return at once.
    fn notice(&self, event: Event<'_>);
}

/// What happens in the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// An account was registered, found again, or its contact updated.
    AccountReady {
        /// The resolver's name.
        resolver: &'a str,
        /// The account's URL.
        url: &'a str,
    },
    /// How many certificates are in which state. Told after every change.
    Census(Census),
    /// A certificate is being served.
    Issued {
        /// Which one.
        id: &'a CertificateId,
        /// Its serial number in hexadecimal.
        serial: &'a str,
        /// End of validity, seconds since 1970.
        not_after: i64,
        /// Whether it follows an older one.
        renewal: bool,
        /// From the start of the try, in milliseconds.
        took_millis: i64,
    },
    /// A try failed.
    Failed {
        /// Which certificate.
        id: &'a CertificateId,
        /// A short class for metrics: `rate_limited`, `permanent`, `transient`, `vault`.
        class: &'static str,
        /// What happened, in one escaped line.
        reason: &'a str,
        /// Failed tries since the last success.
        failures: u32,
        /// When it is tried again, seconds since 1970.
        retry_at: i64,
    },
    /// A try begins.
    Started {
        /// Which certificate.
        id: &'a CertificateId,
        /// `first`, `renewal`, `retry` or `resume`.
        why: &'static str,
    },
}

/// Certificates by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Valid, and not due.
    pub valid: u64,
    /// Valid, and due for renewal.
    pub due: u64,
    /// Stored, but past their end.
    pub expired: u64,
    /// Wanted, and never issued.
    pub missing: u64,
    /// Of all these, those with an order under way.
    pub in_progress: u64,
    /// Of all these, those whose last try failed.
    pub failing: u64,
}
