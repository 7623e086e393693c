//! Checks the filter chains for TLS-ALPN-01 challenges: present when a resolver has `tlsChallenge`, reached by the CA,
//! and without effect on other connections.
//!
//! Envoy compares `server_names` and `transport_protocol` before the protocol that a client offers, and never
//! backtracks: a chain for `acme-tls/1` has to match the same server names and transport protocol as the chains beside
//! it.

use std::collections::BTreeSet;

use serde_json::Value;
use yaml::At;

use super::challenge_chain::is_challenge;
use super::finding::quoted;
use super::gather::{Chain, Envoy, Listener};
use super::plugin::Plugin;
use super::{Finding, Report};
use crate::envoy::tls_alpn01::{BEFORE_NAMES, PROTOCOL, SCOPE};

/// Maximum number of names in a finding; more add nothing.
const MAX_NAMES: usize = 10;

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    let Some((resolver, plugin)) = wanted(plugins) else { return };
    let listeners = || envoy.listeners.iter().filter(|listener| listener.chains.iter().any(is_challenge));
    if listeners().next().is_none() {
        if envoy.all_listeners {
            let found =
                format!("no filter chain for {PROTOCOL}, by which the resolver {} proves names", quoted(&resolver));
            let expected = "one on the listener that CAs reach on port 443, as `envoy-autocert render` writes it";
            let at = envoy.chains().find_map(|(listener, chain)| chain.tls.as_ref().map(|_| &listener.at));
            report.mistake(Finding::at(at.unwrap_or(&plugin.at), found, expected));
        }
        return;
    }
    for listener in listeners() {
        listener.chains.iter().filter(|chain| is_challenge(chain)).for_each(|chain| shows(chain, report));
        matches(listener, report);
    }
}

/// A resolver with `tlsChallenge`, and the plugin that it is configured in.
fn wanted<'p, 'a>(plugins: &'p [Plugin<'a>]) -> Option<(String, &'p Plugin<'a>)> {
    plugins.iter().find_map(|plugin| {
        let resolvers = &plugin.config.as_ref()?.config.resolvers;
        let resolver = resolvers.iter().find(|resolver| resolver.tls_challenge.is_some())?;
        Some((resolver.name.clone(), plugin))
    })
}

/// Checks that the chain requests the secret of the server name from the sidecar, in the right scope, and negotiates
/// the protocol.
fn shows(chain: &Chain<'_>, report: &mut Report) {
    let Some(context) = &chain.tls else { return };
    let common = context.get("common_tls_context").unwrap_or_else(|| context.clone());
    let Some(selector) = super::selector::selector(&common) else {
        let expected =
            "the selector on_demand_secret, as `envoy-autocert render` writes it: challenges are known by name";
        return report.mistake(Finding::missing(&common, "custom_tls_certificate_selector", expected));
    };
    let services = selector.list("config_source.api_config_source.grpc_services");
    let metadata: Vec<At<'_>> = services.iter().flat_map(|service| service.list("initial_metadata")).collect();
    let (key, value) = SCOPE;
    let is_scope = |entry: &At<'_>| entry.text_of("key").is_some_and(|found| found.eq_ignore_ascii_case(key));
    match metadata.iter().find(|entry| is_scope(entry)) {
        Some(entry) if entry.text_of("value") == Some(value) => {}
        Some(entry) => {
            report.mistake(Finding::at(entry, quoted(entry.text_of("value").unwrap_or_default()), value));
        }
        None => {
            let at = services.first().unwrap_or(&selector);
            let expected =
                format!("`[{{ key: {key}, value: {value} }}]`: without it the sidecar gives ordinary certificates");
            report.mistake(Finding::missing(at, "initial_metadata", expected));
        }
    }
    if !common.list("alpn_protocols").iter().any(|protocol| protocol.text() == Some(PROTOCOL)) {
        let expected = format!("`[{PROTOCOL}]`: a CA takes no other for an answer (RFC 8737)");
        report.mistake(Finding::missing(&common, "alpn_protocols", expected));
    }
    if chain.at.get("transport_socket_connect_timeout").is_none() {
        let expected = "10s, say: without it a handshake that stalls keeps its connection for ever";
        report.warning(Finding::missing(&chain.at, "transport_socket_connect_timeout", expected));
    }
}

/// The criteria before the server name and the one after it: the address, and the transport protocol.
type Before = (String, String);

/// A server name that a chain matches, with the other criteria; `None` for all other names.
type Match = (Before, Option<String>);

fn matches_of(chain: &Chain<'_>) -> Vec<Match> {
    let matching = chain.at.get("filter_chain_match");
    let of = |key: &str| matching.as_ref().and_then(|matching| matching.get(key));
    let address: Vec<Option<Value>> = BEFORE_NAMES.iter().map(|key| of(key).and_then(|at| at.node.value())).collect();
    let transport = of("transport_protocol").and_then(|at| at.text().map(str::to_owned)).unwrap_or_default();
    let before =
        (Value::from(address.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>()).to_string(), transport);
    let names = of("server_names").map(|names| names.items()).unwrap_or_default();
    let names: Vec<String> = names.iter().filter_map(|name| name.text().map(str::to_ascii_lowercase)).collect();
    if names.is_empty() {
        return vec![(before, None)];
    }
    names.into_iter().map(|name| (before.clone(), Some(name))).collect()
}

/// Checks that challenge chains match what the ordinary chains do: no name is missing, and none is taken from an
/// ordinary chain.
fn matches(listener: &Listener<'_>, report: &mut Report) {
    // The default chain is no item of the list, and no part of Envoy's choice.
    let chosen = listener.chains.iter().filter(|chain| chain.at.path.ends_with(']'));
    let (challenges, others): (Vec<&Chain<'_>>, Vec<&Chain<'_>>) = chosen.partition(|chain| is_challenge(chain));
    let sidecars: BTreeSet<&str> = challenges.iter().flat_map(|chain| clusters(chain)).collect();
    let is_ours = |chain: &&&Chain<'_>| clusters(chain).iter().any(|cluster| sidecars.contains(cluster));
    let taken: BTreeSet<Match> = challenges.iter().flat_map(|chain| matches_of(chain)).collect();
    for other in others.iter().filter(is_ours) {
        let missing: Vec<String> =
            matches_of(other).into_iter().filter(|found| !taken.contains(found)).map(|found| title(&found)).collect();
        if !missing.is_empty() {
            let found = format!("a filter chain for {}, which no chain for {PROTOCOL} repeats", listed(&missing));
            let expected = format!(
                "the same server_names and transport_protocol in a chain for {PROTOCOL}: Envoy compares them first, and \
                 a CA that asks for such a name comes here"
            );
            report.mistake(Finding::at(&other.at, found, expected));
        }
    }
    let ordinary: Vec<Match> = others.iter().flat_map(|chain| matches_of(chain)).collect();
    for challenge in challenges {
        let shadows = matches_of(challenge);
        let shadows: Vec<String> = shadows.iter().filter(|found| is_shadow(found, &ordinary)).map(title).collect();
        if !shadows.is_empty() {
            let found = format!("{}, which no other chain matches in the same way", listed(&shadows));
            let expected = "server_names and transport_protocol that another chain has too: Envoy compares them first, \
                            and ordinary handshakes would find no chain";
            report.mistake(Finding::at(&challenge.at, found, expected));
        }
    }
}

/// True if ordinary handshakes no longer find their chain, since this one is compared first.
fn is_shadow(((address, transport), name): &Match, ordinary: &[Match]) -> bool {
    let beside = || ordinary.iter().filter(|((other, carrier), _)| other == address && carrier != "raw_buffer");
    let carriers: Vec<&str> = beside().filter(|(_, other)| other == name).map(|((_, c), _)| c.as_str()).collect();
    if carriers.is_empty() {
        // No ordinary chain has exactly this name, so a wider one serves it.
        return name.is_some() && beside().any(|(_, other)| is_wider(other.as_deref(), name.as_deref()));
    }
    transport == "tls" && carriers.contains(&"") && !carriers.contains(&"tls")
}

/// True if a chain for `other` (`None`: every name) takes this name too.
fn is_wider(other: Option<&str>, name: Option<&str>) -> bool {
    let suffix = other.and_then(|other| other.strip_prefix('*'));
    other.is_none() || suffix.zip(name).is_some_and(|(suffix, name)| name.ends_with(suffix))
}

/// The clusters that the chain's certificates are requested from.
fn clusters<'a>(chain: &Chain<'a>) -> Vec<&'a str> {
    let common = chain.tls.as_ref().and_then(|context| context.get("common_tls_context"));
    common.map(|common| super::sds::clusters(&common)).unwrap_or_default()
}

fn title(((_, transport), name): &Match) -> String {
    let name = name.as_ref().map_or_else(|| "every name".to_owned(), |name| quoted(name));
    if transport.is_empty() { name } else { format!("{name} over {}", acme::one_line(transport)) }
}

fn listed(names: &[String]) -> String {
    let first = names.iter().take(MAX_NAMES).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMES { format!("{first} and {} more", names.len() - MAX_NAMES) } else { first }
}
