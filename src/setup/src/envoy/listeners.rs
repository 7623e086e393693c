//! The resources of a setup: listeners, clusters and, where they are apart, route configurations.

use config::Mistake;
use serde_json::{Value, json};

use super::chains::{Chains, Entry};
use super::clusters::socket_address;
use super::{Layout, Options, ca, clusters, limits, plugin, services, yaml};
use crate::model::{EntryPoint, Setup};

/// What Envoy is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resources {
    /// One for each entry point.
    pub listeners: Vec<Value>,
    /// Of the CAs, the sidecar and the services.
    pub clusters: Vec<Value>,
    /// With [`Layout::Dynamic`], the route configurations that the listeners refer to.
    pub route_configs: Vec<Value>,
    /// What is different from Traefik, one line each.
    pub warnings: Vec<String>,
}

/// The resources. `configuration` is the plugin's: see [`plugin::configuration`]. With [`Layout::Static`] it is the one
/// of the engine, which stands before the listeners.
///
/// # Errors
/// When a setup can't be said in Envoy's terms, by the path of each router or resolver that can't.
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
                Layout::Static => plugin::short_http_filter(&options.plugin),
                Layout::Dynamic { .. } => plugin::http_filter(configuration, &options.plugin),
            };
            let text = "Answers the CA, before every other filter: neither a redirect nor an authentication gets in \
                        its way.\nOnly requests for challenges enter the plugin.";
            yaml::comment(&mut filter, text);
            filter
        });
        let Chains { chains, route_configs, warnings, mistakes: of_rules, .. } =
            Entry { setup, point, layout, plugin }.chains();
        mistakes.extend(of_rules);
        resources.warnings.extend(warnings);
        resources.route_configs.extend(route_configs);
        resources.listeners.push(listener(point, chains, is_challenged));
    }
    match all_clusters(setup, options) {
        Ok(clusters) => resources.clusters = clusters,
        Err(of_cas) => mistakes.extend(of_cas),
    }
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
        // Nothing to choose from.
        if let Some(chain) =
            only.as_object_mut().filter(|chain| chain["filter_chain_match"].get("server_names").is_none())
        {
            chain.remove("filter_chain_match");
        }
    }
    let needs_to_look = chains.iter().any(|chain| chain.get("filter_chain_match").is_some());
    // Where HTTP is spoken without TLS nothing else would wait for the first bytes with a deadline.
    let is_plain_http = |chain: &Value| chain.get("transport_socket").is_none() && !is_tcp_proxy(chain);
    if needs_to_look || chains.iter().any(is_plain_http) {
        limits::inspector(&mut listener, timeouts);
    }
    // The server may be the one that speaks first.
    if chains.iter().any(is_plain_tcp) && needs_to_look {
        listener["continue_on_listener_filters_timeout"] = json!(true);
    }
    listener["filter_chains"] = Value::Array(chains);
    yaml::comment(&mut listener, &format!("The entry point {name}."));
    listener
}

fn all_clusters(setup: &Setup, options: &Options) -> Result<Vec<Value>, Vec<Mistake>> {
    let mut all = Vec::new();
    let mut add = |mut cluster: Value, text: &str| {
        yaml::comment(&mut cluster, text);
        all.push(cluster);
    };
    for ca in ca::all(&setup.resolvers)? {
        add(ca::cluster(&ca, options), "The CA. Its certificate is verified: name and chain.");
    }
    if !setup.resolvers.is_empty() {
        add(clusters::api(&options.api_socket), "The sidecar's API, for the plugin.");
    }
    add(clusters::sds(&options.sds_socket), "The sidecar's SDS: certificates for the listeners.");
    for (name, service) in &setup.http_services {
        for cluster in services::http_clusters(name, service, options) {
            add(cluster, &format!("The service {name}."));
        }
    }
    for (name, service) in &setup.tcp_services {
        add(services::tcp_cluster(name, service, options), &format!("The TCP service {name}."));
    }
    Ok(all)
}
