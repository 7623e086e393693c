//! The outcomes of deployments, counted.

use serde::Serialize;

/// The outcomes of deployments since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentCounts {
    /// New certificates acknowledged by an Envoy.
    pub accepted: u64,
    /// New certificates that a handshake has shown.
    pub served: u64,
    /// New certificates rejected by an Envoy.
    pub rejected: u64,
    /// New certificates not served although an Envoy acknowledged them.
    pub unserved: u64,
    /// New certificates that could not be verified, as no listener answered.
    pub unverifiable: u64,
}
