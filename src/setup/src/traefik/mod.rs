//! Traefik's configuration, static and dynamic, as types with Traefik's names: the supported part of it.
//!
//! The JSON Schema derived from these types drives completion in editors, and [`crate::input`] uses it to read keys in
//! any case, flags and environment variables. A doc comment here is the help that an editor shows. Traefik's
//! unsupported keys are listed in `left_out`, so that they are not reported as misspelt.

pub mod entry_points;
pub mod helm;
pub mod http;
pub mod middlewares;
pub mod providers;
pub mod resolvers;
pub mod tcp;
pub mod tls;

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, json_schema};
use serde::Deserialize;
use serde_json::Value;

use entry_points::EntryPoint;
use http::Http;
use providers::Providers;
use resolvers::CertificatesResolver;
use tcp::Tcp;
use tls::Tls;

/// The mark of an unsupported key of Traefik's.
pub(crate) const LEFT_OUT: &str = "x-left-out";

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

/// The names of one certificate.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Domain {
    /// The certificate's main name.
    pub main: Option<String>,
    /// The certificate's further names.
    pub sans: Option<Vec<String>>,
}

/// TLS of a router's connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct RouterTls {
    /// The certificates resolver. Without one, certificates of your own or the default one are served.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one with the names in the rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of the router's TLS options.
    pub options: Option<String>,
}

/// An unsupported part of Traefik's configuration whose presence matters.
#[derive(Clone, Copy, Debug, Default)]
pub struct LeftOut;

impl<'de> Deserialize<'de> for LeftOut {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        serde::de::IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

impl JsonSchema for LeftOut {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LeftOut".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> Schema {
        json_schema!({ LEFT_OUT: "kept" })
    }
}

/// Adds unsupported keys of Traefik's to the schema of an object.
pub(crate) fn left_out(keys: &'static [&'static str]) -> impl FnMut(&mut Schema) {
    move |schema| {
        let properties =
            schema.ensure_object().entry("properties").or_insert_with(|| Value::Object(Default::default()));
        if let Value::Object(properties) = properties {
            for key in keys {
                let help = "Traefik's; not supported, and ignored with a warning.";
                properties.insert((*key).to_owned(), serde_json::json!({ "description": help, LEFT_OUT: true }));
            }
        }
    }
}
