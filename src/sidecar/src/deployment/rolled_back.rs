//! A certificate that was rolled back.

use serde::Serialize;

/// A certificate in whose place the last good one is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RolledBack {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The serial number of the rejected certificate, in lower-case hexadecimal.
    pub serial: String,
    /// The reason.
    pub reason: String,
    /// The time, in seconds since 1970.
    pub since: i64,
    /// The end of the certificate served instead, in seconds since 1970; absent if there is none, and the rejected
    /// certificate is all there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_good_until: Option<i64>,
}
