//! Adds limits of connections and responses to bootstraps without any, and the exceptions that the CA and the
//! administrator need.

use serde_json::{Map, Value, json};
use yaml::At;
use yaml::edit::Edit;

use super::additions::Additions;
use super::names::title;
use crate::check::gather::Listener;
use crate::check::limits::has_limit;
use crate::envoy::Options;
use crate::envoy::limits::{ANSWERS, MONITOR, of_answers, overload_manager, runtime_key};

/// Name of the runtime layer with the limits of listeners.
const LAYER: &str = "envoy-autocert-limits";
/// Name of the runtime layer with the bound of responses alone: layers' names are unique.
const ANSWERS_LAYER: &str = "envoy-autocert-answers";

impl<'p, 'a> Additions<'p, 'a> {
    /// Adds the limits, unless the user has them.
    pub(super) fn limits(&mut self, options: &Options) {
        let mut runtime = self.connections(options);
        let layer = if runtime.is_empty() { ANSWERS_LAYER } else { LAYER };
        self.answers(&mut runtime);
        if !runtime.is_empty() {
            self.runtime(layer, runtime);
        }
    }

    /// Bounds the responses that Envoy buffers for the plugin, and so for every asynchronous client.
    fn answers(&mut self, runtime: &mut Map<String, Value>) {
        let has_bound = |layer: &At<'_>| {
            let layer = layer.get("static_layer");
            layer.is_some_and(|layer| layer.get(ANSWERS).is_some() || layer.find(ANSWERS).is_some())
        };
        if self.top.list("layered_runtime.layers").iter().any(has_bound) {
            return;
        }
        if let Some(path) = fetched(self.top) {
            return self.unplaced.say(format!(
                "layered_runtime: {ANSWERS}, which bounds what Envoy keeps of an answer to the plugin (32 MiB by default), is \
                 left to you: it is for whatever Envoy fetches by HTTP, as in {path}; set it to what the largest of these needs"
            ));
        }
        of_answers(runtime);
        self.notes.say(format!("the most of an answer that Envoy keeps: layered_runtime, {ANSWERS}, 1 MiB; also for what else it asks for by HTTP"));
    }

    /// Adds the limit of connections; returns the runtime keys that go with it.
    fn connections(&mut self, options: &Options) -> Map<String, Value> {
        let mut limits = Map::new();
        if has_limit(self.top) {
            return limits;
        }
        if self.top.get("overload_manager").is_some() {
            self.unplaced.say(format!(
                "overload_manager: add {MONITOR} to its resource_monitors, as `envoy-autocert render` writes it: nothing \
                 limits how many connections clients may have"
            ));
            return limits;
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
        let challenged = self.challenged();
        for listener in self.envoy.listeners.iter().filter(|listener| !listener.name.is_empty()) {
            let is_challenged = challenged.iter().any(|challenged| challenged.at.path == listener.at.path);
            let most = if is_challenged { connections.challenges } else { connections.clients };
            limits.insert(runtime_key(listener.name), json!(most));
            if is_challenged && listener.at.get(IGNORE).is_none() {
                self.ignore(listener.at.path.clone(), title(listener));
            }
        }
        limits.extend(self.added.iter().map(|name| (runtime_key(name), json!(connections.clients))));
        limits
    }

    /// The listeners that have the plugin, or get it.
    pub(super) fn challenged(&self) -> Vec<&'p Listener<'a>> {
        if self.responders.is_empty() { self.answering() } else { self.responders.clone() }
    }

    fn ignore(&mut self, table: String, title: String) {
        self.notes
            .say(format!("{title}: {IGNORE}, so that it answers when clients have all connections that there are"));
        self.edits.push(Edit::Set { table, key: IGNORE.to_owned(), value: json!(true) });
    }

    fn runtime(&mut self, name: &str, limits: Map<String, Value>) {
        let layer = json!({ "name": name, "static_layer": limits });
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

/// The path of data that Envoy fetches by HTTP and buffers as a whole, which may be large: code, or remote data
/// sources.
fn fetched(at: &At<'_>) -> Option<String> {
    if let Some(found) = at.find("remote.http_uri") {
        return Some(found.path);
    }
    let items = at.items().into_iter().chain(at.members().into_iter().map(|(_, member)| member));
    items.into_iter().find_map(|below| fetched(&below))
}

const IGNORE: &str = "ignore_global_conn_limit";
