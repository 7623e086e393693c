//! `certificatesResolvers.<name>.acme`: all options of Traefik's ACME resolver, and what is ours.
//!
//! These types are the schema alone. `config` reads the values, here as in the plugin, so that both say the
//! same of the same mistake; a test holds both to the same keys.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LeftOut;

/// Where certificates come from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificatesResolver {
    /// From a CA that speaks ACME.
    pub acme: Option<Acme>,
    /// From Tailscale's daemon.
    pub tailscale: Option<LeftOut>,
}

/// A CA that speaks ACME (RFC 8555), and what is asked of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Acme {
    /// Mail address that the account is registered with, or the text none. Required.
    pub email: Option<String>,
    /// URL of the CA's directory. The default is Let's Encrypt's: <https://acme-v02.api.letsencrypt.org/directory>
    pub ca_server: Option<String>,
    /// Where accounts, keys and certificates are kept. The default is acme.json.
    pub storage: Option<String>,
    /// Type of the certificates' keys: EC256, EC384, RSA2048, RSA4096 (the default) or RSA8192.
    pub key_type: Option<String>,
    /// Of several chains that the CA offers, the one whose last certificate was issued by this common name.
    pub preferred_chain: Option<String>,
    /// The CA's profile to ask for.
    pub profile: Option<String>,
    /// Mail addresses that stand in each certificate beside its names.
    pub email_addresses: Option<Vec<String>>,
    /// Leave the common name out of signing requests.
    pub disable_common_name: Option<bool>,
    /// The account at the CA that the registration is bound to.
    pub eab: Option<Eab>,
    /// How long certificates live, in hours, which decides when they are renewed. Without it their real lifetime does.
    pub certificates_duration: Option<u64>,
    /// Bound of one exchange with the CA and its retries: seconds, or as 1m30s. The default is 2m.
    pub client_timeout: Option<Period>,
    /// Bound of the wait for the headers of an answer of the CA's. The default is 30s.
    pub client_response_header_timeout: Option<Period>,
    /// Bound of the wait for a certificate once it was asked for. The default is 30s.
    pub certificate_timeout: Option<Period>,
    /// PEM files of the roots that the CA's server is trusted by, instead of the system's.
    pub ca_certificates: Option<Vec<String>>,
    /// Trust the system's roots beside those of caCertificates.
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
    /// Other resolvers whose CAs issue when this one's can't, the most preferred first. Traefik has no such option.
    pub fallback: Option<Vec<String>>,
    /// The CA's limits, which are kept. The default is Let's Encrypt's for a public CA, and none for a private one.
    /// Traefik has no such option.
    pub rate_limits: Option<RateLimitsOrNone>,
    /// URL of the directory of the CA's test system, where a certificate that keeps failing is tried first; or none.
    /// That of Let's Encrypt is known. Traefik has no such option.
    pub staging_server: Option<String>,
}

/// Limits, or none.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RateLimitsOrNone {
    /// The text none.
    None(String),
    /// Limits; those that are absent are the default.
    Limits(RateLimits),
}

/// A CA's limits: each as 300/3h or 50/7d, or none.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimits {
    /// Orders of an account.
    pub orders_per_account: Option<String>,
    /// New certificates of a registered domain, whatever the account.
    pub certificates_per_domain: Option<String>,
    /// Certificates of exactly the same names, whatever the account.
    pub duplicate_certificates: Option<String>,
    /// Failed authorizations of a name and an account.
    pub failed_authorizations: Option<String>,
}

/// External account binding (RFC 8555 §7.3.4).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Eab {
    /// The key identifier that the CA gave you.
    pub kid: Option<String>,
    /// The MAC key that the CA gave you, in base64url; or where the sidecar finds it: file:PATH or env:NAME.
    pub hmac_encoded: Option<String>,
}

/// HTTP-01 (RFC 8555 §8.3).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpChallenge {
    /// The entry point that the CA reaches on port 80. Required.
    pub entry_point: Option<String>,
    /// The wait between making the answer ready and telling the CA.
    pub delay: Option<Period>,
}

/// TLS-ALPN-01 (RFC 8737).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsChallenge {
    /// The wait between making the answer ready and telling the CA.
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
    /// How the record is looked for before the CA is told.
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

/// How a TXT record is looked for before the CA is told.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Propagation {
    /// The wait before the first look.
    pub delay_before_checks: Option<Period>,
    /// Do not look, only wait.
    pub disable_checks: Option<bool>,
    /// Every recursive server must see the record.
    #[serde(rename = "requireAllRNS")]
    pub require_all_rns: Option<bool>,
    /// Authoritative servers are not asked.
    #[serde(rename = "disableANSChecks")]
    pub disable_ans_checks: Option<bool>,
}

/// A time: whole seconds, or Go's form, as 500ms, 90s or 1m30s.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Period {
    /// Seconds.
    Seconds(i64),
    /// Go's form.
    Text(String),
}
