//! The TXT record of a challenge, as providers take it.

/// A TXT record of a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The record's own name: `_acme-challenge.` and the domain, or the end of the CNAME chain from there; lower case,
    /// with a trailing dot.
    pub fqdn: String,
    /// The zone that the name is in; lower case, with a trailing dot.
    pub zone: String,
    /// The record's value.
    pub value: String,
    /// The DNS name that is proved, without the `*.` of a wildcard.
    pub domain: String,
    /// The challenge's token, for providers that compute the value themselves.
    pub token: String,
    /// The challenge's key authorization, likewise.
    pub key_authorization: String,
}
