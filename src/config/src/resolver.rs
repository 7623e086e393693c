//! A `certificatesResolvers.<name>.acme` section as types: the options for a CA.

use std::time::Duration;

use acme::{ChallengeChoice, ChallengeType};

use protocol::{CertificateId, KeyType, Limits};

/// A `certificatesResolvers.<name>.acme` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// The resolver's name, unique in a configuration.
    pub name: String,
    /// `email`: the account's contact; `None` if the user wants none.
    pub email: Option<String>,
    /// `caServer`: the directory URL.
    pub ca_server: String,
    /// `keyType`: the type of the certificates' keys.
    pub key_type: KeyType,
    /// `eab`: the external account that the registration is bound to (RFC 8555 §7.3.4).
    pub eab: Option<Eab>,
    /// `preferredChain`: the issuer's common name of the last certificate of the chain to take.
    pub preferred_chain: Option<String>,
    /// `profile`: sent with each order (draft-ietf-acme-profiles §4).
    pub profile: Option<String>,
    /// `emailAddresses`: mail addresses in each certificate beside its names.
    pub email_addresses: Vec<String>,
    /// `disableCommonName`: signing requests have no common name.
    pub disable_common_name: bool,
    /// `certificatesDuration`: the lifetime of certificates by the user's word, which decides when they are renewed.
    pub certificates_duration: Option<Duration>,
    /// `clientTimeout`: timeout of one ACME operation with its retries, and of the wait for one validation.
    pub client_timeout: Duration,
    /// `clientResponseHeaderTimeout`: timeout of each callout.
    pub client_response_header_timeout: Duration,
    /// `certificateTimeout`: timeout of the wait from finalization to certificate.
    pub certificate_timeout: Duration,
    /// `storage`: path of the sidecar's storage for this resolver's account and certificates.
    pub storage: Option<String>,
    /// `caCertificates`, `caSystemCertPool`, `caServerName`: verification of the CA's server.
    pub ca_trust: CaTrust,
    /// `httpChallenge`.
    pub http_challenge: Option<HttpChallenge>,
    /// `tlsChallenge`.
    pub tls_challenge: Option<TlsChallenge>,
    /// `dnsChallenge`.
    pub dns_challenge: Option<DnsChallenge>,
    /// `dnsPersistChallenge`: ours, Traefik has none.
    pub dns_persist_challenge: Option<DnsPersistChallenge>,
    /// `fallback`: ours. The resolvers whose CAs are used when this one's can't issue, the most preferred first.
    pub fallback: Vec<String>,
    /// `rateLimits`: ours. The CA's rate limits; those of Let's Encrypt unless the CA is a private one.
    pub limits: Limits,
    /// `stagingServer`: ours. The directory URL of the CA's staging environment, where a certificate that keeps failing
    /// is tried first; Let's Encrypt's is known.
    pub staging_server: Option<String>,
}

impl Resolver {
    /// True if the resolver has any challenge.
    pub fn has_challenges(&self) -> bool {
        let has_own = self.http_challenge.is_some() || self.tls_challenge.is_some();
        has_own || self.dns_challenge.is_some() || self.dns_persist_challenge.is_some()
    }

    /// This resolver's name in the record of a certificate that it issues: none where the certificate is its own.
    pub fn issuer_of(&self, id: &CertificateId) -> Option<String> {
        (self.name != id.resolver).then(|| self.name.clone())
    }

    /// The challenges usable for a name (`*.a.example` for a wildcard), the most preferred first, as in Traefik.
    pub fn challenge_choices(&self, name: &str) -> impl Iterator<Item = ChallengeChoice> {
        let delays = [
            self.tls_challenge.as_ref().map(|challenge| challenge.delay),
            self.http_challenge.as_ref().map(|challenge| challenge.delay),
            // DNS-01's delay comes before the propagation checks, which are the sidecar's.
            self.dns_challenge.as_ref().map(|_| Duration::ZERO),
            self.dns_persist_challenge.as_ref().map(|_| Duration::ZERO),
        ];
        let choices = ChallengeType::ALL.into_iter().zip(delays);
        choices
            .filter_map(|(kind, delay)| Some(ChallengeChoice { kind, delay: delay? }))
            .filter(|choice| choice.kind.proves(name))
    }
}

/// An external account, by which a CA knows its customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Eab {
    /// `kid`: the account's name at the CA. The MAC key is known to the sidecar only.
    pub kid: String,
}

/// Verification of the CA's server. The plugin can't apply these options: they belong in the TLS context of the CA's
/// cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaTrust {
    /// `caCertificates`: PEM files of roots.
    pub certificates: Vec<String>,
    /// `caSystemCertPool`: the system's roots are trusted in addition to `certificates`.
    pub system_cert_pool: bool,
    /// `caServerName`: the name that the server's certificate must have, instead of the URL's.
    pub server_name: Option<String>,
}

/// HTTP-01 (RFC 8555 §8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpChallenge {
    /// `entryPoint`: the entry point that the CA reaches on port 80.
    pub entry_point: String,
    /// `delay`: the wait between publishing the challenge response and telling the CA.
    pub delay: Duration,
}

/// TLS-ALPN-01 (RFC 8737).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsChallenge {
    /// `delay`: the wait between publishing the challenge response and telling the CA.
    pub delay: Duration,
}

/// DNS-01 (RFC 8555 §8.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsChallenge {
    /// `provider`: a lego provider code.
    pub provider: String,
    /// `resolvers`: recursive servers, `host:port`.
    pub resolvers: Vec<String>,
    /// `propagation`: checks of the record before the CA is told.
    pub propagation: Propagation,
}

/// dns-persist-01 (draft-ietf-acme-dns-persist): a record that the user sets once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DnsPersistChallenge {
    /// `resolvers`: recursive servers, `host:port`.
    pub resolvers: Vec<String>,
}

/// Propagation checks of a TXT record before the CA is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Propagation {
    /// `delayBeforeChecks`: the wait before the first check.
    pub delay_before_checks: Duration,
    /// `disableChecks`: skips the checks and only waits.
    pub disable_checks: bool,
    /// `requireAllRNS`: every recursive server must see the record.
    pub require_all_rns: bool,
    /// `disableANSChecks`: does not ask authoritative servers.
    pub disable_ans_checks: bool,
}
