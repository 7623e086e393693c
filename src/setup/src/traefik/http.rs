//! `http`: which requests go where.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::middlewares::Middleware;
use super::{LeftOut, RouterTls, left_out};

/// HTTP routers and services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["models", "serversTransports"]))]
pub struct Http {
    /// Which requests go where, by name.
    pub routers: Option<BTreeMap<String, Router>>,
    /// Where requests go to, by name.
    pub services: Option<BTreeMap<String, Service>>,
    /// What requests pass on their way, by name.
    pub middlewares: Option<BTreeMap<String, Middleware>>,
}

/// Which requests go where.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["observability"]))]
pub struct Router {
    /// What requests it is for, as in Host(`example.com`) && PathPrefix(`/api`). Required.
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
    pub tls: Option<RouterTls>,
    /// The middlewares that its requests pass. One that can refuse a request and is not built closes it.
    pub middlewares: Option<Vec<String>>,
    /// Traefik's: the routers that its requests come from. They and it are closed.
    pub parent_refs: Option<Vec<String>>,
}

/// Where requests go to.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// To servers, in turn.
    pub load_balancer: Option<LoadBalancer>,
    /// The middlewares that its requests pass, as those of a router.
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
    /// Whether servers get the client's Host header. The default is true.
    pub pass_host_header: Option<bool>,
}

/// A server.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["fenced", "preservePath"]))]
pub struct Server {
    /// Where it is: http://10.0.0.1:8080, https://… or h2c://… (HTTP/2 without TLS). Required.
    pub url: Option<String>,
    /// Its share of the requests among its siblings. The default is 1; with 0 it gets none.
    pub weight: Option<u32>,
}
