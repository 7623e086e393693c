//! The plugin's configuration: Traefik's own keys, and a few of ours.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::vault::CertificateId;

/// A configuration without a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `certificatesResolvers.<name>.acme`.
    pub resolvers: BTreeMap<String, Resolver>,
    /// What the routers want, each once, in the order of the routers' names.
    pub wants: Vec<CertificateId>,
    /// `sidecar.cluster`: the Envoy cluster of the sidecar's API.
    pub sidecar_cluster: String,
    /// `caClusters`: origin of a CA (`host` or `host:port`) → Envoy cluster. A resolver's `caServer` that is not in
    /// it has the cluster named like its host.
    pub ca_clusters: BTreeMap<String, String>,
    /// `role`.
    pub role: Role,
    /// `engine`: how the orders are driven.
    pub engine: EngineOptions,
}

/// One `certificatesResolvers.<name>.acme`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// `email`: the account's contact.
    pub email: String,
    /// `caServer`: the directory URL.
    pub ca_server: String,
    /// `keyType`: of the certificates' keys.
    pub key_type: KeyType,
    /// `httpChallenge.entryPoint`.
    pub http_entry_point: String,
    /// `clientTimeout`: bounds one ACME operation with its retries.
    pub client_timeout: Duration,
    /// `clientResponseHeaderTimeout`: bounds each callout.
    pub client_response_header_timeout: Duration,
}

/// What an instance of the plugin does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Answers challenges and stands for election as the engine.
    #[default]
    Auto,
    /// Stands for election only.
    Engine,
    /// Answers challenges only.
    Responder,
}

/// How the orders are driven. Traefik has no such options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// `engine.maxOrders`: how many orders are under way at once.
    pub max_orders: usize,
    /// `engine.retryMin`: the wait after the first failure of a certificate; it doubles with each further one.
    pub retry_min: Duration,
    /// `engine.retryMax`: the longest such wait.
    pub retry_max: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_orders: 20, retry_min: Duration::from_secs(60), retry_max: Duration::from_secs(6 * 60 * 60) }
    }
}

/// The types of a certificate's key, by Traefik's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256.
    Ec256,
    /// ECDSA on P-384.
    Ec384,
    /// RSA, 2048 bit.
    Rsa2048,
    /// RSA, 4096 bit.
    Rsa4096,
    /// RSA, 8192 bit.
    Rsa8192,
}

impl KeyType {
    /// Every type, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Ec256, Self::Ec384, Self::Rsa2048, Self::Rsa4096, Self::Rsa8192];

    /// Traefik's name: `EC256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec256 => "EC256",
            Self::Ec384 => "EC384",
            Self::Rsa2048 => "RSA2048",
            Self::Rsa4096 => "RSA4096",
            Self::Rsa8192 => "RSA8192",
        }
    }

    /// The type of this name, case-sensitive as in Traefik.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key_type| key_type.as_str() == name)
    }
}

/// A mistake in a configuration: where it is, what stands there, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The path of the field: `certificatesResolvers.le.acme.keyType`.
    pub path: String,
    /// What stands there, shortened and escaped; a secret's value never.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// The nearest known key or value, when one is near.
    pub nearest: Option<String>,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: found {}, expected {}", self.path, self.found, self.expected)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// Reads a configuration, or says every mistake in it.
pub fn parse(_value: &serde_json::Value) -> Result<Config, Vec<Mistake>> {
    Err(Vec::new())
}
