//! The connected Envoys, and the secrets they rejected.

use serde::Serialize;

use sds::{Rejection, Snapshot};

/// A connected Envoy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envoy {
    /// The node id.
    pub node: String,
    /// The number of open streams.
    pub streams: usize,
    /// The number of secrets rejected and not accepted since.
    pub rejected: usize,
    /// The last rejection, even if the secret has been accepted since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rejection: Option<Rejected>,
}

/// A secret that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The secret's name.
    pub secret: String,
    /// The reason, in Envoy's words.
    pub error: String,
    /// The time, in seconds since 1970.
    pub at: i64,
}

/// All connected Envoys, by node.
pub(super) fn of(sds: &Snapshot) -> Vec<Envoy> {
    let envoy = |(node, streams): &(String, usize)| Envoy {
        node: node.clone(),
        streams: *streams,
        rejected: sds.rejected.iter().filter(|rejection| rejection.node == *node).count(),
        last_rejection: sds.last_rejections.iter().find(|rejection| rejection.node == *node).map(Rejected::from),
    };
    sds.nodes.iter().map(envoy).collect()
}

impl Envoy {
    /// A warning for a person about secrets rejected at present.
    pub(super) fn warning(&self) -> Option<String> {
        let Rejected { secret, error, .. } = self.last_rejection.as_ref().filter(|_| self.rejected > 0)?;
        let node = &self.node;
        let count = self.rejected;
        Some(format!("Envoy {node} rejects {count} secrets, the last one {secret}: {error}"))
    }
}

impl From<&Rejection> for Rejected {
    fn from(rejection: &Rejection) -> Self {
        let Rejection { resource, error, at, .. } = rejection.clone();
        Self { secret: resource, error, at }
    }
}
