//! Adds the plugin as the first HTTP filter of every listener that may receive challenges.

use serde_json::{Map, Value, json};
use yaml::At;
use yaml::edit::Edit;

use super::additions::Additions;
use super::names::title;
use super::plain::{HTTP, speaks_http};
use crate::check::gather::Listener;
use crate::check::listeners::tcp_port;
use crate::check::plugin;
use crate::check::typed::typed_config;
use crate::envoy::{Options, plugin as pieces};
use crate::model::Setup;

/// Name of the filter that ends every list of HTTP filters.
const ROUTER: &str = "envoy.filters.http.router";

impl<'p, 'a> Additions<'p, 'a> {
    /// Adds the plugin where it is missing; returns true if HTTP-01 challenges are answered.
    pub(super) fn responders(&mut self, setup: &Setup, configuration: &mut Value, options: &Options) -> bool {
        let wanted = pieces::challenge_entry_points(setup);
        // Other challenges are answered elsewhere.
        if wanted.is_empty() {
            return false;
        }
        let answering = self.answering();
        let listeners = self.asked(setup);
        if listeners.is_empty() {
            if answering.is_empty() {
                self.unplaced.say(
                    "the plugin: no listener here speaks HTTP without TLS; add one on port 80, where CAs \
                     connect, with an http_connection_manager, or take tlsChallenge, which needs none"
                        .to_owned(),
                );
            }
            return !answering.is_empty();
        }
        if answering.is_empty() {
            self.entry_point(&listeners, setup, configuration);
        }
        // Reuse the name of an existing filter, if there is one.
        let existing = self.plugins.iter().find_map(|plugin| match plugin.position {
            plugin::Position::Filter { manager: Some(manager), index, .. } => {
                self.envoy.managers().nth(manager)?.2.get(index)?.node.value()
            }
            _ => None,
        });
        let filter =
            existing.map_or_else(|| pieces::http_filter(configuration, &options.plugin), pieces::for_other_routes);
        let missing =
            listeners.iter().filter(|listener| !answering.iter().any(|other| other.at.path == listener.at.path));
        for listener in missing {
            self.filter(listener, &filter);
        }
        self.responders = listeners;
        true
    }

    /// The listeners on which the plugin already answers challenges.
    pub(super) fn answering(&self) -> Vec<&'p Listener<'a>> {
        let of = |plugin: &plugin::Plugin<'a>| match plugin.position {
            plugin::Position::Filter { manager: Some(manager), .. } => {
                self.envoy.managers().nth(manager).map(|(listener, ..)| listener)
            }
            _ => None,
        };
        self.plugins.iter().filter_map(of).collect()
    }

    /// The listeners that may receive challenges: the resolvers' entry points, and all others on their ports and on
    /// port 80; if there are none, all that speak HTTP.
    fn asked(&self, setup: &Setup) -> Vec<&'p Listener<'a>> {
        let wanted = pieces::challenge_entry_points(setup);
        let plain = || self.envoy.listeners.iter().filter(|listener| speaks_http(listener));
        let named = |listener: &&Listener<'a>| !listener.name.is_empty() && wanted.contains(listener.name);
        let points = setup.entry_points.iter().filter(|point| wanted.contains(point.name.as_str()));
        let mut ports: Vec<Option<u64>> = points.map(|point| Some(u64::from(point.port))).collect();
        ports.extend(plain().filter(named).map(tcp_port));
        ports.push(Some(HTTP));
        let asked: Vec<_> = plain().filter(|listener| named(listener) || ports.contains(&tcp_port(listener))).collect();
        if asked.is_empty() { plain().collect() } else { asked }
    }

    /// Fits the resolvers' entry point to the listeners, and takes notes about them.
    fn entry_point(&mut self, listeners: &[&'p Listener<'a>], setup: &Setup, configuration: &mut Value) {
        let wanted = pieces::challenge_entry_points(setup);
        let is_there = listeners.iter().any(|listener| wanted.contains(listener.name));
        if let Some(first) = listeners.iter().find(|listener| !listener.name.is_empty()).filter(|_| !is_there) {
            rename_entry_points(configuration, first.name);
            self.notes.say(format!("the entry point is {}: no other listener is called as it was", title(first)));
        }
        if !listeners.iter().any(|listener| tcp_port(listener) == Some(HTTP)) {
            let ports: Vec<String> = listeners
                .iter()
                .map(|listener| {
                    let port = tcp_port(listener).map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
                    format!("{} has {port}", title(listener))
                })
                .collect();
            let which = if listeners.len() > 1 { "one of them" } else { "it" };
            self.unplaced.say(format!("{}: CAs ask on port 80, which must be mapped to {which}", ports.join(", ")));
        }
    }

    fn filter(&mut self, listener: &Listener<'a>, filter: &Value) {
        for chain in listener.chains.iter().filter(|chain| !chain.has_socket) {
            let managers = chain.at.list("filters");
            let managers =
                managers.iter().filter_map(typed_config).filter(|typed| typed.name == "HttpConnectionManager");
            for manager in managers.map(|typed| typed.at) {
                let line = self.first(&manager, filter);
                self.notes.say(format!("the plugin: first in http_filters of {}, line {line}", title(listener)));
            }
        }
    }

    /// Inserts a filter before all others of a connection manager; returns the line of the list.
    fn first(&mut self, manager: &At<'a>, filter: &Value) -> usize {
        let entry = manager.entry("http_filters");
        if let Some(filters) =
            manager.get("http_filters").filter(|filters| !filters.items().is_empty() || is_single(filters))
        {
            self.edits.push(Edit::Insert { list: filters.path, first: true, items: vec![filter.clone()] });
            return filters.line;
        }
        // The last filter has to be terminal, and there is no other.
        let router = json!({
            "name": ROUTER,
            "typed_config": { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
        });
        let items = vec![filter.clone(), router];
        match entry {
            Some(entry) => {
                let list = manager.path_of(&entry.key);
                self.edits.push(Edit::Insert { list, first: true, items });
            }
            None => self.edits.push(Edit::Set {
                table: manager.path.clone(),
                key: "http_filters".to_owned(),
                value: json!(items),
            }),
        }
        self.notes.say(format!("{ROUTER}: behind the plugin, line {}: there were no http_filters", manager.line));
        manager.line
    }
}

fn is_single(at: &At<'_>) -> bool {
    matches!(at.node.kind, yaml::Kind::Table(_))
}

fn rename_entry_points(configuration: &mut Value, name: &str) {
    let resolvers = configuration.get_mut("certificatesResolvers").and_then(Value::as_object_mut);
    for resolver in resolvers.into_iter().flat_map(Map::values_mut) {
        if let Some(entry_point) = resolver.pointer_mut("/acme/httpChallenge/entryPoint") {
            *entry_point = json!(name);
        }
    }
}
