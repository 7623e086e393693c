//! Adds the filter chain for TLS-ALPN-01 challenges, beside the chains with the sidecar's certificates.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use yaml::edit::Edit;

use super::additions::Additions;
use super::names::title;
use crate::check::challenge_chain::offers;
use crate::check::gather::{Chain, Listener};
use crate::envoy::style::STYLE;
use crate::envoy::tls_alpn01::{self, PROTOCOL};
use crate::model::Setup;

/// The criteria of Envoy's choice of a chain, up to the application protocol.
const MATCHED: [&str; 4] = ["destination_port", "prefix_ranges", "server_names", "transport_protocol"];

/// The listener filter that reads a ClientHello before a chain is chosen.
const INSPECTOR: &str = "envoy.filters.listener.tls_inspector";

impl Additions<'_, '_> {
    /// Adds the chain if a resolver has `tlsChallenge`; returns true if the chain exists.
    pub(super) fn tls_alpn01(&mut self, setup: &Setup) -> bool {
        if !tls_alpn01::is_wanted(setup) {
            return false;
        }
        let ours = self.chains.iter().filter(|chain| chain.is_for_us(self.wishes));
        let ours: BTreeSet<&str> = ours.map(|chain| chain.chain.at.path.as_str()).collect();
        let mut is_there = false;
        // TLS-ALPN-01 is for TCP alone: RFC 8737 §3.
        for listener in self.envoy.listeners.iter().filter(|listener| !is_udp(listener)) {
            let has_ours = listener.chains.iter().any(|chain| ours.contains(chain.at.path.as_str()));
            if listener.chains.iter().any(|chain| offers(&chain.at)) {
                let own = listener.chains.iter().filter(|chain| offers(&chain.at)).any(|chain| chain.tls.is_none());
                if own && has_ours {
                    self.notes.say(format!("{}: has its own chain for {PROTOCOL}, which stays", title(listener)));
                }
                is_there = true;
            } else if has_ours {
                is_there |= self.add_chains(listener, &ours);
            }
        }
        is_there
    }

    fn add_chains(&mut self, listener: &Listener<'_>, ours: &BTreeSet<&str>) -> bool {
        let (Some(list), None) = (listener.at.get("filter_chains"), listener.at.get("filter_chain_matcher")) else {
            self.unplaced.say(format!(
                "{}: add a filter chain for {PROTOCOL}, as `envoy-autocert render` writes it; it can't be added to a \
                 filter_chain_matcher or beside a default_filter_chain alone",
                title(listener)
            ));
            return false;
        };
        let others: Vec<Value> = listener.chains.iter().map(|chain| matched(chain, ours)).collect();
        let mut chains = tls_alpn01::chains(&others);
        for chain in &mut chains {
            yaml::plain(chain, &STYLE);
        }
        self.edits.push(Edit::Insert { list: list.path, first: false, items: chains });
        self.notes.say(format!("the chain for {PROTOCOL}: last in filter_chains of {}", title(listener)));
        let inspectors = listener.at.list("listener_filters");
        if !inspectors.iter().any(|filter| filter.text_of("name").is_some_and(|name| name.contains("tls_inspector"))) {
            let inspector = json!({
                "name": INSPECTOR,
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
                },
            });
            self.edits.push(match listener.at.get("listener_filters") {
                Some(list) => Edit::Insert { list: list.path, first: false, items: vec![inspector] },
                None => Edit::Set {
                    table: listener.at.path.clone(),
                    key: "listener_filters".to_owned(),
                    value: json!([inspector]),
                },
            });
            self.notes.say(format!("the tls_inspector, which knows {PROTOCOL}: {}", title(listener)));
        }
        true
    }
}

/// True if a listener takes datagrams, as for QUIC.
fn is_udp(listener: &Listener<'_>) -> bool {
    let protocol = listener.at.text_of("address.socket_address.protocol");
    listener.at.get("udp_listener_config").is_some()
        || protocol.is_some_and(|protocol| protocol.eq_ignore_ascii_case("UDP"))
}

/// A chain reduced to the parts that matter here: its match, and a transport socket if its certificates are ours.
fn matched(chain: &Chain<'_>, ours: &BTreeSet<&str>) -> Value {
    let matching = chain.at.get("filter_chain_match");
    let member = |key: &str| Some((key.to_owned(), matching.as_ref()?.get(key)?.node.value()?));
    let members: Map<String, Value> = MATCHED.into_iter().filter_map(member).collect();
    let mut value = json!({ "filter_chain_match": members });
    if ours.contains(chain.at.path.as_str()) {
        value["transport_socket"] = json!({});
    }
    value
}
