//! The limit of connections, where the user's bootstrap has none; and what the CA and the administrator need beside it.

use serde_json::{Map, Value, json};

use super::edit::Edit;
use super::infer::title;
use super::place::Place;
use crate::check::gather::Listener;
use crate::check::limits::has_limit;
use crate::check::plugin;
use crate::envoy::Options;
use crate::envoy::limits::{MONITOR, overload_manager, runtime_key};

/// The layer of Envoy's runtime with the limits of listeners.
const LAYER: &str = "envoy-autocert-limits";

impl<'p, 'a> Place<'p, 'a> {
    /// Adds the limit, unless the user has one.
    pub(super) fn limits(&mut self, options: &Options) {
        if has_limit(self.top) {
            return;
        }
        if self.top.get("overload_manager").is_some() {
            return self.unplaced.say(format!(
                "overload_manager: add {MONITOR} to its resource_monitors, as `envoy-autocert render` writes it: nothing \
                 limits how many connections clients may have"
            ));
        }
        let connections = options.connections;
        let most = connections.clients;
        self.edits.push(Edit::Set {
            table: String::new(),
            key: "overload_manager".to_owned(),
            value: overload_manager(connections),
        });
        self.notes.say(format!("the most connections of clients: overload_manager, {most}; --max-connections sets it"));
        if let Some(admin) = self.top.get("admin").filter(|admin| admin.get(IGNORE).is_none()) {
            self.ignore(admin.path, "admin".to_owned());
        }
        let challenged = self.challenged().filter(|listener| listener.at.get(IGNORE).is_none());
        let mut limits = Map::new();
        for listener in self.envoy.listeners.iter().filter(|listener| !listener.name.is_empty()) {
            let is_challenged = challenged.is_some_and(|challenged| challenged.at.path == listener.at.path);
            let most = if is_challenged { connections.challenges } else { connections.clients };
            limits.insert(runtime_key(listener.name), json!(most));
            if is_challenged {
                self.ignore(listener.at.path.clone(), title(listener));
            }
        }
        if !limits.is_empty() {
            self.runtime(limits);
        }
    }

    /// The listener with the plugin, or to be.
    pub(super) fn challenged(&self) -> Option<&'p Listener<'a>> {
        let of_plugin = || {
            self.plugins.iter().find_map(|plugin| match plugin.place {
                plugin::Place::Filter { manager: Some(manager), .. } => self.envoy.managers().nth(manager),
                _ => None,
            })
        };
        self.responder.or_else(|| of_plugin().map(|(listener, ..)| listener))
    }

    fn ignore(&mut self, table: String, title: String) {
        self.notes
            .say(format!("{title}: {IGNORE}, so that it answers when clients have all connections that there are"));
        self.edits.push(Edit::Set { table, key: IGNORE.to_owned(), value: json!(true) });
    }

    fn runtime(&mut self, limits: Map<String, Value>) {
        let layer = json!({ "name": LAYER, "static_layer": limits });
        let (table, key, value) = match self.top.get("layered_runtime") {
            None => ("", "layered_runtime", json!({ "layers": [layer] })),
            Some(runtime) => match runtime.get("layers") {
                None => ("layered_runtime", "layers", json!([layer])),
                Some(list) => {
                    self.edits.push(Edit::Insert { list: list.path, first: false, items: vec![layer] });
                    return;
                }
            },
        };
        self.edits.push(Edit::Set { table: table.to_owned(), key: key.to_owned(), value });
    }
}

const IGNORE: &str = "ignore_global_conn_limit";
