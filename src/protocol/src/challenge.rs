//! Live challenges: what the engine asks the sidecar to answer, or to let any instance answer.

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

/// A TLS-ALPN-01 challenge that is being validated (RFC 8737): the sidecar serves its certificate until it is
/// withdrawn. A name has one at a time; another waits until the one before is withdrawn or dead, or was published under
/// an older fence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsAlpn01 {
    /// The challenge's token.
    pub token: String,
    /// The identifier: a DNS name in lower-case ASCII, or an IP address.
    pub host: String,
    /// The key authorization, whose SHA-256 is in the certificate.
    pub key_authorization: String,
    /// When it is dead in any case, seconds since 1970.
    pub expires: i64,
}

/// A DNS-01 challenge (RFC 8555 §8.4): the sidecar makes the TXT record and waits until it is seen. It removes the
/// record when it is withdrawn, and by itself when it is not asked for again for an hour.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dns01 {
    /// The challenge's token.
    pub token: String,
    /// The resolver's name: its credentials are taken, where it has some of its own.
    pub resolver: String,
    /// The DNS name in lower-case ASCII, without the `*.` of a wildcard.
    pub domain: String,
    /// The key authorization, whose SHA-256 is in the record.
    pub key_authorization: String,
    /// A lego provider code: `dnsChallenge.provider`.
    pub provider: String,
    /// How the record is looked for.
    pub checks: DnsChecks,
}

/// How a TXT record is looked for before the CA is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DnsChecks {
    /// `dnsChallenge.resolvers`: recursive servers, `host:port`; none: those of the system.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<String>,
    /// `propagation.delayBeforeChecks`: the wait before the first look, milliseconds.
    pub delay_millis: u64,
    /// `propagation.disableChecks`: only the delay.
    pub disable_checks: bool,
    /// `propagation.requireAllRNS`: every recursive server must see the record.
    #[serde(rename = "requireAllRNS")]
    pub require_all_rns: bool,
    /// `propagation.disableANSChecks`: authoritative servers are not asked.
    #[serde(rename = "disableANSChecks")]
    pub disable_ans_checks: bool,
}

/// A dns-persist-01 challenge (draft-ietf-acme-dns-persist): the sidecar looks whether the user has set the record, and
/// tells which one to set when it is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DnsPersist01 {
    /// The resolver's name, for the log.
    pub resolver: String,
    /// The DNS name in lower-case ASCII, without the `*.` of a wildcard.
    pub domain: String,
    /// True if the certificate is for `*.` this name.
    pub wildcard: bool,
    /// The names by which the CA finds its own record: `issuer-domain-names` of the challenge.
    pub issuer_domain_names: Vec<String>,
    /// The account's URL.
    pub account_uri: String,
    /// How the record is looked for.
    pub checks: DnsChecks,
}

/// How far the answer to a challenge is. One that can't be made is a [`crate::problem::CHALLENGE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// True if the CA can be told. If not, the same request is sent again at once: the sidecar holds each for as long
    /// as [`crate::MAX_CHALLENGE_WAIT_SECONDS`].
    pub ready: bool,
}
