//! The leader in whose name the sidecar is asked.

use std::time::Duration;

/// How long the sidecar's lease is asked for. It is renewed three times in that time.
pub(crate) const SIDECAR_TTL: Duration = Duration::from_secs(10);

/// In whose name the sidecar is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leader {
    /// The name of this Envoy, the same for all its instances: 32 hexadecimal digits.
    pub(crate) envoy: String,
    /// The local lease's epoch.
    pub(crate) epoch: u64,
}
