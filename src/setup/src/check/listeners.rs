//! Checks the listeners that receive HTTP-01 challenges: on port 80, plain HTTP, with the plugin, under the entry
//! point's name.

use std::collections::BTreeSet;

use yaml::At;

use super::finding::quoted;
use super::gather::{Chain, Envoy, Listener};
use super::plugin::{Plugin, Position};
use super::{Finding, Report};

/// The port of HTTP-01 (RFC 8555 §8.3).
const HTTP: u64 = 80;

pub(crate) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let wanted = entry_points(plugins);
    let configs = || plugins.iter().filter_map(|plugin| plugin.config.as_ref());
    // Resolvers with other challenges are answered elsewhere.
    if wanted.is_empty() && configs().any(|configured| !configured.config.resolvers.is_empty()) {
        return;
    }
    let responders: Vec<Responder<'_, '_>> = plugins.iter().filter_map(|plugin| responder(envoy, plugin)).collect();
    // Filters without a listener can't be checked any further.
    let is_loose = plugins.iter().any(|plugin| matches!(plugin.position, Position::Filter { manager: None, .. }));
    if responders.is_empty() {
        if envoy.all_listeners && !is_loose {
            nobody_answers(envoy, plugins, report);
        }
        return;
    }
    let (plain, encrypted): (Vec<_>, Vec<_>) = responders.iter().partition(|responder| !responder.is_encrypted);
    if let (true, Some(first)) = (plain.is_empty(), encrypted.first()) {
        let expected = "the plugin on a listener without a transport socket: a CA asks over plain HTTP";
        report.mistake(Finding::at(&first.plugin.at, "the plugin behind TLS only", expected));
        return;
    }
    port(&plain, report);
    bypassed(envoy, &plain, report);
    for (name, resolver) in &wanted {
        entry_point(name, resolver, &plain, report);
    }
}

/// A plugin instance that answers challenges, and its listener.
struct Responder<'p, 'a> {
    plugin: &'p Plugin<'a>,
    listener: &'p Listener<'a>,
    is_encrypted: bool,
}

fn responder<'p, 'a>(envoy: &'p Envoy<'a>, plugin: &'p Plugin<'a>) -> Option<Responder<'p, 'a>> {
    let Position::Filter { manager: Some(manager), .. } = plugin.position else { return None };
    let (listener, chain, _) = envoy.managers().nth(manager).filter(|_| plugin.answers())?;
    Some(Responder { plugin, listener, is_encrypted: chain.has_socket })
}

/// `httpChallenge.entryPoint` of each resolver, with the path of the option.
fn entry_points<'a>(plugins: &[Plugin<'a>]) -> BTreeSet<(String, String)> {
    let configs = plugins.iter().filter_map(|plugin| plugin.config.as_ref());
    let resolvers = configs.flat_map(|configured| &configured.config.resolvers);
    let entry_point = |resolver: &config::Resolver| {
        Some((resolver.http_challenge.as_ref()?.entry_point.clone(), resolver.name.clone()))
    };
    resolvers.filter_map(entry_point).collect()
}

fn nobody_answers(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let Some(first) = plugins.first() else { return };
    let expected = match envoy.listeners.iter().find(|listener| is_asked(listener)) {
        Some(listener) => format!("the plugin first in http_filters of {}", title(listener)),
        None => "a listener on port 80 with the plugin first in its http_filters, or tlsChallenge instead of httpChallenge, \
                 which needs none"
            .to_owned(),
    };
    report.mistake(Finding::at(&first.at, "no filter that answers challenges", expected));
}

/// Warns about other ports than 80, which the CA connects to; port 80 may be mapped to them.
fn port(plain: &[&Responder<'_, '_>], report: &mut Report) {
    if plain.iter().any(|responder| tcp_port(responder.listener) == Some(HTTP)) {
        return;
    }
    let Some(first) = plain.first() else { return };
    let at = first.listener.at.find("address.socket_address").unwrap_or_else(|| first.listener.at.clone());
    let found = tcp_port(first.listener).map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
    report.warning(Finding::at(
        &at,
        found,
        "port 80, or port 80 of the public address mapped to it: CAs connect there",
    ));
}

/// Reports listeners on port 80 without the plugin: they would answer instead.
fn bypassed(envoy: &Envoy<'_>, plain: &[&Responder<'_, '_>], report: &mut Report) {
    for listener in envoy.listeners.iter().filter(|listener| is_asked(listener)) {
        let has_plugin = plain.iter().any(|responder| responder.listener.at.path == listener.at.path);
        if !has_plugin {
            let found = format!("{} on port 80 without the plugin", title(listener));
            report.warning(Finding::at(&listener.at, found, "the plugin first in its http_filters: CAs connect there"));
        }
    }
}

/// Checks that a resolver's entry point is a listener on which an instance answers.
fn entry_point(name: &str, resolver: &str, plain: &[&Responder<'_, '_>], report: &mut Report) {
    let own = |responder: &&&Responder<'_, '_>| {
        responder.plugin.config.as_ref().and_then(|configured| configured.config.entry_point.clone())
    };
    let Some(first) = plain.first() else { return };
    let names: Vec<String> = plain.iter().filter_map(|responder| own(&responder)).collect();
    let any = plain.iter().any(|responder| own(&responder).is_none());
    if names.iter().any(|own| own == name) {
        return;
    }
    if !any {
        let found = format!("the entry point {}", names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "));
        let expected = format!(
            "{name}, as in httpChallenge.entryPoint of the resolver {resolver}: no other listener answers its challenges"
        );
        let at = first.plugin.config.as_ref().map_or(&first.plugin.at, |configured| &configured.at);
        let finding = Finding { path: format!("{}.entryPoint", at.path), ..Finding::at(at, found, expected) };
        return report.mistake(Finding {
            line: Some(at.line_of("entryPoint")),
            ..finding.near(name, names.iter().map(String::as_str))
        });
    }
    let listeners: Vec<&str> = plain.iter().map(|responder| responder.listener.name).collect();
    // Listeners without names can't match.
    let is_nameless = listeners.contains(&"");
    if !listeners.contains(&name) && !is_nameless {
        let found = format!("the name {}", listeners.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "));
        let expected =
            format!("{name}, as in httpChallenge.entryPoint of the resolver {resolver}, so that a reader finds it");
        let at = first.listener.at.get("name").unwrap_or_else(|| first.listener.at.clone());
        report.warning(Finding::at(&at, found, expected).near(name, listeners.iter().copied()));
    }
}

/// True if a listener receives challenges: it speaks plain HTTP on port 80.
pub(super) fn is_asked(listener: &Listener<'_>) -> bool {
    let speaks_http = |chain: &Chain<'_>| !chain.has_socket && !chain.managers.is_empty();
    tcp_port(listener) == Some(HTTP) && listener.chains.iter().any(speaks_http)
}

/// A listener's designation in a message.
fn title(listener: &Listener<'_>) -> String {
    match listener.name {
        "" => format!("the listener of line {}", listener.at.line),
        name => format!("the listener {}", quoted(name)),
    }
}

/// The TCP port of a listener.
pub(crate) fn tcp_port(listener: &Listener<'_>) -> Option<u64> {
    port_of(&listener.at)
}

/// The TCP port, given the listener's fields.
pub(crate) fn port_of(listener: &At<'_>) -> Option<u64> {
    let address = listener.find("address.socket_address")?;
    address.number_of("port_value").filter(|_| address.text_of("protocol") != Some("UDP"))
}
