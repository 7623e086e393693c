//! Certificates wanted by somebody besides the leading plugin's own configuration: other Envoys of this sidecar.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// Offers the wants of an Envoy that does not hold the lease, so that the one that does issues them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantsOffer {
    /// The Envoy that wants them, [`crate::LeaseRequest::holder`]. A new offer replaces its last one.
    pub holder: String,
    /// The wanted certificates.
    pub wants: Vec<Want>,
    /// How long the offer stands, in milliseconds. The sidecar clamps it to its own bounds.
    pub ttl_millis: u64,
}

/// A certificate that should exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    /// The certificate.
    pub certificate: CertificateId,
}

/// All that is wanted, by whomever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wants {
    /// Changes whenever `wants` does; 0 is never used, so `after=0` answers at once.
    pub revision: u64,
    /// The wanted certificates, sorted, each once.
    pub wants: Vec<Want>,
    /// Certificates that have to be replaced at once, whatever their dates. A change counts `revision` up too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replace: Vec<Replacement>,
    /// How many of `wants` and `replace`, in this order, are on the pages up to this one, for `?from=`; none on the
    /// last one, or when nobody asked for pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

/// A certificate that has to be replaced at once: its CA revoked it, or no Envoy takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// The certificate.
    pub certificate: CertificateId,
    /// Serial number of the certificate to be replaced, as in [`crate::StoredCertificate::serial`]. Any other is good.
    pub serial: String,
    /// Why, in one line for a person.
    pub reason: String,
}

/// Keeps since when nothing wants some certificates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnwantedList {
    /// Each replaces what was kept of its certificate.
    pub unwanted: Vec<Unwanted>,
}

/// A stored certificate that nothing wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unwanted {
    /// The certificate; absent where the record is stored under it.
    #[serde(default, skip_serializing_if = "CertificateId::is_unset")]
    pub certificate: CertificateId,
    /// Start of that time, seconds since 1970; none: the certificate is wanted again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// True when the end of the renewals was logged.
    #[serde(rename = "said", default)]
    pub is_announced: bool,
}
