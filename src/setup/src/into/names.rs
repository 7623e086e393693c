//! The names that a configuration serves: those of its virtual hosts, and the server names of its filter chains.

use std::collections::HashSet;
use std::net::IpAddr;

use config::{domain, is_private};
use yaml::At;

use super::notes::Notes;
use crate::check::gather::{Chain, Listener};

/// Reserved suffixes for examples (RFC 2606).
const EXAMPLES: [&str; 2] = [".example", ".test"];

/// A certificate for the server names of the chain, or else one for each virtual host.
pub(super) fn of_chain(listener: &Listener<'_>, chain: &Chain<'_>, notes: &mut Notes) -> Vec<Vec<String>> {
    let matched = chain.at.list("filter_chain_match.server_names");
    let texts: Vec<&str> = matched.iter().filter_map(At::text).collect();
    let (wildcards, named): (Vec<&str>, Vec<&str>) = texts.iter().partition(|name| name.starts_with('*'));
    if !named.is_empty() || notes.with_wildcards && !wildcards.is_empty() {
        let from = format!("server_names of a filter chain of {}, line {}", title(listener), chain.at.line);
        let names = names(&texts, &from, notes);
        notes.chosen(&names, &from);
        return vec![names].into_iter().filter(|names| !names.is_empty()).collect();
    }
    let hosts = virtual_hosts(listener, chain, notes);
    // Under a wildcard, the virtual hosts give the actual names.
    let suffixes: Vec<&str> = wildcards.iter().map(|name| name.trim_start_matches('*')).collect();
    let is_reached = |name: &String| suffixes.is_empty() || suffixes.iter().any(|suffix| name.ends_with(suffix));
    hosts
        .into_iter()
        .map(|names| names.into_iter().filter(is_reached).collect())
        .filter(|n: &Vec<_>| !n.is_empty())
        .collect()
}

/// All names that a chain serves; empty if it serves every name.
pub(super) fn served(listener: &Listener<'_>, chain: &Chain<'_>) -> HashSet<String> {
    let mut unsaid = Notes { with_wildcards: true, with_private: true, ..Notes::default() };
    let has_names = !chain.at.list("filter_chain_match.server_names").is_empty();
    let managers = chain.at.list("filters");
    let hosts = managers.iter().flat_map(|manager| manager.list("typed_config.route_config.virtual_hosts"));
    let is_any = |host: &At<'_>| {
        host.list("domains").iter().any(|domain| domain.text().is_some_and(|text| without_port(text) == "*"))
    };
    if !has_names && hosts.into_iter().any(|host| is_any(&host)) {
        return HashSet::new();
    }
    of_chain(listener, chain, &mut unsaid).into_iter().flatten().collect()
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

/// The distinct names that a certificate can have; notes say why the others are left out.
pub(super) fn names(texts: &[&str], from: &str, notes: &mut Notes) -> Vec<String> {
    let mut known = HashSet::new();
    let mut names = Vec::new();
    let (with_wildcards, with_private) = (notes.with_wildcards, notes.with_private);
    for text in texts {
        let mut left_out = |why: String| notes.say(format!("{}: left out, {why} ({from})", acme::one_line(text)));
        let host = without_port(text);
        if host == "*" {
            left_out("it matches every name; give the intended names by --domain".to_owned());
            continue;
        }
        match domain::parse(host) {
            Ok(domain) if domain.name.starts_with('*') && !with_wildcards => {
                left_out("a wildcard needs DNS-01; --domain takes the names that are meant".to_owned());
            }
            Ok(domain) if !with_private && domain.name.parse::<IpAddr>().is_ok() => {
                left_out("it is an IP address; give it by --domain if the CA certifies addresses".to_owned());
            }
            Ok(domain) if !with_private && is_of_nobody(&domain.name) => {
                left_out("no public CA certifies such a name; give it by --domain if yours does".to_owned());
            }
            Ok(domain) if known.insert(domain.name.clone()) => names.push(domain.name),
            Ok(_) => {}
            Err(expected) => left_out(format!("expected {expected}")),
        }
    }
    names
}

/// True if a name is a single label, or under a suffix that nobody can register.
fn is_of_nobody(name: &str) -> bool {
    let host = name.trim_start_matches("*.");
    is_private(host) && !EXAMPLES.iter().any(|example| host.ends_with(example))
}

/// Strips the port from `a.example:8080`.
fn without_port(text: &str) -> &str {
    match text.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit() || b == b'*') => {
            // An IPv6 address without brackets has no port.
            if host.contains(':') && !host.ends_with(']') { text } else { host }
        }
        _ => text,
    }
}

/// A listener's designation in a message.
pub(super) fn title(listener: &Listener<'_>) -> String {
    match listener.name {
        "" => format!("the listener of line {}", listener.at.line),
        name => format!("listener {}", acme::one_line(name)),
    }
}
