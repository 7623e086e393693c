//! The filter chains of HTTP routers with TLS.
//!
//! Promises: a connection has the TLS options of the host in its SNI; requests on it for a host with other options are
//! answered 421, so that nobody reaches a host with another one's options.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::chains::{Chains, EntryChains, matching};
use super::manager::{self, Manager};
use super::secrets::{self, short_transport_socket, transport_socket};
use super::{Layout, limits, routes};
use crate::effective::{DEFAULT_OPTIONS, EffectiveOptions};
use crate::model::{HttpRouter, TcpRouter};

/// Protocols offered to HTTP clients.
const ALPN: [&str; 2] = ["h2", "http/1.1"];

impl EntryChains<'_> {
    /// The chains: one for each set of TLS options, or for each certificate of it, and one for all other names.
    pub(super) fn https(&self, routers: &[&HttpRouter], tcp: &[&TcpRouter], chains: &mut Chains) {
        let options = effective(routers);
        let groups = options.groups();
        chains.warnings.extend(routers.iter().filter_map(|router| lost(&options, router)));
        let certificates = Certificates::of(routers, &options, !self.setup.certificates.is_empty());
        let needs_client_ip = routers.iter().any(|router| routes::asks_for_client_ip(router));
        // A TCP router for every name takes the names that no HTTP router names.
        let has_rest = !tcp.iter().any(|router| router.server_names.is_empty());
        for (name, hosts) in &groups {
            let is_default = *name == DEFAULT_OPTIONS;
            let (routes_name, suffix) = match is_default {
                true => (format!("{}-tls", self.point.name), String::new()),
                false => (format!("{}-{name}", self.point.name), format!(" with options {name}")),
            };
            let virtual_hosts = match self.hosts_with(name, &options, &groups, routers) {
                Ok(virtual_hosts) => virtual_hosts,
                Err(mistakes) => return chains.mistakes.extend(mistakes),
            };
            let routes = self.routes(&routes_name, virtual_hosts, false, chains);
            let filters = |routes| {
                manager::filters(Manager {
                    point: self.point,
                    plugin: None,
                    routes,
                    drops_port: false,
                    needs_client_ip,
                })
            };
            let tls = self.options(Some(name));
            let certificates = certificates.with(name, &options);
            if let Layout::Dynamic { .. } = self.layout {
                for (secret, names) in &certificates {
                    let names = chains.take(names.iter().copied());
                    if !names.is_empty() {
                        let socket = transport_socket([*secret], &tls, &ALPN);
                        chains.chains.push(chain(
                            &format!("{secret}{suffix}"),
                            &names,
                            socket,
                            filters(routes.clone()),
                        ));
                    }
                }
            }
            let names = match is_default && has_rest {
                true => Vec::new(),
                false => chains.take(hosts.iter().copied()),
            };
            if is_default && has_rest || !names.is_empty() {
                // Without SNI, and for names that no certificate covers; an IP address is never an SNI (RFC 6066 §3).
                let is_address = |name: &&str| name.parse::<IpAddr>().is_ok();
                let of_address = certificates.iter().find(|(_, names)| names.iter().any(is_address));
                let first = of_address.map_or(secrets::DEFAULT, |(secret, _)| secret);
                let socket = match self.layout {
                    Layout::Static => {
                        let others = certificates.keys().copied().filter(|secret| *secret != first);
                        short_transport_socket(&std::iter::once(first).chain(others).collect::<Vec<_>>(), &tls, &ALPN)
                    }
                    Layout::Dynamic { .. } => transport_socket([first], &tls, &ALPN),
                };
                chains.chains.push(chain(&format!("TLS{suffix}"), &names, socket, filters(routes)));
            }
        }
    }

    /// The virtual hosts on connections with these options.
    fn hosts_with(
        &self,
        name: &str,
        options: &EffectiveOptions<'_>,
        groups: &BTreeMap<&str, BTreeSet<&str>>,
        routers: &[&HttpRouter],
    ) -> Result<Vec<Value>, Vec<config::Mistake>> {
        // A router for every host is not selected by SNI: it has the options of its own hosts, if any.
        let action = |router: &HttpRouter, is_for_all: bool| match is_for_all
            && options.of_router(&routes::hosts(&router.rule)) != name
        {
            true => misdirected(),
            false => self.action(router),
        };
        let others = groups.iter().filter(|(other, _)| **other != name);
        let elsewhere = others.flat_map(|(_, hosts)| hosts.iter().copied()).collect();
        Ok(misdirecting(routes::virtual_hosts(routers, &action)?, &elsewhere))
    }
}

/// The effective options of these routers.
fn effective<'r>(routers: &[&'r HttpRouter]) -> EffectiveOptions<'r> {
    let named = |router: &&'r HttpRouter| {
        let options = router.tls.as_ref().and_then(|tls| tls.options.as_deref());
        (routes::hosts(&router.rule), options)
    };
    EffectiveOptions::of(routers.iter().map(named))
}

/// The warning for a router whose TLS options are not effective.
fn lost(options: &EffectiveOptions<'_>, router: &HttpRouter) -> Option<String> {
    let named = router.tls.as_ref()?.options.as_deref()?;
    let hosts = routes::hosts(&router.rule);
    let has = options.of_router(&hosts);
    let why = match hosts.is_empty() {
        true => "no Host in its rule says which connections are its own",
        false => "other routers for a host of its name others",
    };
    (has != named).then(|| {
        let name = acme::one_line(&router.name);
        format!("http.routers.{name}.tls.options: its connections have the options {has}, as in Traefik: {why}")
    })
}

/// The certificates of routers, each by a name for which the sidecar serves exactly that certificate.
struct Certificates<'r>(BTreeMap<&'r str, BTreeSet<&'r str>>);

impl<'r> Certificates<'r> {
    /// The certificates that routers order; and one for each host that none of them covers, if the user has
    /// certificates of his own.
    fn of(routers: &[&'r HttpRouter], options: &EffectiveOptions<'r>, has_own: bool) -> Self {
        let wanted: BTreeSet<&[String]> = routers
            .iter()
            .filter_map(|router| router.tls.as_ref())
            .flat_map(|tls| tls.certificates.iter().map(Vec::as_slice))
            .collect();
        let mut uses: HashMap<&str, usize> = HashMap::new();
        wanted.iter().flat_map(|names| names.iter()).for_each(|name| *uses.entry(name).or_default() += 1);
        let mut certificates: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for names in wanted {
            let Some(main) = names.first() else { continue };
            let names = names.iter().map(String::as_str);
            if uses.get(main.as_str()) == Some(&1) {
                certificates.insert(main, names.collect());
            } else {
                // For this name the sidecar may serve another certificate, without the other names.
                certificates.extend(names.map(|name| (name, BTreeSet::from([name]))));
            }
        }
        let secrets: HashMap<&str, &str> =
            certificates.iter().flat_map(|(secret, names)| names.iter().map(|name| (*name, *secret))).collect();
        for host in options.hosts() {
            if secrets.contains_key(host) {
                continue;
            }
            let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
            match wildcard.and_then(|name| Some((*secrets.get(name.as_str())?, options.of_name(&name)))) {
                // Connections for the host come to the wildcard's chain anyway.
                Some((_, of_wildcard)) if of_wildcard == options.of_name(host) => {}
                Some((secret, _)) => drop(certificates.entry(secret).or_default().insert(host)),
                None if has_own => drop(certificates.insert(host, BTreeSet::from([host]))),
                None => {}
            }
        }
        Self(certificates)
    }

    /// The certificates with names that have these options, and those names.
    fn with(&self, name: &str, options: &EffectiveOptions<'_>) -> BTreeMap<&'r str, Vec<&'r str>> {
        let here = |names: &BTreeSet<&'r str>| {
            names.iter().copied().filter(|one| options.of_name(one) == name).collect::<Vec<_>>()
        };
        let all = self.0.iter().map(|(secret, names)| (*secret, here(names)));
        all.filter(|(_, names)| !names.is_empty()).collect()
    }
}

/// A chain for HTTPS.
fn chain(name: &str, server_names: &[String], transport_socket: Value, filters: Value) -> Value {
    let mut chain = json!({ "name": name, "filter_chain_match": matching(server_names) });
    chain["transport_socket_connect_timeout"] = json!(limits::HANDSHAKE);
    chain["transport_socket"] = transport_socket;
    chain["filters"] = filters;
    chain
}

/// Answers 421 for hosts with other TLS options, as Traefik does.
fn misdirecting(virtual_hosts: Vec<Value>, elsewhere: &BTreeSet<&str>) -> Vec<Value> {
    if elsewhere.is_empty() {
        return virtual_hosts;
    }
    let mut all = Vec::new();
    for mut virtual_host in virtual_hosts {
        let is_here = |domain: &Value| !domain.as_str().is_some_and(|domain| elsewhere.contains(domain));
        if let Some(domains) = virtual_host["domains"].as_array_mut() {
            domains.retain(is_here);
            if domains.is_empty() {
                continue;
            }
        }
        all.push(virtual_host);
    }
    let mut route = misdirected();
    route["match"] = json!({ "prefix": "/" });
    all.push(json!({ "name": "hosts with other TLS options", "domains": elsewhere, "routes": [route] }));
    all
}

fn misdirected() -> Value {
    json!({ "direct_response": { "status": 421 } })
}
