//! The rendered configuration in the files that Envoy reads: the bootstrap, read once, and the files it watches.
//!
//! Promises: a change of routers and services changes only watched files; routes are apart from listeners, so that a
//! change of routes touches no connection; equal configurations give equal pieces.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use setup::envoy::bootstrap::Bootstrap;

use super::ports::Port;
use crate::holder::Protocol;
use crate::reach;

/// The protocol of TLS-ALPN-01 (RFC 8737 §4).
const ACME_TLS: &str = "acme-tls/1";

const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const ROUTES: &str = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration";

/// The pieces of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pieces {
    /// The bootstrap, read once: a change of it needs a restart of Envoy.
    pub(super) bootstrap: Value,
    /// Clusters of services, by name.
    pub(super) clusters: BTreeMap<String, Value>,
    /// All listeners, in their order.
    pub(super) listeners: Vec<Value>,
    /// Route configurations, by name.
    pub(super) routes: BTreeMap<String, Value>,
}

impl Pieces {
    /// Splits a bootstrap. The clusters of the CAs and the sidecar stay in the bootstrap proper: the engine and SDS
    /// need them before anything else.
    pub(super) fn new(bootstrap: Bootstrap, layout: &Layout) -> Self {
        let Bootstrap { base: mut bootstrap, resources } = bootstrap;
        bootstrap["static_resources"]["clusters"] = resources.own_clusters.into();
        let watched = |path: PathBuf| json!({"resource_api_version": "V3", "path_config_source": {"path": path}});
        bootstrap["dynamic_resources"] =
            json!({"cds_config": watched(layout.clusters()), "lds_config": watched(layout.listeners())});
        let by_name = |resources: Vec<Value>| {
            resources.into_iter().map(|resource| (name(&resource).to_owned(), resource)).collect::<BTreeMap<_, _>>()
        };
        Self {
            bootstrap,
            clusters: by_name(resources.service_clusters),
            listeners: resources.listeners,
            routes: by_name(resources.route_configs),
        }
    }

    /// The addresses of listeners with TLS for visitors, as this machine reaches them.
    pub(super) fn tls_addresses(&self) -> Vec<SocketAddr> {
        let is_tls = |listener: &&Value| {
            let chains = listener.get("filter_chains").and_then(Value::as_array);
            chains.into_iter().flatten().any(serves_visitors)
        };
        let listeners: Vec<Value> = self.listeners.iter().filter(is_tls).cloned().collect();
        Port::of(&listeners)
            .into_iter()
            .filter(|port| port.protocol == Protocol::Tcp)
            .map(|port| reach::from_here(port.address))
            .collect()
    }

    /// The content of the file of clusters.
    pub(super) fn cluster_file(&self) -> Value {
        response(CLUSTER, self.clusters.values().cloned())
    }

    /// The content of the file of listeners.
    pub(super) fn listener_file(&self) -> Value {
        response(LISTENER, self.listeners.iter().cloned())
    }

    /// The content of the file of each route configuration.
    pub(super) fn route_files(&self) -> impl Iterator<Item = (&str, Value)> {
        self.routes.iter().map(|(name, routes)| (name.as_str(), response(ROUTES, [routes.clone()])))
    }
}

/// The files of a running `run`.
#[derive(Clone, Debug)]
pub struct Layout {
    directory: PathBuf,
}

impl Layout {
    /// The files in this directory.
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned() }
    }

    pub(super) fn bootstrap(&self) -> PathBuf {
        self.directory.join("bootstrap.json")
    }

    /// The whole configuration in one file, to be validated.
    pub(super) fn candidate(&self) -> PathBuf {
        self.directory.join("candidate.json")
    }

    pub(super) fn clusters(&self) -> PathBuf {
        self.directory.join("clusters.json")
    }

    pub(super) fn listeners(&self) -> PathBuf {
        self.directory.join("listeners.json")
    }

    /// The file of a route configuration. Names are the renderer's own, of entry points: they are kept apart from paths.
    pub fn routes(&self, name: &str) -> PathBuf {
        let safe =
            |c: char| if c.is_ascii_alphanumeric() || c == '-' { c.to_string() } else { format!("_{:x}", c as u32) };
        let name: String = name.chars().map(safe).collect();
        self.directory.join(format!("routes-{name}.json"))
    }

    /// The socket of Envoy's administration interface.
    pub fn admin_socket(&self) -> PathBuf {
        self.directory.join("admin.sock")
    }

    /// The socket of the sidecar's API.
    pub fn api_socket(&self) -> PathBuf {
        self.directory.join("api.sock")
    }

    /// The socket of the sidecar's SDS.
    pub fn sds_socket(&self) -> PathBuf {
        self.directory.join("sds.sock")
    }
}

/// True if a filter chain has certificates for visitors; the chain of TLS-ALPN-01 is for the CA alone.
fn serves_visitors(chain: &Value) -> bool {
    let protocols = chain.pointer("/filter_chain_match/application_protocols").and_then(Value::as_array);
    let is_challenge = protocols.is_some_and(|protocols| protocols.iter().all(|protocol| protocol == ACME_TLS));
    chain.get("transport_socket").is_some() && !is_challenge
}

/// A DiscoveryResponse. Its version is derived from its content; Envoy's statistics show the version taken.
fn response(type_url: &str, resources: impl IntoIterator<Item = Value>) -> Value {
    let typed = resources.into_iter().map(|mut resource| {
        if let Some(resource) = resource.as_object_mut() {
            resource.insert("@type".to_owned(), type_url.into());
        }
        resource
    });
    let resources: Vec<Value> = typed.collect();
    json!({"version_info": version(&resources), "resources": resources})
}

/// Equal for equal content. Collisions by intent don't matter: the version only tells our own files apart.
fn version(resources: &[Value]) -> String {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    Value::from(resources.to_vec()).to_string().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

fn name(resource: &Value) -> &str {
    resource.get("name").and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use setup::envoy::listeners::Resources;

    use super::*;

    fn pieces(body: &str) -> Pieces {
        let resources = Resources {
            listeners: vec![json!({"name": "web"})],
            own_clusters: vec![json!({"name": "envoy-autocert-api"})],
            service_clusters: vec![json!({"name": "site"})],
            route_configs: vec![json!({"name": "web/plain", "virtual_hosts": [{"name": body, "domains": ["*"]}]})],
            warnings: Vec::new(),
        };
        Pieces::new(Bootstrap { base: json!({"node": {"id": "x"}}), resources }, &Layout::new(Path::new("/run/x")))
    }

    #[test]
    fn what_is_watched_is_no_longer_in_the_bootstrap() {
        let pieces = pieces("a");
        let own = &pieces.bootstrap["static_resources"];
        assert_eq!(own["clusters"], json!([{"name": "envoy-autocert-api"}]));
        assert!(own.get("listeners").is_none());
        let lds = &pieces.bootstrap["dynamic_resources"]["lds_config"];
        assert_eq!(lds["path_config_source"]["path"], "/run/x/listeners.json");
        assert_eq!(pieces.clusters.keys().collect::<Vec<_>>(), ["site"]);
        assert_eq!(pieces.cluster_file()["resources"][0]["@type"], CLUSTER);
    }

    #[test]
    fn a_change_of_routes_leaves_listeners_and_bootstrap_as_they_are() {
        let one = pieces("a");
        let other = pieces("b");
        assert_ne!(one.routes, other.routes);
        assert_eq!((&one.listeners, &one.bootstrap), (&other.listeners, &other.bootstrap));
        assert_eq!(one.listener_file()["version_info"], other.listener_file()["version_info"]);
    }

    #[test]
    fn each_route_configuration_has_a_file_of_its_own() {
        let pieces = pieces("a");
        let files: Vec<(&str, Value)> = pieces.route_files().collect();
        assert_eq!((files.len(), files[0].0), (1, "web/plain"));
        assert_eq!(files[0].1["resources"][0]["@type"], ROUTES);
        let path = Layout::new(Path::new("/run/x")).routes(files[0].0);
        assert_eq!(path, Path::new("/run/x/routes-web_2fplain.json"));
    }

    #[test]
    fn visitors_are_served_where_there_is_tls_for_more_than_challenges() {
        let listener = |port: u16, chain: Value| {
            let address = json!({"socket_address": {"address": "0.0.0.0", "port_value": port}});
            json!({"name": "x", "address": address, "filter_chains": [chain]})
        };
        let challenge =
            json!({"filter_chain_match": {"application_protocols": ["acme-tls/1"]}, "transport_socket": {}});
        let mut pieces = pieces("a");
        pieces.listeners = vec![
            listener(80, json!({"filters": []})),
            listener(443, json!({"transport_socket": {}})),
            listener(444, challenge),
        ];
        assert_eq!(pieces.tls_addresses(), ["127.0.0.1:443".parse().unwrap()]);
    }
}
