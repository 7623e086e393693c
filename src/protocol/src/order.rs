//! Orders under way and failed attempts, kept so that any engine can go on where another one stopped.
//!
//! Promises: challenges are named by their text, so that types which only a newer version knows survive a downgrade.
//! A record that is stored under its certificate leaves [`Order::certificate`] or [`Attempt::certificate`] out.

use serde::{Deserialize, Serialize};

use crate::CertificateId;

/// An order that the CA has created (RFC 8555 §7.4). Stored before the next request goes to the CA.
///
/// The record keeps newOrder's answer, since not every CA repeats it. Records of earlier versions have no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// The certificate that is ordered; a certificate has one order at most.
    #[serde(default, skip_serializing_if = "CertificateId::is_unset")]
    pub certificate: CertificateId,
    /// The order's URL.
    pub url: String,
    /// The CA's directory URL: an order of another CA is not resumed.
    pub ca_server: String,
    /// The resolver whose account placed the order, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Time of creation, seconds since 1970.
    pub created: i64,
    /// Challenges that have failed for the order's names before, the latest last.
    #[serde(rename = "failedWays", default, skip_serializing_if = "Vec::is_empty")]
    pub failed_challenges: Vec<FailedChallenge>,
    /// The URL that takes the signing request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finalize: Option<String>,
    /// The URLs of the order's authorizations.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authorizations: Vec<String>,
    /// When the CA gives the order up, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<i64>,
    /// The end of the certificate's validity, where the CA fixes it with the order, seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<i64>,
    /// The stage that the order had reached when it was last resumed: a number that grows.
    #[serde(default)]
    pub reached: u32,
    /// Resumptions since the order reached that stage: they are bounded.
    #[serde(default)]
    pub resumptions: u32,
    /// How often the CA failed to finalize the order.
    #[serde(default)]
    pub refusals: u32,
    /// Resumptions that were not counted, as the CA itself asked for a longer wait.
    #[serde(default)]
    pub waits: u32,
    /// The CA's last word on a name that it could not validate, in one line for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint: Option<String>,
}

impl Order {
    /// The resolver whose account placed the order.
    pub fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(&self.certificate.resolver)
    }
}

/// A challenge type that has failed for a name: it is not chosen again while an untried one is left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FailedChallenge {
    /// The name, `*.a.example` for a wildcard.
    pub name: String,
    /// The type of challenge: `tls-alpn-01`.
    pub challenge: String,
}

/// The last failed attempt at a certificate. A [`crate::Publication`] removes the record, but for the challenges that
/// have failed: the record then has no failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// The certificate that was attempted.
    #[serde(default, skip_serializing_if = "CertificateId::is_unset")]
    pub certificate: CertificateId,
    /// Failed attempts with the certificate's own resolver since the last success; 0 when only
    /// [`Self::failed_challenges`] are remembered.
    pub failures: u32,
    /// The earliest time of the next attempt with the certificate's own resolver, seconds since 1970.
    pub retry_at: i64,
    /// The cause of the failure, in one line for a person.
    pub reason: String,
    /// True when the order can't be resumed: the stored one and its pending key are dropped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub order_is_dead: bool,
    /// True when an order since the last success named the certificate that it replaces (RFC 9773 §5): later ones do
    /// not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_named_replaced: bool,
    /// A fingerprint of the options that the wait depends on: with other options, `retry_at` does not hold. Absent
    /// where it always does.
    #[serde(rename = "madeWith", default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<u32>,
    /// Set for a permanent failure: a restart shortens the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent: Option<PermanentFailure>,
    /// Challenges that have failed for the certificate's names, the latest last.
    #[serde(rename = "failedWays", default, skip_serializing_if = "Vec::is_empty")]
    pub failed_challenges: Vec<FailedChallenge>,
    /// The resolver of this attempt, where that is another than the certificate's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The CA of this attempt: its directory URL.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ca_server: String,
    /// The names that the CA could not validate in this attempt: each is counted as a failed authorization.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// The attempts with the resolvers that the certificate falls back to.
    #[serde(rename = "elsewhere", default, skip_serializing_if = "Vec::is_empty")]
    pub fallback_attempts: Vec<FallbackAttempt>,
}

impl Attempt {
    /// The resolver of this attempt.
    pub fn issuer(&self) -> &str {
        self.issuer.as_deref().unwrap_or(&self.certificate.resolver)
    }

    /// True when an attempt has failed since the last success. If not, only `failed_challenges` are remembered.
    pub fn has_failed(&self) -> bool {
        self.failures > 0 || self.fallback_attempts.iter().any(|attempt| attempt.failures > 0)
    }

    /// The failed attempts with one of the resolvers that the certificate falls back to.
    pub fn with_fallback(&self, resolver: &str) -> Option<&FallbackAttempt> {
        self.fallback_attempts.iter().find(|attempt| attempt.resolver == resolver)
    }
}

/// The failed attempts with one of the resolvers that a certificate falls back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FallbackAttempt {
    /// The resolver.
    pub resolver: String,
    /// Failed attempts since the last success.
    pub failures: u32,
    /// The earliest time of the next attempt, seconds since 1970.
    pub retry_at: i64,
    /// Set for a permanent failure: a restart shortens the wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permanent: Option<PermanentFailure>,
}

/// A failure that waiting alone does not cure: an operator who has fixed the cause restarts, and need not wait for
/// long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PermanentFailure {
    /// Time of the failure, seconds since 1970.
    pub since: i64,
    /// Attempts in a row that failed so before their wait was over: a crash loop makes the next waits longer.
    #[serde(rename = "hurries", default)]
    pub early_retries: u32,
}
