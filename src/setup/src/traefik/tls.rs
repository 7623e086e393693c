//! `tls`: TLS options, and certificates of the user's own.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out::{LeftOut, left_out};

/// TLS options and certificates of your own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Parameters of TLS connections, by name; `default` is for routers that name none.
    pub options: Option<BTreeMap<String, TlsOptions>>,
    /// Certificates of your own, served for names that no ACME certificate covers.
    pub certificates: Option<Vec<Certificate>>,
    /// Certificate stores: the store named `default` has the certificate for names that no certificate covers.
    pub stores: Option<BTreeMap<String, Store>>,
}

/// Parameters of TLS connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "alpnProtocols", "cipherSuites", "curvePreferences", "disableSessionTickets",
    "preferServerCipherSuites", "sniStrict",
]))]
pub struct TlsOptions {
    /// The oldest version: VersionTLS10, VersionTLS11, VersionTLS12 or VersionTLS13.
    pub min_version: Option<String>,
    /// The newest version.
    pub max_version: Option<String>,
    /// Client certificates. They are not supported: routers with these options are closed.
    pub client_auth: Option<ClientAuth>,
}

/// Client certificates.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct ClientAuth {
    /// Traefik's: the CAs of client certificates.
    pub ca_files: Option<LeftOut>,
    /// Traefik's: the CAs of client certificates, in Kubernetes.
    pub secret_names: Option<LeftOut>,
    /// NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or RequireAndVerifyClientCert.
    pub client_auth_type: Option<String>,
}

/// A certificate of your own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["stores"]))]
pub struct Certificate {
    /// PEM file of the chain. Required.
    pub cert_file: Option<String>,
    /// PEM file of the key. Required.
    pub key_file: Option<String>,
}

/// A certificate store.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["defaultGeneratedCert"]))]
pub struct Store {
    /// The certificate for names that no certificate covers.
    pub default_certificate: Option<Certificate>,
}
