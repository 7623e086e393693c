//! DNS providers, by lego's codes and with lego's variables.

use std::time::Duration;

/// One TXT record of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's own name: `_acme-challenge.` and the domain, or where CNAMEs lead from there; lower case, with a
    /// trailing dot.
    pub fqdn: String,
    /// The zone that the name is in; lower case, with a trailing dot.
    pub zone: String,
    /// What it holds.
    pub value: String,
    /// The DNS name that is proved, without the `*.` of a wildcard.
    pub domain: String,
    /// The challenge's token, for providers that make the value themselves.
    pub token: String,
    /// The challenge's key authorization, likewise.
    pub key_authorization: String,
}

/// How long a provider takes, by lego's variables (`<PREFIX>_PROPAGATION_TIMEOUT`, `<PREFIX>_POLLING_INTERVAL`,
/// `<PREFIX>_SEQUENCE_INTERVAL`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long the record may take to be seen.
    pub propagation_timeout: Duration,
    /// The wait between two looks.
    pub polling_interval: Duration,
    /// Where records can only be made one after the other: the wait between two of them.
    pub sequence_interval: Option<Duration>,
}
