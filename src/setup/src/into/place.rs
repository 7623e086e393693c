//! Where each addition belongs.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use super::Notes;
use super::edit::Edit;
use super::infer::{TlsChain, title, tls_chains};
use crate::check::gather::{Envoy, Listener};
use crate::check::listeners::tcp_port;
use crate::check::plugin::{self, Plugin};
use crate::envoy::ca::{self, Ca};
use crate::envoy::{Options, clusters, plugin as pieces, secrets};
use crate::located::At;
use crate::model::{Setup, TcpTls};

/// Where CAs ask (RFC 8555 §8.3).
const HTTP: u64 = 80;

/// Where a listener is; nowhere that can be connected to, when it listens at a unix socket, or at a name.
pub(super) fn address(listener: &Listener<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = listener.at.text_of("address.socket_address.address")?.parse().ok()?;
    Some(SocketAddr::new(ip, u16::try_from(tcp_port(listener)?).ok()?))
}

/// Finds the places, and says so.
pub(super) struct Place<'p, 'a> {
    pub(super) envoy: &'p Envoy<'a>,
    pub(super) plugins: &'p [Plugin<'a>],
    pub(super) top: &'p At<'a>,
    /// The listener that the plugin is added to.
    pub(super) responder: Option<&'p Listener<'a>>,
    /// The additions.
    pub(super) edits: Vec<Edit>,
    /// What is added.
    pub(super) notes: Notes,
    /// What has no place.
    pub(super) unplaced: Notes,
}

impl<'p, 'a> Place<'p, 'a> {
    pub(super) fn new(envoy: &'p Envoy<'a>, plugins: &'p [Plugin<'a>], top: &'p At<'a>) -> Self {
        Self {
            envoy,
            plugins,
            top,
            responder: None,
            edits: Vec::new(),
            notes: Notes::default(),
            unplaced: Notes::default(),
        }
    }

    /// Finds a place for everything that is missing.
    pub(super) fn all(&mut self, setup: &Setup, cas: &[Ca], options: &Options) {
        let certificates = certificates(setup);
        let mut configuration = pieces::configuration(setup, cas);
        if certificates.is_empty() {
            self.unplaced.say(
                "no names for certificates: the bootstrap has none that could be taken; --domain takes them".to_owned(),
            );
        }
        self.filter(setup, &mut configuration, options);
        let is_placed = self.tls_alpn01(setup) || !self.edits.is_empty();
        self.engine(&configuration, options, is_placed);
        self.known(&certificates);
        self.secrets(&certificates);
        self.clusters(cas, options);
        self.node();
        self.limits(options);
    }

    /// The plugin, first on the plaintext listener.
    fn filter(&mut self, setup: &Setup, configuration: &mut Value, options: &Options) {
        if self.plugins.iter().any(|plugin| matches!(plugin.place, plugin::Place::Filter { .. })) {
            return;
        }
        let wanted = pieces::challenge_entry_points(setup);
        // Other challenges are answered elsewhere.
        if wanted.is_empty() {
            return;
        }
        let Some(listener) = self.plaintext(|listener| wanted.contains(listener.name)) else { return };
        if !wanted.contains(listener.name) && !listener.name.is_empty() {
            rename_entry_points(configuration, listener.name);
            self.notes.say(format!("the entry point is {}: no other listener is called as it was", title(listener)));
        }
        if tcp_port(listener) != Some(HTTP) {
            let port = tcp_port(listener).map_or_else(|| "no port".to_owned(), |port| format!("port {port}"));
            self.unplaced
                .say(format!("{} has {port}: CAs ask on port 80, which must be mapped to it", title(listener)));
        }
        self.responder = Some(listener);
        let filter = pieces::http_filter(configuration, &options.plugin);
        for chain in listener.chains.iter().filter(|chain| !chain.has_socket) {
            let managers = chain.at.list("filters");
            for filters in managers.iter().filter_map(|manager| manager.find("typed_config.http_filters")) {
                self.notes.say(format!(
                    "the plugin: first in http_filters of {}, line {}",
                    title(listener),
                    filters.line
                ));
                self.edits.push(Edit::Insert { list: filters.path, first: true, items: vec![filter.clone()] });
            }
        }
    }

    /// The listener that challenges come to: the entry point, else the one on port 80, else the only one.
    fn plaintext(&mut self, is_entry_point: impl Fn(&Listener<'a>) -> bool) -> Option<&'p Listener<'a>> {
        let speaks_http = |listener: &&Listener<'a>| {
            listener.chains.iter().any(|chain| !chain.has_socket && !chain.managers.is_empty())
        };
        let plain: Vec<&Listener<'a>> = self.envoy.listeners.iter().filter(speaks_http).collect();
        let found = plain
            .iter()
            .find(|listener| is_entry_point(listener))
            .or_else(|| plain.iter().find(|listener| tcp_port(listener) == Some(HTTP)));
        match (found, plain.as_slice()) {
            (Some(listener), _) | (None, [listener]) => Some(listener),
            (None, []) => {
                self.unplaced.say(
                    "the plugin: no listener here speaks HTTP without TLS; add one on port 80, where CAs ask, with an \
                     http_connection_manager"
                        .to_owned(),
                );
                None
            }
            (None, several) => {
                let names: Vec<String> = several.iter().map(|listener| title(listener)).collect();
                self.unplaced.say(format!(
                    "the plugin: none of {} has port 80; name the one that CAs reach in httpChallenge.entryPoint",
                    names.join(", ")
                ));
                None
            }
        }
    }

    /// The engine, in the bootstrap, once somebody answers challenges.
    fn engine(&mut self, configuration: &Value, options: &Options, is_placed: bool) {
        if !self.plugins.is_empty() || !is_placed {
            return;
        }
        let engine = pieces::engine(configuration.clone(), &options.plugin);
        self.append("", "bootstrap_extensions", vec![engine]);
        self.notes.say("the engine: in bootstrap_extensions".to_owned());
    }

    /// Names that the plugin which is there does not know.
    fn known(&mut self, certificates: &[Vec<String>]) {
        let configured = self.plugins.iter().filter_map(|plugin| plugin.config.as_ref());
        let wants: HashSet<&String> =
            configured.flat_map(|configured| configured.config.wants.iter().flat_map(|want| &want.names)).collect();
        if self.plugins.is_empty() {
            return;
        }
        for names in certificates {
            let unknown: Vec<&str> = names.iter().filter(|name| !wants.contains(name)).map(String::as_str).collect();
            if !unknown.is_empty() {
                let place = &self.plugins.first().map(|plugin| plugin.at.path.clone()).unwrap_or_default();
                self.unplaced.say(format!(
                    "{}: not in the routers of the plugin that is there already ({place}); add a router",
                    unknown.join(", ")
                ));
            }
        }
    }

    /// Certificates by SDS, for the TLS chains that have none.
    fn secrets(&mut self, certificates: &[Vec<String>]) {
        let mut said = Notes::default();
        let chains = tls_chains(self.envoy, &mut said);
        if chains.is_empty() && self.envoy.all_listeners {
            let line = "certificates: no listener here does TLS; add one with a DownstreamTlsContext";
            self.unplaced.say(line.to_owned());
        }
        for TlsChain { listener, common, context, own, certificates: names, .. } in chains {
            let place = format!("{}, line {}", title(listener), context.line);
            if let Some(own) = own {
                let is_ours = own == "tls_certificate_sds_secret_configs" && !self.plugins.is_empty();
                if !is_ours {
                    self.notes.say(format!("{place}: has its own certificates ({own}), which stay"));
                }
                continue;
            }
            let names: HashSet<&String> = names.iter().flatten().collect();
            let is_for =
                |certificate: &&Vec<String>| names.is_empty() || certificate.iter().any(|name| names.contains(name));
            let mains = certificates.iter().filter(is_for).filter_map(|names| names.first());
            let items: Vec<Value> = mains.clone().map(|name| secrets::secret(name)).collect();
            let mains: Vec<&str> = mains.map(String::as_str).collect();
            if items.is_empty() {
                self.unplaced.say(format!("{place}: no certificate is for what it serves"));
                continue;
            }
            let (key, value) = ("tls_certificate_sds_secret_configs", Value::Array(items));
            self.edits.push(match common {
                Some(common) => Edit::Set { table: common.path, key: key.to_owned(), value },
                None => Edit::Set {
                    table: context.path,
                    key: "common_tls_context".to_owned(),
                    value: json!({ key: value }),
                },
            });
            self.notes.say(format!("certificates by SDS for {}: {place}", mains.join(", ")));
        }
    }

    fn clusters(&mut self, cas: &[Ca], options: &Options) {
        let cas = cas.iter().map(|ca| (ca.cluster.as_str(), ca::cluster(ca, options)));
        let own =
            [(clusters::API, clusters::api(&options.api_socket)), (clusters::SDS, clusters::sds(&options.sds_socket))];
        let mut missing = Vec::new();
        for (name, cluster) in cas.chain(own) {
            match self.envoy.cluster(name) {
                None => missing.push(cluster),
                Some(there) if self.plugins.is_empty() => self.unplaced.say(format!(
                    "cluster {name}: there is one of this name already (line {}), which stays; `envoy-autocert check` \
                     says whether it will do",
                    there.line
                )),
                Some(_) => {}
            }
        }
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().filter_map(|cluster| cluster["name"].as_str()).collect();
            self.notes.say(format!("clusters: {}", names.join(", ")));
            self.append("static_resources", "clusters", missing);
        }
    }

    /// Envoy asks nobody for secrets without a name of its own.
    fn node(&mut self) {
        match self.top.get("node") {
            None => self.set("", "node", json!({ "id": "envoy-autocert", "cluster": "edge" })),
            Some(node) => {
                for (key, value) in [("id", "envoy-autocert"), ("cluster", "edge")] {
                    if node.get(key).is_none() {
                        self.set(&node.path, key, json!(value));
                    }
                }
            }
        }
    }

    fn set(&mut self, table: &str, key: &str, value: Value) {
        self.notes
            .say(format!("{}: {key}, which Envoy needs for SDS", if table.is_empty() { "bootstrap" } else { table }));
        self.edits.push(Edit::Set { table: table.to_owned(), key: key.to_owned(), value });
    }

    /// Behind the last item of a list, which may not be there yet.
    fn append(&mut self, table: &str, key: &str, items: Vec<Value>) {
        let owner = if table.is_empty() { Some(self.top.clone()) } else { self.top.get(table) };
        let list = owner.as_ref().and_then(|owner| owner.get(key));
        self.edits.push(match (owner, list) {
            (_, Some(list)) => Edit::Insert { list: list.path, first: false, items },
            (Some(owner), None) => Edit::Set { table: owner.path, key: key.to_owned(), value: json!(items) },
            (None, None) => Edit::Set { table: String::new(), key: table.to_owned(), value: json!({ key: items }) },
        });
    }
}

/// The names of each certificate that a setup wants.
fn certificates(setup: &Setup) -> Vec<Vec<String>> {
    let http = setup.http_routers.iter().filter_map(|router| router.tls.as_ref());
    let tcp = setup.tcp_routers.iter().filter_map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => Some(tls),
        Some(TcpTls::Passthrough) | None => None,
    });
    let all = http.chain(tcp).filter(|tls| tls.resolver.is_some());
    let mut certificates: Vec<Vec<String>> = all.flat_map(|tls| tls.certificates.clone()).collect();
    certificates.sort();
    certificates.dedup();
    certificates
}

fn rename_entry_points(configuration: &mut Value, name: &str) {
    let resolvers = configuration.get_mut("certificatesResolvers").and_then(Value::as_object_mut);
    for resolver in resolvers.into_iter().flat_map(serde_json::Map::values_mut) {
        if let Some(entry_point) = resolver.pointer_mut("/acme/httpChallenge/entryPoint") {
            *entry_point = json!(name);
        }
    }
}
