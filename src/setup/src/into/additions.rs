//! Finds where each addition belongs.

use std::net::SocketAddr;

use serde_json::{Value, json};
use yaml::At;
use yaml::edit::Edit;

use super::notes::Notes;
use super::tls::TlsChain;
use super::wishes::{Replaced, Wishes};
use crate::check::gather::{Envoy, Listener};
use crate::check::plugin::Plugin;
use crate::envoy::ca::{self, Ca};
use crate::envoy::{Options, clusters, plugin as pieces};
use crate::model::{Setup, TcpTls};

/// Finds the position of every addition, and takes notes for the user.
pub(super) struct Additions<'p, 'a> {
    pub(super) envoy: &'p Envoy<'a>,
    pub(super) plugins: &'p [Plugin<'a>],
    pub(super) top: &'p At<'a>,
    pub(super) chains: &'p [TlsChain<'p, 'a>],
    pub(super) wishes: &'p Wishes,
    /// The listeners that answer challenges.
    pub(super) responders: Vec<&'p Listener<'a>>,
    /// The names of added listeners.
    pub(super) added: Vec<String>,
    /// Addresses on which the sidecar's certificates are served.
    pub(super) served: Vec<SocketAddr>,
    /// The user's own certificates that are replaced.
    pub(super) replaced: Vec<Replaced>,
    /// True if names can be proved and certificates are served.
    pub(super) is_served: bool,
    /// The additions.
    pub(super) edits: Vec<Edit>,
    /// Notes about additions.
    pub(super) notes: Notes,
    /// Notes about parts that could not be added.
    pub(super) unplaced: Notes,
}

impl<'p, 'a> Additions<'p, 'a> {
    pub(super) fn new(
        envoy: &'p Envoy<'a>,
        plugins: &'p [Plugin<'a>],
        top: &'p At<'a>,
        chains: &'p [TlsChain<'p, 'a>],
        wishes: &'p Wishes,
    ) -> Self {
        Self {
            envoy,
            plugins,
            top,
            chains,
            wishes,
            responders: Vec::new(),
            added: Vec::new(),
            served: Vec::new(),
            replaced: Vec::new(),
            is_served: false,
            edits: Vec::new(),
            notes: Notes::default(),
            unplaced: Notes::default(),
        }
    }

    /// Adds everything that is missing.
    pub(super) fn all(&mut self, setup: &Setup, cas: &[Ca], options: &Options) {
        let mut certificates = certificates(setup);
        let mut configuration = pieces::configuration(setup, cas);
        if certificates.is_empty() {
            self.unplaced.say(
                "no names for certificates: the bootstrap has none that could be taken; --domain takes them".to_owned(),
            );
        }
        let by_http = self.responders(setup, &mut configuration, options);
        let by_tls = self.tls_alpn01(setup);
        let is_proved = by_http || by_tls || proves_by_dns(setup);
        if is_proved {
            self.engine(&configuration, options);
        }
        if !self.plugins.is_empty() {
            self.resolvers(&configuration);
            certificates = self.routers(&certificates, &configuration).into_iter().chain(self.wanted()).collect();
        }
        let by_chains = self.secrets(&certificates);
        let by_listener = self.https(&certificates);
        self.is_served = is_proved && (by_chains || by_listener);
        self.clusters(cas, options);
        self.node();
        self.limits(options);
    }

    /// Adds the engine to the bootstrap, unless there is one.
    fn engine(&mut self, configuration: &Value, options: &Options) {
        if !self.plugins.is_empty() {
            return;
        }
        let engine = pieces::engine(configuration.clone(), &options.plugin);
        self.append("", "bootstrap_extensions", vec![engine]);
        self.notes.say("the engine: in bootstrap_extensions".to_owned());
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
                    "cluster {name}: this name exists already (line {}), which stays; `envoy-autocert check` \
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

    /// Adds a node id and cluster, without which Envoy does not use SDS.
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

    /// Appends items to a list, which may not exist yet.
    pub(super) fn append(&mut self, table: &str, key: &str, items: Vec<Value>) {
        let owner = if table.is_empty() { Some(self.top.clone()) } else { self.top.get(table) };
        let list = owner.as_ref().and_then(|owner| owner.get(key));
        self.edits.push(match (owner, list) {
            (_, Some(list)) => Edit::Insert { list: list.path, first: false, items },
            (Some(owner), None) => Edit::Set { table: owner.path, key: key.to_owned(), value: json!(items) },
            (None, None) => Edit::Set { table: String::new(), key: table.to_owned(), value: json!({ key: items }) },
        });
    }
}

/// The names of each certificate in a setup.
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

/// True if a resolver proves names without any listener.
fn proves_by_dns(setup: &Setup) -> bool {
    setup.resolvers.iter().any(|resolver| resolver.dns_challenge.is_some() || resolver.dns_persist_challenge.is_some())
}
