//! `http`: routers, services and middlewares for requests.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out::{LeftOut, left_out};
use super::middlewares::Middleware;
use super::shared::RouterTls;

/// HTTP routers and services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["models", "serversTransports"]))]
pub struct Http {
    /// Routers, by name.
    pub routers: Option<BTreeMap<String, Router>>,
    /// Services, by name.
    pub services: Option<BTreeMap<String, Service>>,
    /// Middlewares, by name.
    pub middlewares: Option<BTreeMap<String, Middleware>>,
}

/// A router: matches requests and sends them to a service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["observability"]))]
pub struct Router {
    /// The requests that the router matches, as in Host(`example.com`) && PathPrefix(`/api`). Required.
    pub rule: Option<String>,
    /// The syntax of the rule: v3 (the default) or v2.
    pub rule_syntax: Option<String>,
    /// The service that matching requests go to. Required.
    pub service: Option<String>,
    /// The router's entry points; without them, those with asDefault, or all.
    pub entry_points: Option<Vec<String>>,
    /// Routers with a higher priority are tried first. The default is the length of the rule.
    pub priority: Option<i64>,
    /// The router takes TLS connections; without this section, plaintext ones.
    pub tls: Option<RouterTls>,
    /// The middlewares that the router's requests pass. A middleware that could refuse a request, and is not supported,
    /// closes the router.
    pub middlewares: Option<Vec<String>>,
    /// Traefik's: the parent routers. Both the parents and this router are closed.
    pub parent_refs: Option<Vec<String>>,
}

/// A service: the destination of requests.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Load balancing over servers, round robin.
    pub load_balancer: Option<LoadBalancer>,
    /// The middlewares that the service's requests pass, as those of a router.
    pub middlewares: Option<Vec<String>>,
    /// Traefik's: to a fallback when a service is down. Left out; the routers that lead here are closed.
    pub failover: Option<LeftOut>,
    /// Traefik's: to the service with the highest random weight. Left out; the routers that lead here are closed.
    pub highest_random_weight: Option<LeftOut>,
    /// Traefik's: to several services at once. Left out; the routers that lead here are closed.
    pub mirroring: Option<LeftOut>,
    /// Traefik's: to several services by weight. Left out; the routers that lead here are closed.
    pub weighted: Option<LeftOut>,
}

/// Servers, and how requests are spread over them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "healthCheck", "passiveHealthCheck", "responseForwarding", "serversTransport", "sticky", "strategy",
]))]
pub struct LoadBalancer {
    /// The servers; at least one.
    pub servers: Option<Vec<Server>>,
    /// Servers get the client's Host header. The default is true.
    pub pass_host_header: Option<bool>,
}

/// A server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["fenced", "preservePath"]))]
pub struct Server {
    /// The server's URL: http://10.0.0.1:8080, https://… or h2c://… (HTTP/2 without TLS). Required.
    pub url: Option<String>,
    /// Weight in load balancing. The default is 1; a server with weight 0 gets no requests.
    pub weight: Option<u32>,
}
