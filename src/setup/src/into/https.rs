//! Adds a TLS listener to a bootstrap that has none, with the routes of the listener without TLS.

use std::collections::HashSet;

use serde_json::{Map, Value, json};
use yaml::At;
use yaml::edit::{Edit, copy_of};

use super::additions::Additions;
use super::names::{served, title};
use super::plain::{HTTP, address, nearest_to_cas, speaks_http};
use super::secrets::is_for;
use super::tls::SECRETS;
use super::wishes::{NAME, Wishes};
use crate::check::gather::{Chain, Envoy, Listener};
use crate::check::listeners::tcp_port;
use crate::check::plugin;
use crate::check::typed::typed_config;
use crate::envoy::{challenge_routes, secrets};

/// The default port of HTTPS.
const HTTPS: u16 = 443;

/// Fields of a listener that are copied to the new one.
const COPIED: [&str; 7] = [
    "listener_filters",
    "listener_filters_timeout",
    "per_connection_buffer_limit_bytes",
    "socket_options",
    "tcp_backlog_size",
    "traffic_direction",
    "use_original_dst",
];

/// Reasons why the listener can't be added as requested.
pub(super) fn obstacles(envoy: &Envoy<'_>, wishes: &Wishes) -> Vec<String> {
    let Some(port) = wishes.add_https else {
        let why = "--redirect: found no --add-https, expected it too: it is there that visitors are led";
        return if wishes.redirect { vec![why.to_owned()] } else { Vec::new() };
    };
    if let Some(there) = envoy.listeners.iter().find(|listener| tcp_port(listener) == Some(u64::from(port))) {
        let expected = if there.chains.iter().any(|chain| chain.tls.is_some()) {
            "none there: without --add-https it gets the certificates"
        } else {
            "a port of its own, as --add-https=443"
        };
        let (title, line) = (title(there), there.at.line);
        return vec![format!("--add-https: {title}, line {line}, has port {port} already, expected {expected}")];
    }
    let sources = sources(envoy);
    if sources.is_empty() {
        return vec![
            "--add-https: no listener here speaks HTTP without TLS, expected one whose routes it gets".to_owned(),
        ];
    }
    sources.iter().flat_map(|listener| refused(listener)).collect()
}

/// Parts of a listener that would behave differently behind TLS.
fn refused(listener: &Listener<'_>) -> Vec<String> {
    let heading = |line: usize| format!("--add-https: {}, line {line}", title(listener));
    if listener.at.get("filter_chain_matcher").is_some() {
        let expected = "chains that match by themselves: a matcher is not repeated, and what it guards would be open";
        return vec![format!("{}: found a filter_chain_matcher, expected {expected}", heading(listener.at.line))];
    }
    if redirects_only(listener) {
        let line = listener.at.line;
        return vec![format!("{}, only redirects to HTTPS, expected routes to serve there", heading(line))];
    }
    let plain = listener.chains.iter().filter(|chain| !chain.has_socket);
    let found = plain.filter_map(|chain| redirect_in(&chain.at.get("filters")?));
    found
        .map(|line| {
            let expected = "none beside other routes: behind TLS it leads to itself; take it out, and give --redirect";
            format!("{}: found a redirect to HTTPS, expected {expected}", heading(line))
        })
        .collect()
}

/// The line of a redirect to HTTPS somewhere below.
fn redirect_in(at: &At<'_>) -> Option<usize> {
    if let Some(redirect) = at.get("redirect").filter(leads_to_https) {
        return Some(redirect.line);
    }
    let below = at.items().into_iter().chain(at.members().into_iter().map(|(_, member)| member));
    below.into_iter().find_map(|below| redirect_in(&below))
}

fn leads_to_https(redirect: &At<'_>) -> bool {
    redirect.flag_of("https_redirect") == Some(true) || redirect.text_of("scheme_redirect") == Some("https")
}

/// The listeners whose routes the new one gets: the listener for CAs, and its siblings on other addresses.
pub(super) fn sources<'c, 'a>(envoy: &'c Envoy<'a>) -> Vec<&'c Listener<'a>> {
    let Some(first) = nearest_to_cas(envoy) else { return Vec::new() };
    let is_sibling = |listener: &&Listener<'a>| speaks_http(listener) && tcp_port(listener) == tcp_port(first);
    envoy.listeners.iter().filter(is_sibling).collect()
}

/// True if all routes of a listener redirect to HTTPS: behind TLS they would redirect to themselves.
pub(super) fn redirects_only(listener: &Listener<'_>) -> bool {
    let managers = listener.chains.iter().flat_map(managers);
    let hosts: Vec<At<'_>> = managers.flat_map(|manager| manager.list("route_config.virtual_hosts")).collect();
    let redirects = |route: &At<'_>| route.get("redirect").as_ref().is_some_and(leads_to_https);
    let mut routes = hosts.iter().flat_map(|host| host.list("routes")).peekable();
    routes.peek().is_some() && routes.all(|route| redirects(&route))
}

/// The connection managers of a chain.
fn managers<'a>(chain: &Chain<'a>) -> Vec<At<'a>> {
    let filters = chain.at.list("filters");
    let typed = filters.iter().filter_map(typed_config);
    typed.filter(|typed| typed.name == "HttpConnectionManager").map(|typed| typed.at).collect()
}

impl<'p, 'a> Additions<'p, 'a> {
    /// Adds the listener, if requested; returns true if it serves certificates.
    pub(super) fn https(&mut self, certificates: &[Vec<String>]) -> bool {
        let Some(port) = self.wishes.add_https else { return false };
        if certificates.is_empty() {
            return false;
        }
        let sources = sources(self.envoy);
        let mut listeners = Vec::new();
        for (index, source) in sources.iter().enumerate() {
            let name = self.free_name(index);
            self.notes.say(format!(
                "{name}, a listener with TLS on port {port}: the routes of {}, line {}",
                title(source),
                source.at.line
            ));
            let own = of(source, certificates);
            listeners.push(listener(source, &name, port, if own.is_empty() { certificates } else { &own }));
            if let Some(mut address) = address(source) {
                address.set_port(port);
                self.served.push(address);
            }
            if self.wishes.redirect {
                self.redirect(source, port);
            }
            self.added.push(name);
        }
        self.append("static_resources", "listeners", listeners);
        true
    }

    fn free_name(&self, index: usize) -> String {
        let is_free = |name: &String| self.envoy.listeners.iter().all(|listener| listener.name != name);
        let numbered = (2..).map(|number| format!("{NAME}-{number}"));
        let mut free = std::iter::once(NAME.to_owned()).chain(numbered).filter(is_free);
        free.nth(index).unwrap_or_else(|| NAME.to_owned())
    }

    /// Makes every virtual host redirect to HTTPS. Challenges are answered before that.
    fn redirect(&mut self, listener: &Listener<'a>, port: u16) {
        let plain = tcp_port(listener).unwrap_or(HTTP);
        for manager in listener.chains.iter().filter(|chain| !chain.has_socket).flat_map(managers) {
            let hosts = manager.list("route_config.virtual_hosts");
            if hosts.is_empty() {
                self.unplaced.say(format!(
                    "--redirect: {}, line {}: its routes come from elsewhere, where `require_tls: ALL` belongs in each virtual \
                     host",
                    title(listener),
                    manager.line
                ));
                continue;
            }
            // Where routes enable the plugin, the redirect of `require_tls` would come before all of them.
            let is_by_route = manager.list("http_filters").iter().any(plugin::is_disabled);
            let is_usual = (plain, port) == (HTTP, HTTPS);
            if plain == HTTP && !is_usual {
                self.unplaced.say(format!("--redirect: visitors are sent to port 443, which must lead to port {port}"));
            }
            for host in hosts.iter().filter(|host| host.get("require_tls").is_none()) {
                if (!is_usual || is_by_route) && host.get("matcher").is_some() {
                    self.unplaced.say(format!(
                        "--redirect: the virtual host of line {} has a matcher: it is left as it is",
                        host.line
                    ));
                    continue;
                }
                self.edits.push(if is_usual && !is_by_route {
                    let (key, value) = ("require_tls".to_owned(), json!("ALL"));
                    Edit::Set { table: host.path.clone(), key, value }
                } else {
                    let mut routes = redirects(plain, port);
                    if is_by_route {
                        routes.splice(0..0, challenge_routes::copies(&routes));
                    }
                    let key = "routes".to_owned();
                    match host.get("routes") {
                        Some(list) => Edit::Insert { list: list.path, first: true, items: routes },
                        None => Edit::Set { table: host.path.clone(), key, value: Value::Array(routes) },
                    }
                });
            }
            self.notes.say(format!("a redirect to HTTPS for visitors: the virtual hosts of {}", title(listener)));
        }
    }
}

/// Routes that redirect to HTTPS. Visitors who name the port without TLS did not come through a port mapping and are
/// redirected to `port`, all others to 443.
fn redirects(plain: u64, port: u16) -> Vec<Value> {
    let named = json!({ "name": ":authority", "string_match": { "suffix": format!(":{plain}") } });
    vec![
        json!({
            "match": { "prefix": "/", "headers": [named] },
            "redirect": { "https_redirect": true, "port_redirect": port },
        }),
        json!({ "match": { "prefix": "/" }, "redirect": { "https_redirect": true } }),
    ]
}

/// The certificates for the names of a listener; all of them, if the listener serves every name.
fn of(source: &Listener<'_>, certificates: &[Vec<String>]) -> Vec<Vec<String>> {
    let plain = source.chains.iter().filter(|chain| !chain.has_socket && !chain.managers.is_empty());
    let served: Vec<HashSet<String>> = plain.map(|chain| served(source, chain)).collect();
    let is_for = |names: &&Vec<String>| served.iter().any(|served| is_for(served, names));
    certificates.iter().filter(is_for).cloned().collect()
}

/// A TLS listener beside one without TLS, on the same address.
fn listener(source: &Listener<'_>, name: &str, port: u16, certificates: &[Vec<String>]) -> Value {
    let mut socket = source.at.find("address.socket_address").and_then(|at| at.node.value()).unwrap_or_default();
    socket["port_value"] = json!(port);
    let mut listener = json!({ "name": name, "address": { "socket_address": socket } });
    for field in COPIED {
        if let Some(at) = source.at.get(field) {
            listener[field] = copy_of(&at.path);
        }
    }
    let secrets: Vec<Value> =
        certificates.iter().filter_map(|names| names.first()).map(|name| secrets::secret(name)).collect();
    let default = source.at.get("default_filter_chain").map(|at| at.path);
    let plain = source.chains.iter().filter(|chain| !chain.has_socket && !chain.managers.is_empty());
    let (others, own): (Vec<_>, Vec<_>) = plain.partition(|chain| Some(&chain.at.path) != default.as_ref());
    listener["filter_chains"] = others.into_iter().map(|chain| filter_chain(chain, &secrets)).collect();
    if let Some(chain) = own.first() {
        listener["default_filter_chain"] = filter_chain(chain, &secrets);
    }
    listener
}

fn filter_chain(source: &Chain<'_>, secrets: &[Value]) -> Value {
    let mut chain = Map::new();
    for field in ["filter_chain_match", "filters"] {
        if let Some(at) = source.at.get(field) {
            chain.insert(field.to_owned(), copy_of(&at.path));
        }
    }
    let context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": { "alpn_protocols": ["h2", "http/1.1"], SECRETS: secrets },
    });
    chain.insert("transport_socket_connect_timeout".to_owned(), json!("10s"));
    chain.insert(
        "transport_socket".to_owned(),
        json!({ "name": "envoy.transport_sockets.tls", "typed_config": context }),
    );
    Value::Object(chain)
}
