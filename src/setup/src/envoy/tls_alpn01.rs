//! The filter chain for TLS-ALPN-01 (RFC 8737): it takes only handshakes that offer `acme-tls/1` alone, and serves only
//! the certificates of pending challenges.
//!
//! A stalled handshake is closed after ten seconds; after the handshake the connection is closed, as a CA needs no
//! more.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{limits, secrets};
use crate::model::Setup;

/// The protocol that a CA offers (RFC 8737 §6.2).
pub const PROTOCOL: &str = "acme-tls/1";

/// The gRPC metadata by which the sidecar recognizes requests for challenge certificates.
pub const SCOPE: (&str, &str) = ("x-sds-scope", "tls-alpn-01");

/// The secret for a client without SNI, which does not exist.
const NO_NAME: &str = "default";

/// A cluster that does not exist: connections to it are closed.
const NOWHERE: &str = "envoy-autocert-nowhere";

/// True if a resolver has `tlsChallenge`.
pub fn is_wanted(setup: &Setup) -> bool {
    setup.resolvers.iter().any(|resolver| resolver.tls_challenge.is_some())
}

/// The chains that a listener with these others needs.
///
/// Envoy evaluates the criteria of a match in a fixed order, the client's application protocol rather late, and never
/// backtracks. So a challenge chain shares all earlier criteria with the ordinary chains beside it: otherwise it would
/// not be reached, or the ordinary chains would no longer be. Names with passthrough are left to their server,
/// including their challenges.
pub fn chains(others: &[Value]) -> Vec<Value> {
    let mut groups: Vec<Group> = Vec::new();
    for other in others.iter().filter(|chain| does_tls(chain)) {
        let before = part(matching(other), &BEFORE_PROTOCOL);
        let known = groups.iter().position(|group| group.before == before);
        let index = known.unwrap_or_else(|| {
            groups.push(Group { before, names: BTreeSet::new(), is_for_all: false });
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(index) {
            group.names.extend(server_names(other).map(str::to_owned));
            group.is_for_all |= server_names(other).next().is_none();
        }
    }
    let is_for_all = |chain: &&Value| !is_plain(chain) && server_names(chain).next().is_none();
    let for_all: Vec<Value> =
        others.iter().filter(is_for_all).map(|other| part(matching(other), &BEFORE_NAMES)).collect();
    let mut chains = Vec::new();
    for (index, Group { before, names, is_for_all }) in groups.into_iter().enumerate() {
        let number = if index == 0 { String::new() } else { format!(" ({})", index + 1) };
        if is_for_all || !for_all.contains(&part(&before, &BEFORE_NAMES)) {
            chains.push(chain(&format!("TLS-ALPN-01{number}"), &before, &BTreeSet::new()));
        }
        if !names.is_empty() {
            chains.push(chain(&format!("TLS-ALPN-01 by name{number}"), &before, &names));
        }
    }
    if let Some(first) = chains.first_mut() {
        yaml::comment(first, "Shows the CA its challenges. Only handshakes that offer acme-tls/1 come here.");
    }
    chains
}

/// Criteria that Envoy evaluates before server names.
pub(crate) const BEFORE_NAMES: [&str; 2] = ["destination_port", "prefix_ranges"];

/// Criteria that Envoy evaluates before the application protocol, except server names.
const BEFORE_PROTOCOL: [&str; 3] = ["destination_port", "prefix_ranges", "transport_protocol"];

/// Chains with the same criteria before the application protocol, except their server names.
struct Group {
    before: Value,
    names: BTreeSet<String>,
    /// True if one of the chains has no server names.
    is_for_all: bool,
}

/// Selects these members of a filter chain match.
fn part(matching: &Value, keys: &[&str]) -> Value {
    let member = |key: &&str| Some(((*key).to_owned(), matching.get(key)?.clone()));
    Value::Object(keys.iter().filter_map(member).collect())
}

fn matching(chain: &Value) -> &Value {
    &chain["filter_chain_match"]
}

fn server_names(chain: &Value) -> impl Iterator<Item = &str> {
    matching(chain)["server_names"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn does_tls(chain: &Value) -> bool {
    chain.get("transport_socket").is_some()
}

fn is_plain(chain: &Value) -> bool {
    matching(chain)["transport_protocol"] == "raw_buffer"
}

/// A chain for these names or, if there are none, for all names that no other chain has.
fn chain(name: &str, before: &Value, server_names: &BTreeSet<String>) -> Value {
    let mut matching = before.clone();
    matching["application_protocols"] = json!([PROTOCOL]);
    if !server_names.is_empty() {
        matching["server_names"] = json!(server_names);
    }
    let mut chain = json!({
        "name": name,
        "transport_socket_connect_timeout": limits::HANDSHAKE,
        "filters": [{
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "tls-alpn-01",
                "cluster": NOWHERE,
                // In other modes the proxy closes the connection before the handshake, or waits for data.
                "upstream_connect_mode": "ON_DOWNSTREAM_TLS_HANDSHAKE",
                "max_early_data_bytes": 0,
            },
        }],
    });
    chain["filter_chain_match"] = matching;
    chain["transport_socket"] = transport_socket();
    chain
}

/// A secret by the name in the ClientHello, requested during the handshake.
fn transport_socket() -> Value {
    let package = "type.googleapis.com/envoy.extensions.transport_sockets.tls";
    let mut source = secrets::source();
    let metadata = source.pointer_mut("/api_config_source/grpc_services/0/initial_metadata");
    if let Some(metadata) = metadata.and_then(Value::as_array_mut) {
        let (key, value) = SCOPE;
        metadata.push(json!({ "key": key, "value": value }));
    }
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": format!("{package}.v3.DownstreamTlsContext"),
            // Envoy requires both options for a selector.
            "disable_stateless_session_resumption": true,
            "disable_stateful_session_resumption": true,
            "common_tls_context": {
                "alpn_protocols": [PROTOCOL],
                "custom_tls_certificate_selector": {
                    "name": "envoy.tls.certificate_selectors.on_demand_secret",
                    "typed_config": {
                        "@type": format!("{package}.cert_selectors.on_demand_secret.v3.Config"),
                        "certificate_mapper": {
                            "name": "envoy.tls.certificate_mappers.sni",
                            "typed_config": {
                                "@type": format!("{package}.cert_mappers.sni.v3.SNI"),
                                "default_value": NO_NAME,
                            },
                        },
                        "config_source": source,
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn other(matching: Value, is_ours: bool) -> Value {
        let mut chain = json!({ "filter_chain_match": matching });
        if is_ours {
            chain["transport_socket"] = json!({});
        }
        chain
    }

    /// The matches of the chains, without the protocol.
    fn matched(others: &[Value]) -> Vec<Value> {
        let mut matches = Vec::new();
        for mut chain in chains(others) {
            let matching = chain["filter_chain_match"].as_object_mut().unwrap();
            assert_eq!(matching.remove("application_protocols"), Some(json!([PROTOCOL])));
            matches.push(chain["filter_chain_match"].take());
        }
        matches
    }

    #[test]
    fn the_chain_is_that_of_the_reference() {
        let mut chains = Value::Array(chains(&[other(json!({}), true)]));
        yaml::plain(&mut chains, &crate::envoy::style::STYLE);
        let reference: Value = serde_saphyr::from_str(include_str!("../../../../envoy/tls-alpn-01.yaml")).unwrap();
        assert_eq!(chains, reference);
    }

    #[test]
    fn names_that_others_match_are_matched_here_too() {
        let tls = json!({ "transport_protocol": "tls" });
        let named = |names: &[&str]| json!({ "transport_protocol": "tls", "server_names": names });
        let all = [
            other(json!({ "transport_protocol": "raw_buffer" }), false),
            other(named(&["b.example", "a.example"]), true),
            other(named(&["c.example", "a.example"]), true),
            other(named(&["own.example"]), false),
            other(tls.clone(), true),
        ];
        assert_eq!(matched(&all), [tls.clone(), named(&["a.example", "b.example", "c.example"])]);
        assert_eq!(matched(&all[..4]), [tls.clone(), named(&["a.example", "b.example", "c.example"])]);
        assert_eq!(matched(&all[3..]), [tls]);
        assert_eq!(matched(&all[3..4]), [Value::Null; 0], "nobody's certificate is ours");
    }

    #[test]
    fn a_server_that_gets_all_other_names_gets_their_challenges_too() {
        let named = json!({ "transport_protocol": "tls", "server_names": ["a.example"] });
        let rest = other(json!({ "transport_protocol": "tls" }), false);
        assert_eq!(matched(&[other(named.clone(), true), rest]), [named]);
    }

    #[test]
    fn ports_and_addresses_are_kept_apart() {
        let port = |port: u16| json!({ "destination_port": port });
        assert_eq!(matched(&[other(port(443), true), other(port(8443), true)]), [port(443), port(8443)]);
        let named = json!({ "destination_port": 443, "server_names": ["a.example"] });
        assert_eq!(matched(&[other(named.clone(), true), other(port(443), false)]), [named]);
    }
}
