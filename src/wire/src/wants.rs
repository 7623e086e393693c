//! Certificates wanted by somebody besides the leading plugin's own configuration: other Envoys of this sidecar.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// Offers the wants of an Envoy that does not hold the lease, so that the one that does issues them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WantsOffer {
    /// Which Envoy wants them, [`crate::LeaseRequest::holder`]. A new offer replaces its last one.
    pub holder: String,
    /// What it wants.
    pub wants: Vec<Want>,
    /// How long the offer stands, in milliseconds. The sidecar clamps it to its own bounds.
    pub ttl_millis: u64,
}

/// A certificate that should exist.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Want {
    /// Which certificate.
    pub certificate: CertificateId,
}

/// All that is wanted, by whomever.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wants {
    /// Changes whenever `wants` does; 0 is never used, so `after=0` answers at once.
    pub revision: u64,
    /// What is wanted, sorted, each once.
    pub wants: Vec<Want>,
}
