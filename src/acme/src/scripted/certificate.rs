//! The CA's certificates.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A certificate that the CA made. Its PEM holds this as JSON; there is no X.509 in it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Certificate {
    /// The order's names.
    pub names: Vec<String>,
    /// The signing request, as the client sent it.
    pub csr: Vec<u8>,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Counts up.
    pub serial: u64,
    /// The issuer of its chain's last certificate.
    pub issuer: String,
}

impl Certificate {
    /// Reads what a chain of this CA holds.
    pub fn of(pem: &str) -> Option<Self> {
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        serde_json::from_slice(&STANDARD.decode(body).ok()?).ok()
    }

    pub(super) fn pem(&self) -> String {
        let body = STANDARD.encode(serde_json::to_vec(self).unwrap());
        format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
    }
}
