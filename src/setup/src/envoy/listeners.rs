//! The resources of a setup: listeners, clusters and separate route configurations.

use config::Mistake;
use serde_json::{Value, json};

use super::chains::{Chains, EntryChains};
use super::clusters::socket_address;
use super::{Layout, Options, ca, clusters, limits, plugin, services};
use crate::model::{EntryPoint, Setup};

/// The resources of Envoy's discovery services.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// The listeners, one per entry point.
    pub listeners: Vec<Value>,
    /// Clusters of the CAs and the sidecar: the engine and SDS need them before anything else.
    pub own_clusters: Vec<Value>,
    /// Clusters of the services.
    pub service_clusters: Vec<Value>,
    /// With [`Layout::Dynamic`], the route configurations that the listeners refer to.
    pub route_configs: Vec<Value>,
    /// Differences from Traefik, one line each.
    pub warnings: Vec<String>,
}

/// The resources of a setup. `configuration` is the plugin's: see [`plugin::configuration`]. With [`Layout::Static`] it
/// is that of the engine, which comes before the listeners.
///
/// # Errors
/// If a setup can't be expressed in Envoy's configuration: the path of each router or resolver at fault.
pub fn resources(
    setup: &Setup,
    configuration: &Value,
    options: &Options,
    layout: Layout<'_>,
) -> Result<Resources, Vec<Mistake>> {
    let mut resources = Resources::default();
    let mut mistakes = Vec::new();
    let challenged = plugin::challenge_entry_points(setup);
    for point in &setup.entry_points {
        let is_challenged = challenged.contains(point.name.as_str());
        let plugin = is_challenged.then(|| {
            let mut filter = match layout {
                Layout::Static => plugin::short_disabled_http_filter(&options.plugin),
                Layout::Dynamic { .. } => plugin::disabled_http_filter(configuration, &options.plugin),
            };
            let text = "Answers the CA, before every other filter: neither a redirect nor an authentication gets in \
                        its way.\nIt is disabled but for routes that enable it: only requests for challenges enter the plugin.";
            yaml::comment(&mut filter, text);
            filter
        });
        let Chains { chains, route_configs, warnings, mistakes: of_rules, .. } =
            EntryChains { setup, point, layout, plugin }.chains();
        mistakes.extend(of_rules);
        resources.warnings.extend(warnings);
        resources.route_configs.extend(route_configs);
        resources.listeners.push(listener(point, chains, is_challenged));
    }
    match own_clusters(setup, options) {
        Ok(clusters) => resources.own_clusters = clusters,
        Err(of_cas) => mistakes.extend(of_cas),
    }
    resources.service_clusters = service_clusters(setup, options);
    if mistakes.is_empty() { Ok(resources) } else { Err(mistakes) }
}

fn listener(point: &EntryPoint, chains: Vec<Value>, is_challenged: bool) -> Value {
    let EntryPoint { name, host, port, timeouts, .. } = point;
    let mut address = socket_address(host, *port);
    if host == "::" {
        // As Go listens: on IPv4 as well.
        address["socket_address"]["ipv4_compat"] = json!(true);
    }
    let mut chains = chains;
    let mut listener = json!({ "name": name, "address": address });
    limits::bound(&mut listener, is_challenged);
    let is_tcp_proxy =
        |chain: &Value| chain.pointer("/filters/0/name").is_some_and(|name| name == "envoy.filters.network.tcp_proxy");
    let is_plain_tcp =
        |chain: &Value| chain["filter_chain_match"]["transport_protocol"] == "raw_buffer" && is_tcp_proxy(chain);
    if let [only] = chains.as_mut_slice() {
        // A single chain needs no match.
        if let Some(chain) =
            only.as_object_mut().filter(|chain| chain["filter_chain_match"].get("server_names").is_none())
        {
            chain.remove("filter_chain_match");
        }
    }
    let needs_to_look = chains.iter().any(|chain| chain.get("filter_chain_match").is_some());
    // For HTTP without TLS, nothing else has a timeout for the first bytes.
    let is_plain_http = |chain: &Value| chain.get("transport_socket").is_none() && !is_tcp_proxy(chain);
    if needs_to_look || chains.iter().any(is_plain_http) {
        limits::inspector(&mut listener, timeouts);
    }
    // The server may speak first.
    if chains.iter().any(is_plain_tcp) && needs_to_look {
        listener["continue_on_listener_filters_timeout"] = json!(true);
    }
    listener["filter_chains"] = Value::Array(chains);
    yaml::comment(&mut listener, &format!("The entry point {name}."));
    listener
}

impl Resources {
    /// All resources, mutably.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let Self { listeners, own_clusters, service_clusters, route_configs, warnings: _ } = self;
        [listeners, own_clusters, service_clusters, route_configs].into_iter().flatten()
    }
}

fn own_clusters(setup: &Setup, options: &Options) -> Result<Vec<Value>, Vec<Mistake>> {
    let mut all = Vec::new();
    for ca in ca::all(&setup.resolvers)? {
        let text = "The CA. Its certificate is verified: name and chain.";
        all.push(commented(ca::cluster(&ca, options), text));
    }
    if !setup.resolvers.is_empty() {
        all.push(commented(clusters::api(&options.api_socket), "The sidecar's API, for the plugin."));
    }
    all.push(commented(clusters::sds(&options.sds_socket), "The sidecar's SDS: certificates for the listeners."));
    Ok(all)
}

fn service_clusters(setup: &Setup, options: &Options) -> Vec<Value> {
    let http = setup.http_services.iter().flat_map(|(name, service)| {
        let text = format!("The service {name}.");
        services::http_clusters(name, service, options).into_iter().map(move |cluster| commented(cluster, &text))
    });
    let tcp = setup.tcp_services.iter().map(|(name, service)| {
        commented(services::tcp_cluster(name, service, options), &format!("The TCP service {name}."))
    });
    http.chain(tcp).collect()
}

fn commented(mut resource: Value, text: &str) -> Value {
    yaml::comment(&mut resource, text);
    resource
}
