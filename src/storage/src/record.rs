//! The stored records.

use std::collections::HashSet;
use std::sync::Arc;

use engine::ledger::{Counted, Interruption};
use protocol::Limit;
use serde::{Deserialize, Serialize};

use pki::Pair;
use pki::secret::Secret;
use url::Url;

/// A resolver's account at a CA.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The CA's directory URL.
    pub ca_server: String,
    /// The P-256 key, PKCS#8 DER.
    pub key: Secret,
    /// The contact as the user wrote it; empty where there is none.
    pub email: String,
    /// The CA's answer to the registration; `None` before it.
    pub registration: Option<Registration>,
    /// The external account that the account is bound to (RFC 8555 §7.3.4), by its key identifier.
    pub eab_kid: Option<String>,
}

/// The CA's answer to newAccount (RFC 8555 §7.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The account's URL.
    pub url: String,
    /// The account's status.
    pub status: String,
    /// The contact URLs.
    pub contact: Vec<String>,
}

/// A certificate from a CA.
#[derive(Clone)]
pub struct Certificate {
    /// The chain with its key.
    pub pair: Arc<Pair>,
    /// Identity and facts of the certificate.
    pub facts: protocol::StoredCertificate,
}

impl Certificate {
    /// True if both have the same chain and the same names.
    pub fn is_same(&self, other: &Self) -> bool {
        self.pair.version == other.pair.version && self.facts == other.facts
    }
}

/// The state of a certificate besides the certificate itself: the order under way, and the history of its attempts.
#[derive(Clone, PartialEq, Eq)]
pub struct Progress {
    /// Identity of the certificate.
    pub id: protocol::CertificateId,
    /// The order under way.
    pub order: Option<protocol::Order>,
    /// The key of the order under way.
    pub key: Option<PendingKey>,
    /// Outcome of the last failed attempt.
    pub attempt: Option<protocol::Attempt>,
    /// The attempt that was permitted and has not ended.
    pub begun: Option<Begun>,
    /// Reservations of rate limits, which are given back if no certificate is issued.
    pub counted: Vec<CountedAt>,
    /// The CA's renewal information.
    pub renewal: Option<protocol::Renewal>,
    /// Since when no router wants the certificate.
    pub unwanted: Option<protocol::Unwanted>,
}

impl Progress {
    /// Returns an empty record.
    pub fn none(id: protocol::CertificateId) -> Self {
        Self {
            id,
            order: None,
            key: None,
            attempt: None,
            begun: None,
            counted: Vec::new(),
            renewal: None,
            unwanted: None,
        }
    }

    /// The part that stays once the certificate is issued: the challenges that failed for its names, so that the next
    /// order does not begin with them.
    pub fn finished(self) -> Self {
        let mut failed_challenges = self.order.map(|order| order.failed_challenges).unwrap_or_default();
        failed_challenges.extend(self.attempt.map(|attempt| attempt.failed_challenges).unwrap_or_default());
        let mut known = HashSet::new();
        failed_challenges.retain(|failed| known.insert(failed.clone()));
        let attempt = (!failed_challenges.is_empty()).then(|| protocol::Attempt {
            certificate: self.id.clone(),
            failed_challenges,
            ..protocol::Attempt::default()
        });
        Self { attempt, renewal: self.renewal, unwanted: self.unwanted, ..Self::none(self.id) }
    }

    /// True for an empty record.
    pub fn is_empty(&self) -> bool {
        let Self { id: _, order, key, attempt, begun, counted, renewal, unwanted } = self;
        let is_idle = order.is_none() && key.is_none() && attempt.is_none() && begun.is_none() && counted.is_empty();
        is_idle && renewal.is_none() && unwanted.is_none()
    }
}

/// A permitted attempt without an outcome so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Begun {
    /// Number of successive attempts without an outcome, this one included, and the time of the first.
    #[serde(flatten)]
    pub interruption: Interruption,
    /// The fence of the engine that makes the attempt: under another fence, the attempt was interrupted.
    pub fence: u64,
    /// The last permit. The same request under the same fence is a retry whose answer was lost.
    pub permitted: Permitted,
    /// The CA's limit of failed authorizations.
    #[serde(default, with = "protocol::limit::text::one", skip_serializing_if = "Option::is_none")]
    pub failures: Option<Limit>,
}

/// The request that a permit was given for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Permitted {
    /// The resolver whose CA and account the permit is for.
    pub issuer: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// [`protocol::PermitRequest::places_order`].
    pub places_order: bool,
    /// [`protocol::PermitRequest::renews`].
    pub renews: bool,
    /// [`protocol::PermitRequest::replaces`].
    pub replaces: bool,
    /// The URL of the stored order that a new order replaces, because it is lost or dead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// A reservation, with the ledger that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CountedAt {
    /// The resolver whose account holds the ledger.
    pub issuer: String,
    /// The CA's directory URL.
    pub ca_server: String,
    /// The reservation.
    #[serde(flatten)]
    pub counted: Counted,
}

/// The key of a certificate that is not issued yet.
#[derive(Clone, PartialEq, Eq)]
pub struct PendingKey {
    /// The URL of the key's order.
    pub order: String,
    /// The key type, by Traefik's name.
    pub key_type: String,
    /// The key, PKCS#8 DER.
    pub key: Secret,
}

/// The host and port of a CA; accounts belong to a CA.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CaOrigin {
    host: String,
    port: u16,
}

impl CaOrigin {
    /// The origin of a URL with the scheme https (or http, for tests against a CA on the loopback).
    pub fn of(url: &str) -> Option<Self> {
        // The parser forgives a missing slash and leading blanks, which an absolute URL of ours never has.
        let (scheme, _) = url.split_once("://")?;
        if !["https", "http"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
            return None;
        }
        let url = Url::parse(url).ok()?;
        Some(Self { host: url.host_str()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// Parses the output of [`Display`](std::fmt::Display).
    pub fn from_authority(authority: &str) -> Option<Self> {
        Self::of(&format!("https://{authority}/")).filter(|origin| origin.to_string() == authority)
    }

    /// True if one operator runs both servers: same host, or hosts under one registered domain (by the public suffix
    /// list). The URLs of a CA's directory may be on other hosts than the directory.
    pub fn is_run_with(&self, other: &Self) -> bool {
        // Hosts directly below a public suffix, and addresses, are unrelated to each other.
        let registered = |origin: &'_ Self| {
            let domain = psl::domain(origin.host.as_bytes()).filter(|domain| domain.suffix().is_known())?;
            Some(domain.as_bytes().to_vec())
        };
        self.has_host_of(other) || registered(self).is_some_and(|domain| registered(other) == Some(domain))
    }

    /// True if the hosts are equal, whatever the ports: this is what Traefik compares.
    pub fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }
}

impl std::fmt::Display for CaOrigin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            443 => f.write_str(&self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_host_and_port() {
        let origin = |url: &str| CaOrigin::of(url).map(|origin| origin.to_string());
        assert_eq!(origin("https://CA.Example/directory"), Some("ca.example".into()));
        assert_eq!(origin("https://ca.example:443/x"), Some("ca.example".into()));
        assert_eq!(origin("https://localhost:14000/dir"), Some("localhost:14000".into()));
        for authority in ["ca.example", "localhost:14000", "[::1]:14000", "192.0.2.1:80"] {
            assert_eq!(CaOrigin::from_authority(authority).map(|origin| origin.to_string()), Some(authority.into()));
        }
        assert_eq!(CaOrigin::from_authority("CA.example"), None);
        for junk in [
            "",
            "http:/ca.example",
            "https:\\\\ca.example",
            " https://ca.example",
            "ca.example",
            "ftp://ca.example/",
            "https://",
            "/directory",
        ] {
            assert_eq!(origin(junk), None, "{junk:?}");
        }
    }
}
