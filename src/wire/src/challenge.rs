//! Live challenges, so that an instance that did not publish one can answer it too.

use serde::{Deserialize, Serialize};

/// An HTTP-01 challenge that is being validated (RFC 8555 §8.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Http01 {
    /// The challenge's token.
    pub token: String,
    /// The host it is for: a DNS name in lower-case ASCII, or an IP address.
    pub host: String,
    /// The body of the answer. Not a secret: the CA fetches it over plain HTTP.
    pub key_authorization: String,
    /// When it is dead in any case, seconds since 1970.
    pub expires: i64,
}
