//! The rate-limit ledger: whether the CA may be asked now.

use serde::{Deserialize, Serialize};

use crate::{CertificateId, Limits};

/// Asks whether the CA may be asked for a certificate now. What is granted is counted, on disk, before it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermitRequest {
    /// The certificate.
    pub certificate: CertificateId,
    /// The resolver whose CA and account it is about: the certificate's own, or one that it falls back to.
    pub issuer: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// True if an order will be placed; false if an earlier one is resumed, which is not counted.
    pub places_order: bool,
    /// True if a certificate of the same names by this CA is stored: many limits exempt its renewal.
    pub renews: bool,
    /// True if the order will name the certificate that it replaces (RFC 9773 §5): CAs exempt it from all limits.
    pub replaces: bool,
    /// The limits of this CA, as the resolver has them.
    pub limits: Limits,
}

/// The answer to a [`PermitRequest`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permit {
    /// True if the request may be sent.
    pub granted: bool,
    /// If not: when to ask again, seconds since 1970.
    #[serde(default)]
    pub until: i64,
    /// If not: why, in one line for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// If not: whether that is so for every certificate of this account: its orders are used up, or the CA asked to be
    /// left alone.
    #[serde(default)]
    pub whole_account: bool,
}

impl Permit {
    /// The CA may be asked.
    pub fn granted() -> Self {
        Self { granted: true, ..Self::default() }
    }

    /// The CA may not be asked before this time, seconds since 1970.
    pub fn refused(until: i64, why: String, whole_account: bool) -> Self {
        Self { granted: false, until, why, whole_account }
    }
}

/// Keeps that the CA asked to be left alone for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Pause {
    /// The resolver whose account it is about.
    pub issuer: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The names that the CA spoke of, and all below them; none: the whole account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Until when, seconds since 1970.
    pub until: i64,
    /// The CA's reason, in one line.
    pub why: String,
}
