//! The state that an engine needs to go on where another one stopped.

use serde::{Deserialize, Serialize};

use crate::{Attempt, Order, ProvidedCertificate, Renewal, StoredCertificate, Unwanted};

/// A page of the stored state, without any key.
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
    /// Renewal windows of CAs, and what else is kept of renewals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewals: Vec<Renewal>,
    /// Certificates that nothing wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwanted: Vec<Unwanted>,
    /// Start of the next page, for `?after=`; `None` on the last page. Envoy bounds the size of an answer that it
    /// buffers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl State {
    /// Adds the next page, and returns where the one behind it begins.
    pub fn append(&mut self, page: Self) -> Option<String> {
        let Self { certificates, provided, orders, attempts, renewals, unwanted, next } = page;
        self.certificates.extend(certificates);
        self.provided.extend(provided);
        self.orders.extend(orders);
        self.attempts.extend(attempts);
        self.renewals.extend(renewals);
        self.unwanted.extend(unwanted);
        next
    }
}
