//! A certificate that was rolled back.

use serde::Serialize;

/// A certificate in whose place the last good one is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// Its resolver.
    pub resolver: String,
    /// Its names.
    pub names: Vec<String>,
    /// The serial number of the one that is no good, in lower-case hexadecimal.
    pub serial: String,
    /// What happened to it.
    pub reason: String,
    /// When, seconds since 1970.
    pub since: i64,
    /// The end of the one that is served instead, seconds since 1970; absent when there is none, and the one that is no
    /// good is all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_until: Option<i64>,
}
