//! Counts of what Envoys have of the served certificates.

use sds::Judge;
use serde::Serialize;

/// How deployments went since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// New certificates that an Envoy took.
    pub accepted: u64,
    /// That were seen to be served.
    pub served: u64,
    /// That an Envoy rejected.
    pub rejected: u64,
    /// That were not served though an Envoy took them.
    pub unserved: u64,
    /// Of which nothing could be seen, as nothing answered.
    pub unverifiable: u64,
}
