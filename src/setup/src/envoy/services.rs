//! Services: their clusters, and the routes to them.
//!
//! A service whose servers use several protocols (http, https, h2c) has a cluster for each.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Options;
use super::clusters::{assignment, http2, is_address, protocols, socket_address, upstream_tls};
use super::limits;
use crate::model::{HttpServer, HttpService, TcpServer, TcpService, Timeouts};

/// Timeout for connecting to a server, as in Traefik.
const CONNECT: &str = "30s";

/// Idle timeout of a connection to a server, as in Traefik.
const IDLE: &str = "90s";

/// The protocol towards a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    H2c,
    Http,
    Https,
}

/// The clusters of an HTTP service.
pub(super) fn http_clusters(name: &str, service: &HttpService, options: &Options) -> Vec<Value> {
    let by_protocol = by_protocol(service);
    by_protocol
        .iter()
        .map(|(protocol, servers)| {
            http_cluster(&cluster_name(name, *protocol, by_protocol.len()), *protocol, servers, options)
        })
        .collect()
}

/// The action of a route to an HTTP service.
pub(super) fn route(name: &str, service: &HttpService, timeouts: &Timeouts) -> Value {
    let by_protocol = by_protocol(service);
    let mut route = json!({ "timeout": timeouts.whole_answer() });
    if by_protocol.len() == 1 {
        let protocol = by_protocol.keys().next().copied().unwrap_or(Protocol::Http);
        route["cluster"] = json!(cluster_name(name, protocol, 1));
    } else {
        let clusters = by_protocol.iter().map(|(protocol, servers)| {
            let weight: u64 = servers.iter().map(|server| u64::from(server.weight)).sum();
            json!({ "name": cluster_name(name, *protocol, by_protocol.len()), "weight": weight })
        });
        route["weighted_clusters"] = json!({ "clusters": clusters.collect::<Vec<_>>() });
    }
    if !service.pass_host_header {
        route["auto_host_rewrite"] = json!(true);
    }
    json!({ "route": route })
}

/// The cluster of a TCP service.
pub(super) fn tcp_cluster(name: &str, service: &TcpService, options: &Options) -> Value {
    let name = tcp_cluster_name(name);
    let endpoint = |server: &TcpServer| json!({ "endpoint": { "address": socket_address(&server.host, server.port) } });
    let hosts = service.servers.iter().map(|server| server.host.as_str());
    let mut cluster = cluster(&name, hosts, service.servers.iter().map(endpoint).collect(), options);
    if let Some(server) = service.servers.iter().find(|server| server.tls) {
        cluster["transport_socket"] = upstream_tls(&server.host, &json!({ "filename": options.ca_bundle }));
    }
    cluster
}

/// The name of a TCP service's cluster.
pub(super) fn tcp_cluster_name(name: &str) -> String {
    format!("tcp-service-{name}")
}

/// The servers by protocol. Servers with weight 0 are left out.
fn by_protocol(service: &HttpService) -> BTreeMap<Protocol, Vec<&HttpServer>> {
    let mut by_protocol: BTreeMap<Protocol, Vec<&HttpServer>> = BTreeMap::new();
    for server in service.servers.iter().filter(|server| server.weight > 0) {
        let protocol = match server {
            HttpServer { tls: true, .. } => Protocol::Https,
            HttpServer { h2c: true, .. } => Protocol::H2c,
            HttpServer { .. } => Protocol::Http,
        };
        by_protocol.entry(protocol).or_default().push(server);
    }
    if by_protocol.is_empty() {
        by_protocol.insert(Protocol::Http, Vec::new());
    }
    by_protocol
}

fn cluster_name(service: &str, protocol: Protocol, protocols: usize) -> String {
    let suffix = match protocol {
        _ if protocols == 1 => "",
        Protocol::H2c => "-h2c",
        Protocol::Http => "-http",
        Protocol::Https => "-https",
    };
    format!("service-{service}{suffix}")
}

fn http_cluster(name: &str, protocol: Protocol, servers: &[&HttpServer], options: &Options) -> Value {
    let is_weighted = servers.iter().any(|server| Some(server.weight) != servers.first().map(|first| first.weight));
    let endpoint = |server: &&HttpServer| {
        let address = socket_address(&server.host, server.port);
        let mut endpoint = json!({ "endpoint": { "address": address, "hostname": hostname(server) } });
        if is_weighted {
            endpoint["load_balancing_weight"] = json!(server.weight);
        }
        endpoint
    };
    let mut cluster = cluster(
        name,
        servers.iter().map(|server| server.host.as_str()),
        servers.iter().map(endpoint).collect(),
        options,
    );
    cluster["typed_extension_protocol_options"] = match protocol {
        Protocol::H2c => http2(),
        Protocol::Http | Protocol::Https => protocols(&json!({ "http_protocol_options": {} }), Some(IDLE)),
    };
    if protocol == Protocol::Https {
        cluster["transport_socket"] = tls(servers, options);
    }
    cluster
}

/// TLS to the servers of a service, each verified by its own name.
fn tls(servers: &[&HttpServer], options: &Options) -> Value {
    let roots = json!({ "filename": options.ca_bundle });
    let first = servers.first().map_or("", |server| server.host.as_str());
    let mut socket = upstream_tls(first, &roots);
    if servers.iter().all(|server| server.host == first) {
        return socket;
    }
    let context = &mut socket["typed_config"];
    if let Some(context) = context.as_object_mut() {
        context.remove("sni");
    }
    context["auto_host_sni"] = json!(true);
    context["auto_sni_san_validation"] = json!(true);
    context["common_tls_context"] = json!({ "validation_context": { "trusted_ca": roots } });
    socket
}

/// The host in the server's URL. With TLS it is the server's name, which has no port.
fn hostname(server: &HttpServer) -> String {
    let host = if server.host.contains(':') { format!("[{}]", server.host) } else { server.host.clone() };
    if server.tls || server.port == 80 { host } else { format!("{host}:{}", server.port) }
}

fn cluster<'a>(
    name: &str,
    hosts: impl IntoIterator<Item = &'a str>,
    endpoints: Vec<Value>,
    options: &Options,
) -> Value {
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": CONNECT,
        "per_connection_buffer_limit_bytes": limits::BUFFER,
        "circuit_breakers": limits::of_service(options.connections),
        "load_assignment": assignment(name, endpoints),
    });
    if !hosts.into_iter().all(is_address) {
        cluster["type"] = json!("STRICT_DNS");
        cluster["dns_lookup_family"] = json!("V4_PREFERRED");
    }
    cluster
}
