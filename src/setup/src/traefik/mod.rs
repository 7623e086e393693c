//! Traefik's configuration, static and dynamic, as types with Traefik's names: the supported part of it.
//!
//! The JSON Schema derived from these types drives completion in editors, and [`crate::input`] uses it to read keys in
//! any case, flags and environment variables. A doc comment here is the help that an editor shows. Traefik's
//! unsupported keys are listed in `left_out`, so that they are not reported as misspelt.

pub mod entry_points;
pub mod helm;
pub mod http;
mod left_out;
pub mod middlewares;
pub mod providers;
pub mod resolvers;
mod shared;
pub mod tcp;
pub mod tls;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use entry_points::EntryPoint;
use http::Http;
pub(crate) use left_out::{LEFT_OUT, LeftOut, left_out};
use providers::Providers;
use resolvers::CertificatesResolver;
pub use shared::{Domain, RouterTls};
use tcp::Tcp;
use tls::Tls;

/// Traefik's configuration. Static and dynamic parts may stand in one file or in several.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "accessLog", "api", "experimental", "global", "hostResolver", "hub", "log", "metrics", "ocsp", "pilot", "ping",
    "serversTransport", "spiffe", "tcpServersTransport", "tracing", "udp",
]))]
pub struct Configuration {
    /// The ports that Envoy listens on, by name.
    pub entry_points: Option<BTreeMap<String, EntryPoint>>,
    /// Certificates resolvers, by name.
    pub certificates_resolvers: Option<BTreeMap<String, CertificatesResolver>>,
    /// Sources of the dynamic configuration.
    pub providers: Option<Providers>,
    /// Rule parsing.
    pub core: Option<Core>,
    /// HTTP routers and services.
    pub http: Option<Http>,
    /// TCP routers and services.
    pub tcp: Option<Tcp>,
    /// TLS options and certificates of your own.
    pub tls: Option<Tls>,
}

/// Rule parsing.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Core {
    /// The syntax of rules whose router has no `ruleSyntax`: `v3` (the default) or `v2`.
    pub default_rule_syntax: Option<String>,
}
