//! Certificates: asked for by a signing request, published as a chain, listed as what is stored.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// Asks for a signing request. The key is on disk before this is answered; asked again for the same order, the same
/// key answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CsrRequest {
    /// The certificate it is for; its names become the SANs.
    pub certificate: CertificateId,
    /// The URL of the order it is for.
    pub order: String,
    /// `EC256`, `EC384`, `RSA2048`, `RSA4096` or `RSA8192`.
    pub key_type: String,
    /// Mail addresses that become SANs too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_addresses: Vec<String>,
    /// True for a certificate without a common name. Otherwise the first name is the common name, if it is a DNS name
    /// of 64 bytes at most.
    #[serde(default)]
    pub disable_common_name: bool,
}

/// A signing request (PKCS#10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Csr {
    /// DER in base64url without padding, as RFC 8555 §7.4 wants it.
    pub csr: String,
}

/// A finished certificate. It is taken only if its key is the one of the order's signing request, its names cover the
/// certificate's, it is within its dates and its chain parses; else the one before stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Publication {
    /// The certificate.
    pub certificate: CertificateId,
    /// The URL of the order it came from.
    pub order: String,
    /// The chain in PEM, leaf first, as the CA sent it (RFC 8555 §9.1).
    pub chain: String,
    /// The other chains that the CA offers (§7.4.2). Sent where one is preferred.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternates: Vec<String>,
    /// The issuer's common name of the last certificate of the chain to take. Where no chain has it, and where none is
    /// preferred, `chain` is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_chain: Option<String>,
    /// The resolver whose CA issued it, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<String>,
}

/// The answer to a [`Publication`]: it is being served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The certificate that is stored now.
    pub certificate: StoredCertificate,
    /// False when it is served from memory only, since the storage can't be written; it is saved when it can.
    pub durable: bool,
    /// When a chain was preferred and none of that issuer could be taken: the issuers of those that were offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_chains: Vec<String>,
}

/// A certificate from a CA, as the sidecar has it, without chain and key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredCertificate {
    /// The resolver's name: half of the certificate's identity. (A flattened [`CertificateId`] would cost every reader the
    /// code to look at each member twice.)
    pub resolver: String,
    /// The certificate's names, as in [`CertificateId::names`].
    pub names: Vec<String>,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// Serial number in lower-case hexadecimal.
    pub serial: String,
    /// The issuer's common name, or its whole distinguished name when it has none.
    pub issuer: String,
    /// The key's type, named as in [`CsrRequest::key_type`].
    pub key_type: String,
    /// By which the CA is asked when to renew it (RFC 9773 §4.1); none when it names no authority key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal_id: Option<String>,
}

impl StoredCertificate {
    /// The certificate's identity.
    pub fn id(&self) -> CertificateId {
        CertificateId { resolver: self.resolver.clone(), names: self.names.clone() }
    }
}

/// A certificate the user gave the sidecar as files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProvidedCertificate {
    /// The names it covers.
    pub names: Vec<String>,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
}
