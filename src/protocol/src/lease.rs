//! The engine's lease: of all Envoys of one sidecar, one drives the orders.

use serde::{Deserialize, Serialize};

/// Takes the lease, or keeps it. Sent again well before it runs out; this is also the engine's heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRequest {
    /// The Envoy that asks: a random name, the same for all plugin instances of one process.
    pub holder: String,
    /// Grows whenever another instance of the same Envoy takes over. A higher one gets the lease at once, with a new
    /// fence; a lower one is refused.
    pub epoch: u64,
    /// How long it is wanted for, in milliseconds. The sidecar clamps it to its own bounds.
    pub ttl_millis: u64,
}

/// The state of the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// True if the asker holds the lease now.
    pub granted: bool,
    /// The fencing token of the current holding. It grows with every change of the holder, also over restarts of the
    /// sidecar. Told to the holder only, else 0.
    pub fence: u64,
    /// How long it holds from now on, or, when not granted, when to ask again: milliseconds.
    pub expires_in_millis: u64,
}
