//! `tcp`: routers, services and middlewares for connections.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out::{LeftOut, left_out};
use super::middlewares::TcpMiddleware;
use super::shared::Domain;

/// TCP routers and services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["models", "serversTransports"]))]
pub struct Tcp {
    /// Routers, by name.
    pub routers: Option<BTreeMap<String, TcpRouter>>,
    /// Services, by name.
    pub services: Option<BTreeMap<String, TcpService>>,
    /// Middlewares, by name.
    pub middlewares: Option<BTreeMap<String, TcpMiddleware>>,
}

/// A router: matches connections and sends them to a service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouter {
    /// The connections that the router matches, as in HostSNI(`example.com`). Required.
    pub rule: Option<String>,
    /// The syntax of the rule: v3 (the default) or v2.
    pub rule_syntax: Option<String>,
    /// The service that matching connections go to. Required.
    pub service: Option<String>,
    /// The router's entry points; without them, those with asDefault, or all.
    pub entry_points: Option<Vec<String>>,
    /// Routers with a higher priority are tried first. The default is the length of the rule.
    pub priority: Option<i64>,
    /// The router takes TLS connections; without this section, plaintext ones.
    pub tls: Option<TcpRouterTls>,
    /// The middlewares that the router's connections pass. None is supported: any of them closes the router.
    pub middlewares: Option<Vec<String>>,
}

/// TLS of a TCP router's connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpRouterTls {
    /// TLS is passed through to the server.
    pub passthrough: Option<bool>,
    /// The certificates resolver. Without one, certificates of your own or the default one are served.
    pub cert_resolver: Option<String>,
    /// The certificates to get; without it, one with the names in the rule.
    pub domains: Option<Vec<Domain>>,
    /// The name of the router's TLS options.
    pub options: Option<String>,
}

/// A service: the destination of connections.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpService {
    /// Load balancing over servers, round robin.
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
    /// The server's address: 10.0.0.1:5432. Required.
    pub address: Option<String>,
    /// Connections to the server use TLS.
    pub tls: Option<bool>,
}
