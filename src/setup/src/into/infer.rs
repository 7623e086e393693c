//! Which names a configuration serves: those of its virtual hosts, and those that its filter chains are for.

use std::collections::HashSet;

use resolver::config::domain;

use super::Notes;
use crate::check::gather::{Chain, Envoy, Listener};
use crate::check::tls_alpn01::is_challenge;
use crate::located::At;

/// What stands between TLS clients and the certificates of the user's own.
const OWN: [&str; 4] = [
    "tls_certificates",
    "tls_certificate_sds_secret_configs",
    "tls_certificate_provider_instance",
    "custom_tls_certificate_selector",
];

/// A filter chain that does TLS.
pub(super) struct TlsChain<'c, 'a> {
    /// Its listener.
    pub(super) listener: &'c Listener<'a>,
    /// All of it.
    pub(super) chain: &'c Chain<'a>,
    /// `common_tls_context`, if it is there.
    pub(super) common: Option<At<'a>>,
    /// The `DownstreamTlsContext`.
    pub(super) context: At<'a>,
    /// It has certificates already, by this key.
    pub(super) own: Option<&'static str>,
    /// The names of each certificate it could serve.
    pub(super) certificates: Vec<Vec<String>>,
}

/// The filter chains that do TLS, with the names they are for.
pub(super) fn tls_chains<'c, 'a>(envoy: &'c Envoy<'a>, notes: &mut Notes) -> Vec<TlsChain<'c, 'a>> {
    let mut chains = Vec::new();
    for (listener, chain) in envoy.chains() {
        let Some(context) = chain.tls.clone().filter(|_| !is_challenge(chain)) else { continue };
        let common = context.get("common_tls_context");
        let own = common.as_ref().and_then(|common| OWN.into_iter().find(|key| common.get(key).is_some()));
        let certificates = if own.is_none() { of_chain(listener, chain, notes) } else { Vec::new() };
        chains.push(TlsChain { listener, chain, common, context, own, certificates });
    }
    chains
}

/// A certificate for what the chain matches, else one for each virtual host.
fn of_chain(listener: &Listener<'_>, chain: &Chain<'_>, notes: &mut Notes) -> Vec<Vec<String>> {
    let matched = chain.at.list("filter_chain_match.server_names");
    let texts: Vec<&str> = matched.iter().filter_map(At::text).collect();
    let (wildcards, named): (Vec<&str>, Vec<&str>) = texts.iter().partition(|name| name.starts_with('*'));
    if !named.is_empty() {
        let from = format!("server_names of a filter chain of {}, line {}", title(listener), chain.at.line);
        let names = names(&texts, &from, notes);
        notes.chosen(&names, &from);
        return vec![names];
    }
    let hosts = virtual_hosts(listener, chain, notes);
    // Under a wildcard, virtual hosts say which names there are.
    let suffixes: Vec<&str> = wildcards.iter().map(|name| name.trim_start_matches('*')).collect();
    let is_reached = |name: &String| suffixes.is_empty() || suffixes.iter().any(|suffix| name.ends_with(suffix));
    hosts
        .into_iter()
        .map(|names| names.into_iter().filter(is_reached).collect())
        .filter(|n: &Vec<_>| !n.is_empty())
        .collect()
}

/// A certificate for each virtual host of a chain.
pub(super) fn virtual_hosts(listener: &Listener<'_>, chain: &Chain<'_>, notes: &mut Notes) -> Vec<Vec<String>> {
    let mut certificates = Vec::new();
    for manager in chain.at.list("filters") {
        let Some(config) = manager.get("typed_config") else { continue };
        if config.get("rds").is_some() {
            notes.say(format!(
                "{}: its routes come from elsewhere (rds), so their names are not known",
                title(listener)
            ));
        }
        for host in config.list("route_config.virtual_hosts") {
            let domains = host.list("domains");
            let texts: Vec<&str> = domains.iter().filter_map(At::text).collect();
            let name = acme::one_line(host.text_of("name").unwrap_or_default());
            let from = format!("virtual host {name} of {}, line {}", title(listener), host.line);
            let names = names(&texts, &from, notes);
            if !names.is_empty() {
                notes.chosen(&names, &from);
                certificates.push(names);
            }
        }
    }
    certificates
}

/// The names that a certificate can have, each once; of the others it is said why not.
fn names(texts: &[&str], from: &str, notes: &mut Notes) -> Vec<String> {
    let mut known = HashSet::new();
    let mut names = Vec::new();
    for text in texts.iter().copied().filter(|text| *text != "*") {
        let host = without_port(text);
        match domain::parse(host) {
            Ok(domain) if domain.name.starts_with('*') => notes.say(format!(
                "{}: left out, a wildcard needs DNS-01 ({from}); --domain takes the names that are meant",
                domain.name
            )),
            Ok(domain) if known.insert(domain.name.clone()) => names.push(domain.name),
            Ok(_) => {}
            Err(expected) => {
                notes.say(format!("{}: left out, expected {expected} ({from})", acme::one_line(text)));
            }
        }
    }
    names
}

/// `a.example:8080` without its port.
fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit() || b == b'*') => {
            // An IPv6 address without brackets has no port.
            if host.contains(':') && !host.ends_with(']') { text } else { host }
        }
        _ => text,
    }
}

/// How a listener is called in a sentence.
pub(super) fn title(listener: &Listener<'_>) -> String {
    match listener.name {
        "" => format!("the listener of line {}", listener.at.line),
        name => format!("listener {}", acme::one_line(name)),
    }
}
