//! Errors as problem documents (RFC 9457).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An error of the API: what happened, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The problem's type, a constant in [`problem`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The type of error, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The cause of this error, its place, and what to do.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.title, self.status)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// The types of [`Problem`]s, told apart by these and never by their text.
pub mod problem {
    /// The body or the query is not what the path wants (400), or is too large (413).
    pub const BAD_REQUEST: &str = "urn:envoy-autocert:bad-request";
    /// The chain does not fit the order: wrong key, names, dates, or it does not parse (422). The old one stays.
    pub const CERTIFICATE_REFUSED: &str = "urn:envoy-autocert:certificate-refused";
    /// The answer to a challenge can't be made (422): the DNS provider refused, the record was not seen in time, say.
    pub const CHALLENGE: &str = "urn:envoy-autocert:challenge";
    /// The MAC key of an external account can't be had: no such file or variable, or not base64url (422).
    pub const EAB_KEY: &str = "urn:envoy-autocert:eab-key";
    /// The request bears no fence, or one of an earlier holder (409): take the lease first.
    pub const FENCE_LOST: &str = "urn:envoy-autocert:fence-lost";
    /// The peer may not use this socket (403), or over TCP the bearer token is missing or wrong (401).
    pub const FORBIDDEN: &str = "urn:envoy-autocert:forbidden";
    /// The path does not exist (404), or does not have this method (405).
    pub const NOT_FOUND: &str = "urn:envoy-autocert:not-found";
    /// The storage can't be written (507), or something of the sidecar's own broke (500): try again.
    pub const STORAGE: &str = "urn:envoy-autocert:storage";
    /// The sidecar is shutting down (503): try again.
    pub const UNAVAILABLE: &str = "urn:envoy-autocert:unavailable";
}
