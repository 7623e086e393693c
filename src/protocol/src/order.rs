//! Orders under way and what came of the last try, kept so that any engine can go on where another one stopped.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// An order that the CA has created (RFC 8555 §7.4). Stored before the next request goes to the CA.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The certificate it is for; a certificate has one order at most.
    pub certificate: CertificateId,
    /// The order's URL.
    pub url: String,
    /// The CA's directory URL: an order of another CA is not resumed.
    pub ca_server: String,
    /// The resolver whose account it was placed with, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// When it was created, seconds since 1970.
    pub created: i64,
    /// Which ways to prove its names have failed before, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_ways: Vec<FailedWay>,
    /// What is needed to go on with it.
    #[serde(flatten)]
    pub course: Course,
}

/// What is needed to go on with an order. Nothing of it is in what earlier versions stored: then the CA may tell it
/// again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Course {
    /// Where the signing request goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finalize: Option<String>,
    /// The URLs of the order's authorizations.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub authorizations: Vec<String>,
    /// When the CA gives the order up, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// The end of the certificate's validity, where the CA fixes it with the order, seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// How far it was when it was last gone on with: a number that grows.
    pub reached: u32,
    /// How often it was gone on with since it came that far: not for ever.
    pub resumptions: u32,
    /// How often the CA failed to finalize it.
    pub refusals: u32,
    /// How often a resumption was not counted, as the CA itself asked for a longer wait.
    pub waits: u32,
    /// What the CA said last of a name that it could not validate, in one line for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
}

/// A way to prove a name that has failed: it is not gone again while another one is left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedWay {
    /// The name, `*.a.example` for a wildcard.
    pub name: String,
    /// The type of challenge: `tls-alpn-01`.
    pub challenge: String,
}

/// What came of the last try for a certificate. A [`crate::Publication`] removes it, but for the ways that have failed:
/// what is left of it then has no failures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The certificate that was tried for.
    pub certificate: CertificateId,
    /// How many tries have failed since the last success; none when only [`Self::failed_ways`] are remembered.
    pub failures: u32,
    /// Not to be tried again before this time, seconds since 1970.
    pub retry_at: i64,
    /// Why it failed, in one line for a person.
    pub reason: String,
    /// True when the order can't be gone on with: the stored one and its pending key are dropped.
    #[serde(default)]
    pub order_is_dead: bool,
    /// Whether an order since the last success named the certificate that it replaces (RFC 9773 §5): further ones don't.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_named_replaced: bool,
    /// A fingerprint of the options that the wait depends on: with others, `retryAt` does not hold. Absent where it
    /// always does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_with: Option<u32>,
    /// What a restart makes of the wait, where waiting alone mends nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent: Option<Permanent>,
    /// Which ways to prove its names have failed, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_ways: Vec<FailedWay>,
    /// The resolver that was tried with, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The CA that was tried with: its directory URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ca_server: String,
    /// The names that the CA could not validate this time: each is counted as a failed authorization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// How tries with the resolvers that it falls back to went.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub elsewhere: Vec<Elsewhere>,
}

/// How tries with one of the resolvers that a certificate falls back to went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Elsewhere {
    /// The resolver.
    pub resolver: String,
    /// How many tries have failed since the last success.
    pub failures: u32,
    /// Not to be tried again before this time, seconds since 1970.
    pub retry_at: i64,
    /// What a restart makes of the wait, where waiting alone mends nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent: Option<Permanent>,
}

/// That a failure is one which waiting alone does not mend: whoever has mended it restarts, and need not wait for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permanent {
    /// When it failed, seconds since 1970.
    pub since: i64,
    /// How many tries in a row failed so before their wait was over: a crash loop makes the next ones wait longer.
    #[serde(default)]
    pub hurries: u32,
}
