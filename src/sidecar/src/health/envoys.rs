//! The Envoys that are connected, and what they did not take.

use serde::Serialize;

use sds::{Rejection, Snapshot};

/// An Envoy that is connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envoy {
    /// Its node id.
    pub node: String,
    /// Its open streams.
    pub streams: usize,
    /// How many secrets it has rejected and not accepted since.
    pub rejected: usize,
    /// What it rejected last, also when it has accepted it since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_rejection: Option<Rejected>,
}

/// A secret that was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejected {
    /// The secret's name.
    pub secret: String,
    /// Why, in Envoy's words.
    pub error: String,
    /// When, seconds since 1970.
    pub at: i64,
}

/// All of them, by node.
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
    /// For a person: what it does not take now.
    pub(super) fn warning(&self) -> Option<String> {
        let Rejected { secret, error, .. } = self.last_rejection.as_ref().filter(|_| self.rejected > 0)?;
        let (node, count) = (&self.node, self.rejected);
        Some(format!("Envoy {node} rejects {count} secrets, the last one {secret}: {error}"))
    }
}

impl From<&Rejection> for Rejected {
    fn from(rejection: &Rejection) -> Self {
        let Rejection { resource, error, at, .. } = rejection.clone();
        Self { secret: resource, error, at }
    }
}
