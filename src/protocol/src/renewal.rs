//! Renewals: what the CA suggests for a certificate (RFC 9773), and what the engine made of it.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// Keeps what the CA said of some certificates' renewal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewals {
    /// Each replaces what was kept of its certificate.
    pub renewals: Vec<Renewal>,
}

/// The renewal of one certificate: what its CA said, and what is remembered. Kept until another certificate is published
/// in its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// The certificate; absent where the record is stored under it.
    #[serde(default, skip_serializing_if = "CertificateId::is_unset")]
    pub certificate: CertificateId,
    /// The serial number, as in [`crate::StoredCertificate::serial`]: the record holds for no other one.
    pub serial: String,
    /// The resolver whose CA issued it, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<String>,
    /// The directory of the CA that it was ordered at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_server: Option<String>,
    /// The CA that its resolver has by now, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_ca: Option<OtherCa>,
    /// The CA's window; `None` if it named none, or none of use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<Suggestion>,
    /// The time of the next question to the CA, seconds since 1970.
    #[serde(default)]
    pub ask_at: i64,
    /// Renewals in a row before the certificate's lifetime asked for them.
    #[serde(rename = "hurries", default)]
    pub early_renewals: u32,
    /// The earliest time of the next such renewal, seconds since 1970: a CA, or an Envoy, that finds fault with every new
    /// certificate must not be followed without end.
    #[serde(rename = "restUntil", default)]
    pub early_renewal_after: i64,
}

/// Another CA than that of a certificate, which its resolver has by now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OtherCa {
    /// URL of the CA's directory.
    pub ca_server: String,
    /// True when the certificate is replaced at once, as a test system's is; else when it is due.
    #[serde(default)]
    pub at_once: bool,
}

/// A window for the renewal, and the moment in it that was chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// `suggestedWindow.start` (RFC 9773 §4.2), seconds since 1970.
    pub start: i64,
    /// `suggestedWindow.end`, seconds since 1970.
    pub end: i64,
    /// The random moment that was chosen when the CA first named this window, seconds since 1970.
    pub renew_at: i64,
    /// `explanationURL`: why the CA suggests this. For a person; never fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}
