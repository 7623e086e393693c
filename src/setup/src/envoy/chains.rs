//! The filter chains of an entry point: which certificate, which routes.
//!
//! Traefik takes plaintext and TLS on one port, and chooses the certificate by SNI and the router by `Host`. So a chain
//! for TLS has all routes of its entry point; chains differ in their certificates, their TLS options and in what takes
//! the connection: HTTP, a TCP router, or the server behind a router with passthrough.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use resolver::config::Mistake;
use serde_json::{Value, json};

use super::manager::{self, Manager};
use super::secrets::{self, transport_socket};
use super::services::tcp_cluster_name;
use super::{Layout, routes, services, tls_alpn01, untrusted, yaml};
use crate::model::{EntryPoint, HttpRouter, Redirect, RouterTls, Setup, TcpRouter, TcpTls, TlsOptions};

/// What HTTP clients are offered.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

/// Traefik's name of the TLS options of whoever names none.
const DEFAULT_OPTIONS: &str = "default";

/// The chains of an entry point, the route configurations that they refer to, and what could not be done.
#[derive(Default)]
pub(super) struct Chains {
    pub(super) chains: Vec<Value>,
    pub(super) route_configs: Vec<Value>,
    pub(super) warnings: Vec<String>,
    pub(super) mistakes: Vec<Mistake>,
    /// Names that chains have taken: Envoy refuses the same twice.
    taken: HashSet<String>,
}

/// What the chains of an entry point are made from.
pub(super) struct Entry<'s> {
    pub(super) setup: &'s Setup,
    pub(super) point: &'s EntryPoint,
    pub(super) layout: Layout<'s>,
    /// The plugin's filter, where this entry point answers challenges.
    pub(super) plugin: Option<Value>,
}

impl Entry<'_> {
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
        tcp.sort_by(|one, other| other.priority.cmp(&one.priority).then_with(|| one.name.cmp(&other.name)));
        let has_plain = !plain.is_empty() || self.point.redirect.is_some() || self.plugin.is_some();
        let (tcp_tls, tcp_plain): (Vec<&TcpRouter>, Vec<&TcpRouter>) =
            tcp.into_iter().partition(|router| router.tls.is_some());
        if let Some(router) = self.plain_tcp(&tcp_plain, &mut chains) {
            let point = &self.point.name;
            if self.plugin.is_some() {
                chains.mistakes.push(Mistake {
                    path: format!("tcp.routers.{}.entryPoints", router.name),
                    found: format!("{point}, of which it takes every connection without TLS"),
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
            Some(redirect) => vec![redirection(redirect)],
            None => self.virtual_hosts(routers, chains),
        };
        let routes = self.routes(&self.point.name, virtual_hosts, chains);
        let filters = manager::filters(Manager {
            point: self.point,
            plugin: self.plugin.clone(),
            routes,
            redirects: self.point.redirect.is_some(),
            needs_client_ip: routers.iter().any(|router| routes::asks_for_client_ip(router)),
        });
        let mut chain = json!({ "name": "plaintext", "filter_chain_match": { "transport_protocol": "raw_buffer" } });
        chain["filters"] = filters;
        chains.chains.push(chain);
    }

    /// A TCP router with TLS.
    fn tcp(&self, router: &TcpRouter, chains: &mut Chains) {
        let names: Vec<String> =
            router.server_names.iter().filter(|name| chains.taken.insert((*name).clone())).cloned().collect();
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
                chain["transport_socket"] = transport_socket(secrets, &self.options(tls), &[]);
                "Envoy does TLS"
            }
            Some(TcpTls::Passthrough) | None => "its server does TLS",
        };
        yaml::comment(&mut chain, &format!("The TCP router {}: {what}.", router.name));
        chains.chains.push(chain);
    }

    /// The chains of HTTP routers with TLS: one for each kind of TLS options, and one for whatever no other takes.
    fn https(&self, routers: &[&HttpRouter], tcp: &[&TcpRouter], chains: &mut Chains) {
        let groups = groups(routers);
        let needs_client_ip = routers.iter().any(|router| routes::asks_for_client_ip(router));
        let mut virtual_hosts = self.virtual_hosts(routers, chains);
        // A TCP router for every name gets what no HTTP router names.
        let has_rest = !tcp.iter().any(|router| router.server_names.is_empty());
        for (options, hosts) in &groups {
            let is_default = options == DEFAULT_OPTIONS;
            let name =
                if is_default { format!("{}-tls", self.point.name) } else { format!("{}-{options}", self.point.name) };
            let misdirected: BTreeSet<&str> = groups
                .iter()
                .filter(|(other, _)| *other != options)
                .flat_map(|(_, hosts)| hosts.iter().copied())
                .collect();
            let routes = self.routes(
                &name,
                misdirecting(
                    if groups.len() == 1 { std::mem::take(&mut virtual_hosts) } else { virtual_hosts.clone() },
                    &misdirected,
                ),
                chains,
            );
            let filters = |routes| {
                manager::filters(Manager { point: self.point, plugin: None, routes, redirects: false, needs_client_ip })
            };
            let tls = self.setup.tls_options.get(options).cloned().unwrap_or_default();
            let certificates = self.certificates(routers, hosts, is_default);
            if let Layout::Dynamic { .. } = self.layout {
                for (secret, names) in &certificates {
                    let names: Vec<String> =
                        names.iter().filter(|name| chains.taken.insert((*name).clone())).cloned().collect();
                    if !names.is_empty() {
                        chains.chains.push(chain(
                            secret,
                            &names,
                            transport_socket([secret.as_str()], &tls, &ALPN),
                            filters(routes.clone()),
                        ));
                    }
                }
            }
            // Without SNI and for names that nothing covers; an address is never an SNI (RFC 6066 §3).
            let is_address = |name: &&String| name.parse::<std::net::IpAddr>().is_ok();
            let of_address = certificates.iter().find(|(_, names)| names.iter().any(|name| is_address(&name)));
            let mut secrets = vec![of_address.map_or(secrets::DEFAULT, |(secret, _)| secret)];
            if matches!(self.layout, Layout::Static) {
                secrets.extend(certificates.keys().map(String::as_str));
                let mut seen = HashSet::new();
                secrets.retain(|secret| seen.insert(*secret));
            }
            let names: Vec<String> = match is_default && has_rest {
                true => Vec::new(),
                false => hosts
                    .iter()
                    .map(|host| (*host).to_owned())
                    .filter(|host| chains.taken.insert(host.clone()))
                    .collect(),
            };
            if is_default && has_rest || !names.is_empty() {
                let name = if is_default { "TLS".to_owned() } else { format!("TLS with options {options}") };
                chains.chains.push(chain(&name, &names, self.socket(&secrets, &tls), filters(routes)));
            }
        }
    }

    /// The certificates of the routers for these hosts, by their main names; and a secret for each host that none of
    /// them covers, where certificates of the user's own may.
    fn certificates(
        &self,
        routers: &[&HttpRouter],
        hosts: &BTreeSet<&str>,
        is_default: bool,
    ) -> BTreeMap<String, Vec<String>> {
        let wanted: BTreeSet<&[String]> = routers
            .iter()
            .filter_map(|router| router.tls.as_ref())
            .flat_map(|tls| tls.certificates.iter().map(Vec::as_slice))
            .filter(|names| is_default || names.iter().any(|name| hosts.contains(name.as_str())))
            .collect();
        let mut uses: HashMap<&str, usize> = HashMap::new();
        wanted.iter().flat_map(|names| names.iter()).for_each(|name| *uses.entry(name).or_default() += 1);
        let mut certificates: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for names in wanted {
            let Some(main) = names.first() else { continue };
            if uses.get(main.as_str()) == Some(&1) {
                certificates.insert(main.clone(), names.to_vec());
            } else {
                // By this name the sidecar may give another certificate, without the other names.
                certificates.extend(names.iter().map(|name| (name.clone(), vec![name.clone()])));
            }
        }
        let covered: HashSet<&str> = uses.into_keys().collect();
        if !self.setup.certificates.is_empty() {
            let wildcard = |host: &str| host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            let is_covered = |host: &str| {
                covered.contains(host) || wildcard(host).is_some_and(|name| covered.contains(name.as_str()))
            };
            let others: Vec<&str> = hosts.iter().copied().filter(|host| !is_covered(host)).collect();
            certificates.extend(others.into_iter().map(|host| (host.to_owned(), vec![host.to_owned()])));
        }
        certificates
    }

    fn virtual_hosts(&self, routers: &[&HttpRouter], chains: &mut Chains) -> Vec<Value> {
        let action = |router: &HttpRouter| match self.setup.http_services.get(&router.service) {
            Some(service) => services::route(&router.service, service),
            None => json!({ "direct_response": { "status": 503 } }),
        };
        routes::virtual_hosts(routers, &action).unwrap_or_else(|mistakes| {
            chains.mistakes.extend(mistakes);
            Vec::new()
        })
    }

    /// Routes in the connection manager itself, or in a file that Envoy watches.
    fn routes(&self, name: &str, mut virtual_hosts: Vec<Value>, chains: &mut Chains) -> (&'static str, Value) {
        untrusted::refuse_encoded(&mut virtual_hosts, &self.point.encoded);
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

    fn socket(&self, secrets: &[&str], tls: &TlsOptions) -> Value {
        match self.layout {
            Layout::Static => secrets::short_transport_socket(secrets, tls, &ALPN),
            Layout::Dynamic { .. } => transport_socket(secrets.iter().copied(), tls, &ALPN),
        }
    }

    fn options(&self, tls: &RouterTls) -> TlsOptions {
        let name = tls.options.as_deref().unwrap_or(DEFAULT_OPTIONS);
        self.setup.tls_options.get(name).cloned().unwrap_or_default()
    }
}

/// A chain for HTTPS.
fn chain(name: &str, server_names: &[String], transport_socket: Value, filters: Value) -> Value {
    let mut chain = json!({ "name": name, "filter_chain_match": matching(server_names) });
    chain["transport_socket"] = transport_socket;
    chain["filters"] = filters;
    chain
}

fn matching(server_names: &[String]) -> Value {
    let mut matching = json!({ "transport_protocol": "tls" });
    if !server_names.is_empty() {
        matching["server_names"] = json!(server_names);
    }
    matching
}

fn tcp_proxy(router: &TcpRouter) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": format!("tcp-{}", router.name),
            "cluster": tcp_cluster_name(&router.service),
            // As in Traefik, a connection may be silent for as long as it wants.
            "idle_timeout": "0s",
        },
    })
}

/// The hosts of routers by the TLS options that they have; a host with two kinds has the default ones, as in Traefik.
fn groups<'r>(routers: &[&'r HttpRouter]) -> BTreeMap<String, BTreeSet<&'r str>> {
    let mut of_host: BTreeMap<&str, &str> = BTreeMap::new();
    for router in routers {
        let options = router.tls.as_ref().and_then(|tls| tls.options.as_deref()).unwrap_or(DEFAULT_OPTIONS);
        for host in routes::hosts(&router.rule) {
            let known = of_host.entry(host).or_insert(options);
            if *known != options {
                *known = DEFAULT_OPTIONS;
            }
        }
    }
    let mut groups: BTreeMap<String, BTreeSet<&str>> = BTreeMap::from([(DEFAULT_OPTIONS.to_owned(), BTreeSet::new())]);
    for (host, options) in of_host {
        groups.entry(options.to_owned()).or_default().insert(host);
    }
    groups
}

/// Hosts with other TLS options are not served here: 421, as in Traefik.
fn misdirecting(virtual_hosts: Vec<Value>, misdirected: &BTreeSet<&str>) -> Vec<Value> {
    if misdirected.is_empty() {
        return virtual_hosts;
    }
    let mut all = Vec::new();
    for virtual_host in virtual_hosts {
        let domains = virtual_host["domains"].as_array().cloned().unwrap_or_default();
        let is_here = |domain: &Value| !domain.as_str().is_some_and(|domain| misdirected.contains(domain));
        let domains: Vec<Value> = domains.into_iter().filter(is_here).collect();
        if !domains.is_empty() {
            let mut virtual_host = virtual_host;
            virtual_host["domains"] = json!(domains);
            all.push(virtual_host);
        }
    }
    all.push(json!({
        "name": "hosts with other TLS options",
        "domains": misdirected,
        "routes": [{ "match": { "prefix": "/" }, "direct_response": { "status": 421 } }],
    }));
    all
}

/// Traefik's `redirections.entryPoint`: the method decides whether a client may change it on the way.
fn redirection(redirect: &Redirect) -> Value {
    let mut to = json!({ "scheme_redirect": redirect.scheme });
    let standard = if redirect.scheme == "https" { 443 } else { 80 };
    if redirect.port != standard {
        to["port_redirect"] = json!(redirect.port);
    }
    let with = |code: &str| {
        let mut to = to.clone();
        to["response_code"] = json!(code);
        to
    };
    let (get, other) = match redirect.permanent {
        true => ("MOVED_PERMANENTLY", "PERMANENT_REDIRECT"),
        false => ("FOUND", "TEMPORARY_REDIRECT"),
    };
    let is_get = json!([{ "name": ":method", "string_match": { "exact": "GET" } }]);
    json!({
        "name": "redirection",
        "domains": ["*"],
        "routes": [
            { "match": { "prefix": "/", "headers": is_get }, "redirect": with(get) },
            { "match": { "prefix": "/" }, "redirect": with(other) },
        ],
    })
}
