//! How a client behaves.

use crate::origin::Origin;
use std::time::Duration;

/// How a client behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bounds one operation with its repetitions.
    pub client_timeout: Duration,
    /// Bounds each request.
    pub request_timeout: Duration,
    /// Bounds the wait from finalize to certificate.
    pub certificate_timeout: Duration,
    /// The profile that orders name (draft-ietf-acme-profiles §4).
    pub profile: Option<String>,
    /// True if all chains of a certificate are downloaded, false for the default one only (RFC 8555 §7.4.2).
    pub alternate_chains: bool,
    /// Origins besides the directory's that the CA may name in its URLs.
    pub other_origins: Vec<Origin>,
}
