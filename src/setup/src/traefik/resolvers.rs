//! `certificatesResolvers.<name>.acme`: all options of Traefik's ACME resolver, and our own.
//!
//! These types are only the schema. `config` reads the values, here as in the plugin, so that both report the same
//! mistakes; a test holds both to the same keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::left_out::LeftOut;

/// A certificates resolver: the source of certificates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificatesResolver {
    /// A CA that speaks ACME.
    pub acme: Option<Acme>,
    /// Tailscale's daemon.
    pub tailscale: Option<LeftOut>,
}

/// A CA that speaks ACME (RFC 8555), and the options for it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Acme {
    /// Mail address that the account is registered with, or the text none. Required.
    pub email: Option<String>,
    /// URL of the CA's directory. The default is Let's Encrypt's: <https://acme-v02.api.letsencrypt.org/directory>
    pub ca_server: Option<String>,
    /// Path of the storage for accounts, keys and certificates. The default is acme.json.
    pub storage: Option<String>,
    /// Type of the certificates' keys: EC256, EC384, RSA2048, RSA4096 (the default) or RSA8192.
    pub key_type: Option<String>,
    /// Preferred chain, of several that the CA offers: the one whose last certificate was issued by this common name.
    pub preferred_chain: Option<String>,
    /// The CA's certificate profile to request.
    pub profile: Option<String>,
    /// Mail addresses to put into each certificate beside its names.
    pub email_addresses: Option<Vec<String>>,
    /// Leave the common name out of signing requests.
    pub disable_common_name: Option<bool>,
    /// External account binding.
    pub eab: Option<Eab>,
    /// Lifetime of certificates in hours, which decides when they are renewed. Without it their real lifetime does.
    pub certificates_duration: Option<u64>,
    /// Timeout of one exchange with the CA, retries included: seconds, or as 1m30s. The default is 2m.
    pub client_timeout: Option<Period>,
    /// Timeout of the wait for the headers of a response of the CA's. The default is 30s.
    pub client_response_header_timeout: Option<Period>,
    /// Timeout of the wait for a certificate after finalizing its order. The default is 30s.
    pub certificate_timeout: Option<Period>,
    /// PEM files of the roots to verify the CA's server with, instead of the system's.
    pub ca_certificates: Option<Vec<String>>,
    /// Trust the system's roots in addition to those of caCertificates.
    pub ca_system_cert_pool: Option<bool>,
    /// The name that the certificate of the CA's server must have, instead of the URL's.
    pub ca_server_name: Option<String>,
    /// Prove names by HTTP-01, on port 80.
    pub http_challenge: Option<HttpChallenge>,
    /// Prove names by TLS-ALPN-01, on port 443.
    pub tls_challenge: Option<TlsChallenge>,
    /// Prove names by DNS-01.
    pub dns_challenge: Option<DnsChallenge>,
    /// Prove names by dns-persist-01, a DNS record that is set once. Traefik has no such option.
    pub dns_persist_challenge: Option<DnsPersistChallenge>,
    /// Resolvers whose CAs are used when this one's can't issue, the most preferred first. Traefik has no such option.
    pub fallback: Option<Vec<String>>,
    /// The CA's rate limits, which are respected. The default is Let's Encrypt's for a public CA, and none for a
    /// private one. Traefik has no such option.
    pub rate_limits: Option<RateLimitsOrNone>,
    /// URL of the directory of the CA's staging environment, where a certificate that keeps failing is tried first; or
    /// none. Let's Encrypt's is known. Traefik has no such option.
    pub staging_server: Option<String>,
}

/// Rate limits, or none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimitsOrNone {
    /// The text none.
    None(String),
    /// Rate limits; absent limits have their defaults.
    Limits(RateLimits),
}

/// A CA's rate limits: each as 300/3h or 50/7d, or none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimits {
    /// Orders of an account.
    pub orders_per_account: Option<String>,
    /// New certificates per registered domain, over all accounts.
    pub certificates_per_domain: Option<String>,
    /// Certificates with exactly the same names, over all accounts.
    pub duplicate_certificates: Option<String>,
    /// Failed authorizations per name and account.
    pub failed_authorizations: Option<String>,
}

/// External account binding (RFC 8555 §7.3.4).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Eab {
    /// The key identifier that the CA gave you.
    pub kid: Option<String>,
    /// The MAC key that the CA gave you, in base64url; or its location for the sidecar: file:PATH or env:NAME.
    pub hmac_encoded: Option<String>,
}

/// HTTP-01 (RFC 8555 §8.3).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpChallenge {
    /// The entry point that the CA reaches on port 80. Required.
    pub entry_point: Option<String>,
    /// The wait between publishing the challenge response and telling the CA.
    pub delay: Option<Period>,
}

/// TLS-ALPN-01 (RFC 8737).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsChallenge {
    /// The wait between publishing the challenge response and telling the CA.
    pub delay: Option<Period>,
}

/// DNS-01 (RFC 8555 §8.4).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsChallenge {
    /// The code of the DNS provider, as lego has it. Required.
    pub provider: Option<String>,
    /// Recursive DNS servers, as 1.1.1.1:53.
    pub resolvers: Option<Vec<String>>,
    /// Propagation checks of the record, before the CA is told.
    pub propagation: Option<Propagation>,
    /// Deprecated: propagation.delayBeforeChecks.
    pub delay_before_check: Option<Period>,
    /// Deprecated: propagation.disableChecks.
    pub disable_propagation_check: Option<bool>,
}

/// dns-persist-01 (draft-ietf-acme-dns-persist).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsPersistChallenge {
    /// Recursive DNS servers, as 1.1.1.1:53.
    pub resolvers: Option<Vec<String>>,
}

/// Propagation checks of a TXT record, before the CA is told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Propagation {
    /// The wait before the first check.
    pub delay_before_checks: Option<Period>,
    /// Skip the checks and only wait.
    pub disable_checks: Option<bool>,
    /// Every recursive server must see the record.
    #[serde(rename = "requireAllRNS")]
    pub require_all_rns: Option<bool>,
    /// Do not ask authoritative servers.
    #[serde(rename = "disableANSChecks")]
    pub disable_ans_checks: Option<bool>,
}

/// A duration: whole seconds, or Go's form, as 500ms, 90s or 1m30s.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Period {
    /// Seconds.
    Seconds(i64),
    /// Go's form.
    Text(String),
}
