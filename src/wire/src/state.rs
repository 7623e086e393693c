//! All that an engine needs to go on where another one stopped.

use serde::{Deserialize, Serialize};

use crate::{Attempt, Order, ProvidedCertificate, StoredCertificate};

/// Everything stored, without any key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Certificates from a CA, expired ones too.
    pub certificates: Vec<StoredCertificate>,
    /// Certificates from the user's files.
    pub provided: Vec<ProvidedCertificate>,
    /// Orders under way.
    pub orders: Vec<Order>,
    /// Failed tries.
    pub attempts: Vec<Attempt>,
}
