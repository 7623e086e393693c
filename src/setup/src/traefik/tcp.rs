//! `tcp`: which connections go where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::middlewares::TcpMiddleware;
use super::{Domain, LeftOut, left_out};

/// TCP routers and services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["models", "serversTransports"]))]
pub struct Tcp {
    /// Which connections go where, by name.
    pub routers: Option<BTreeMap<String, TcpRouter>>,
    /// Where connections go to, by name.
    pub services: Option<BTreeMap<String, TcpService>>,
    /// What connections pass on their way, by name.
    pub middlewares: Option<BTreeMap<String, TcpMiddleware>>,
}

/// Which connections go where.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouter {
    /// What connections it is for, as in HostSNI(`example.com`). Required.
    pub rule: Option<String>,
    /// The syntax of the rule: v3 (the default) or v2.
    pub rule_syntax: Option<String>,
    /// The service that they go to. Required.
    pub service: Option<String>,
    /// The entry points it is on; without it, those with asDefault, or all.
    pub entry_points: Option<Vec<String>>,
    /// Routers with a higher one are tried first. The default is the length of the rule.
    pub priority: Option<i64>,
    /// It takes TLS connections; without it, plaintext ones.
    pub tls: Option<TcpRouterTls>,
    /// The middlewares that its connections pass. None is built: one closes it.
    pub middlewares: Option<Vec<String>>,
}

/// How a TCP router's TLS connections are served.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouterTls {
    /// The server behind it does TLS.
    pub passthrough: Option<bool>,
    /// The resolver that gets its certificates. Without one, certificates of your own or the default one are served.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one with the names in the rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of its TLS options.
    pub options: Option<String>,
}

/// Where connections go to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpService {
    /// To servers, in turn.
    pub load_balancer: Option<TcpLoadBalancer>,
    /// Traefik's: to several services by weight. Left out; the routers that lead here are closed.
    pub weighted: Option<LeftOut>,
}

/// Servers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["healthCheck", "proxyProtocol", "serversTransport", "terminationDelay"]))]
pub struct TcpLoadBalancer {
    /// The servers; at least one.
    pub servers: Option<Vec<TcpServer>>,
}

/// A server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpServer {
    /// Where it is: 10.0.0.1:5432. Required.
    pub address: Option<String>,
    /// Whether it is spoken to by TLS.
    pub tls: Option<bool>,
}
