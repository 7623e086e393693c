//! The filter chains of an entry point: certificates and routes.
//!
//! Traefik takes plaintext and TLS on one port, and chooses the certificate by SNI and the router by `Host`. So a TLS
//! chain has all routes of its entry point; chains differ in their certificates, their TLS options and the destination
//! of connections: HTTP (in [`super::https`]), a TCP router, or the server behind a router with passthrough.

use std::cmp::Reverse;
use std::collections::HashSet;

use config::Mistake;
use serde_json::{Value, json};

use super::manager::{self, Manager};
use super::secrets::{self, transport_socket};
use super::services::tcp_cluster_name;
use super::{Layout, challenge_routes, limits, routes, services, tls_alpn01, untrusted};
use crate::effective::DEFAULT_OPTIONS;
use crate::model::{EntryPoint, HttpRouter, Redirect, Setup, Target, TcpRouter, TcpTls, TlsOptions};

/// The chains of an entry point, their route configurations, and warnings.
#[derive(Default)]
pub(super) struct Chains {
    pub(super) chains: Vec<Value>,
    pub(super) route_configs: Vec<Value>,
    pub(super) warnings: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
    /// Server names in use: Envoy refuses duplicates.
    taken: HashSet<String>,
}

impl Chains {
    /// Claims the names that no chain has yet, and returns them.
    pub(super) fn take<'n>(&mut self, names: impl Iterator<Item = &'n str>) -> Vec<String> {
        names.map(str::to_owned).filter(|name| self.taken.insert(name.clone())).collect()
    }
}

/// Input for the chains of an entry point.
pub(super) struct EntryChains<'s> {
    pub(super) setup: &'s Setup,
    pub(super) point: &'s EntryPoint,
    pub(super) layout: Layout<'s>,
    /// The plugin's filter, if this entry point answers challenges.
    pub(super) plugin: Option<Value>,
}

impl EntryChains<'_> {
    /// All chains.
    pub(super) fn chains(self) -> Chains {
        let mut chains = Chains::default();
        let on = |names: &[String]| names.contains(&self.point.name);
        let (tls, plain): (Vec<&HttpRouter>, Vec<&HttpRouter>) = self
            .setup
            .http_routers
            .iter()
            .filter(|router| on(&router.entry_points))
            .partition(|router| router.tls.is_some());
        let mut tcp: Vec<&TcpRouter> =
            self.setup.tcp_routers.iter().filter(|router| on(&router.entry_points)).collect();
        // Among equal priorities, closed routers go first, so that no other router gets their connections.
        let rank = |router: &&TcpRouter| (Reverse(router.priority), router.service.is_some());
        tcp.sort_by(|one, other| rank(one).cmp(&rank(other)).then_with(|| one.name.cmp(&other.name)));
        let has_plain = !plain.is_empty() || self.point.redirect.is_some() || self.plugin.is_some();
        let (tcp_tls, tcp_plain): (Vec<&TcpRouter>, Vec<&TcpRouter>) =
            tcp.into_iter().partition(|router| router.tls.is_some());
        if let Some(router) = self.plain_tcp(&tcp_plain, &mut chains) {
            let point = &self.point.name;
            if self.plugin.is_some() {
                chains.mistakes.push(Mistake {
                    path: format!("tcp.routers.{}.entryPoints", router.name),
                    found: format!("{point}, where it takes every connection without TLS"),
                    expected: "another entry point: the CA's requests for HTTP-01 come to this one".to_owned(),
                    nearest: None,
                });
            } else if has_plain {
                chains.warnings.push(format!(
                    "tcp.routers.{}: it takes every connection without TLS of entry point {point}, so no HTTP router \
                     there gets one, as in Traefik",
                    router.name
                ));
            }
        } else if has_plain {
            self.plain_http(&plain, &mut chains);
        }
        for router in &tcp_tls {
            self.tcp(router, &mut chains);
        }
        if !tls.is_empty() || (!has_plain && tcp_tls.is_empty() && tcp_plain.is_empty()) {
            self.https(&tls, &tcp_tls, &mut chains);
        }
        if tls_alpn01::is_wanted(self.setup) {
            chains.chains.extend(tls_alpn01::chains(&chains.chains));
        }
        chains
    }

    /// The first router for connections without TLS takes all of them.
    fn plain_tcp<'r>(&self, routers: &[&'r TcpRouter], chains: &mut Chains) -> Option<&'r TcpRouter> {
        for router in routers.iter().filter(|router| !router.server_names.is_empty()) {
            let name = &router.name;
            chains.warnings.push(format!("tcp.routers.{name}: it has names but no tls, so it gets no connection"));
        }
        let router = routers.iter().find(|router| router.server_names.is_empty())?;
        let mut chain = json!({
            "name": format!("{} without TLS", router.name),
            "filter_chain_match": { "transport_protocol": "raw_buffer" },
            "filters": [tcp_proxy(router)],
        });
        yaml::comment(&mut chain, &format!("The TCP router {}.", router.name));
        chains.chains.push(chain);
        Some(router)
    }

    fn plain_http(&self, routers: &[&HttpRouter], chains: &mut Chains) {
        let virtual_hosts = match &self.point.redirect {
            Some(redirect) => vec![redirection(redirect, self.point.port)],
            None => routes::virtual_hosts(routers, &|router, _| self.action(router)).unwrap_or_else(|mistakes| {
                chains.mistakes.extend(mistakes);
                Vec::new()
            }),
        };
        let routes = self.routes(&self.point.name, virtual_hosts, self.plugin.is_some(), chains);
        let filters = manager::filters(Manager {
            point: self.point,
            plugin: self.plugin.clone(),
            routes,
            drops_port: self.point.redirect.as_ref().is_some_and(|redirect| redirect.unmapped.is_none()),
            needs_client_ip: routers.iter().any(|router| routes::asks_for_client_ip(router)),
        });
        let mut chain = json!({ "name": "plaintext", "filter_chain_match": { "transport_protocol": "raw_buffer" } });
        chain["filters"] = filters;
        chains.chains.push(chain);
    }

    /// A TCP router with TLS.
    fn tcp(&self, router: &TcpRouter, chains: &mut Chains) {
        let names = chains.take(router.server_names.iter().map(String::as_str));
        let has_all = router.server_names.is_empty();
        if names.is_empty() && !(has_all && chains.taken.insert(String::new())) {
            return;
        }
        let mut chain = json!({
            "name": format!("TCP router {}", router.name),
            "filter_chain_match": matching(&names),
            "filters": [tcp_proxy(router)],
        });
        let what = match &router.tls {
            Some(TcpTls::Terminate(tls)) => {
                let secrets: Vec<&str> = match tls.certificates.is_empty() {
                    true if names.is_empty() => vec![secrets::DEFAULT],
                    true => names.iter().map(String::as_str).collect(),
                    false => tls.certificates.iter().filter_map(|names| names.first().map(String::as_str)).collect(),
                };
                chain["transport_socket"] = transport_socket(secrets, &self.options(tls.options.as_deref()), &[]);
                chain["transport_socket_connect_timeout"] = json!(limits::HANDSHAKE);
                "Envoy does TLS"
            }
            Some(TcpTls::Passthrough) | None => "its server does TLS",
        };
        yaml::comment(&mut chain, &format!("The TCP router {}: {what}.", router.name));
        chains.chains.push(chain);
    }

    /// The action of a router's requests.
    pub(super) fn action(&self, router: &HttpRouter) -> Value {
        let answer = |status: u16| json!({ "direct_response": { "status": status } });
        match &router.target {
            Target::Answer(status) => answer(*status),
            Target::Closed => {
                let body = json!({ "inline_string": "Service Unavailable\n" });
                json!({ "direct_response": { "status": 503, "body": body } })
            }
            Target::Service(name) => match self.setup.http_services.get(name) {
                Some(service) => services::route(name, service, &self.point.timeouts),
                None => answer(503),
            },
        }
    }

    /// Routes in the connection manager itself, or in a file that Envoy watches; routes for challenges enable the
    /// plugin, if it is there.
    pub(super) fn routes(
        &self,
        name: &str,
        mut virtual_hosts: Vec<Value>,
        has_plugin: bool,
        chains: &mut Chains,
    ) -> (&'static str, Value) {
        untrusted::refuse(&mut virtual_hosts, &self.point.encoded);
        if has_plugin {
            challenge_routes::enable(&mut virtual_hosts);
        }
        let config = manager::route_config(name, virtual_hosts);
        match self.layout {
            Layout::Static => ("route_config", config),
            Layout::Dynamic { routes, .. } => {
                let mut resource = config;
                resource["@type"] = json!("type.googleapis.com/envoy.config.route.v3.RouteConfiguration");
                chains.route_configs.push(resource);
                let source = json!({ "resource_api_version": "V3", "path_config_source": { "path": routes(name) } });
                ("rds", json!({ "route_config_name": name, "config_source": source }))
            }
        }
    }

    /// The TLS options with this name.
    pub(super) fn options(&self, name: Option<&str>) -> TlsOptions {
        self.setup.tls_options.get(name.unwrap_or(DEFAULT_OPTIONS)).cloned().unwrap_or_default()
    }
}

pub(super) fn matching(server_names: &[String]) -> Value {
    let mut matching = json!({ "transport_protocol": "tls" });
    if !server_names.is_empty() {
        matching["server_names"] = json!(server_names);
    }
    matching
}

/// The TCP proxy for a router's connections; a closed router ends them at once.
fn tcp_proxy(router: &TcpRouter) -> Value {
    let Some(service) = &router.service else {
        return json!({
            "name": "envoy.filters.network.direct_response",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.direct_response.v3.Config",
            },
        });
    };
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": format!("tcp-{}", router.name),
            "cluster": tcp_cluster_name(service),
            // As in Traefik, a connection may be idle without limit.
            "idle_timeout": "0s",
        },
    })
}

/// Traefik's `redirections.entryPoint` of an entry point on this port.
fn redirection(redirect: &Redirect, port: u16) -> Value {
    let standard = if redirect.scheme == "https" { 443 } else { 80 };
    let ordinary = Some(redirect.port).filter(|port| *port != standard);
    let routes: Vec<Value> = match redirect.unmapped {
        None => redirects(redirect, None, ordinary),
        // The port that the client asks for is in the host. Any other text after the colon counts as no port, but is
        // replaced.
        Some(unmapped) => [
            redirects(redirect, Some(&format!(".*:{port}")), Some(unmapped)),
            redirects(redirect, Some(".*:[0-9]+"), Some(redirect.port)),
            redirects(redirect, None, ordinary),
        ]
        .concat(),
    };
    json!({ "name": "redirection", "domains": ["*"], "routes": routes })
}

/// The routes for hosts of this form: the status decides whether a client may change the method.
fn redirects(redirect: &Redirect, host: Option<&str>, port: Option<u16>) -> Vec<Value> {
    let mut to = json!({ "scheme_redirect": redirect.scheme });
    if let Some(port) = port {
        to["port_redirect"] = json!(port);
    }
    let (get, other) = match redirect.permanent {
        true => ("MOVED_PERMANENTLY", "PERMANENT_REDIRECT"),
        false => ("FOUND", "TEMPORARY_REDIRECT"),
    };
    let is_host = host.map(|host| json!({ "name": ":authority", "string_match": { "safe_regex": { "regex": host } } }));
    let is_get = json!({ "name": ":method", "string_match": { "exact": "GET" } });
    let route = |headers: Vec<Value>, code: &str| {
        let mut route = json!({ "match": { "prefix": "/" }, "redirect": to });
        if !headers.is_empty() {
            route["match"]["headers"] = json!(headers);
        }
        route["redirect"]["response_code"] = json!(code);
        route
    };
    vec![route(is_host.iter().cloned().chain([is_get]).collect(), get), route(is_host.into_iter().collect(), other)]
}
