//! Egress of the gateway: to the CA with TLS, and to the sidecar's sockets.

use serde_json::{Value, json};

use super::super::Options;
use super::super::ca::{self, Ca};
use super::super::clusters::is_address;
use super::super::kubernetes::dns_name;
use super::options::{IstioOptions, mesh_sds_socket};

/// Host of the sidecar's API within the mesh. It leads to a unix socket, and is never resolved.
pub const SIDECAR: &str = "envoy-autocert.internal";

/// Host of the sidecar's SDS within the mesh, likewise.
pub const SDS_HOST: &str = "envoy-autocert-sds.internal";

/// Port of both hosts, which is only a part of the cluster's name.
pub(super) const PORT: u16 = 80;

const API: &str = "networking.istio.io/v1";

/// The sidecar's API, on its unix socket.
pub(super) fn sidecar(options: &Options, istio: &IstioOptions) -> Value {
    let ports = json!([{ "number": PORT, "name": "http", "protocol": "HTTP" }]);
    socket("envoy-autocert", SIDECAR, &ports, &options.api_socket, istio)
}

/// The sidecar's SDS for meshes, for an extension provider to name.
pub(super) fn sds_provider(options: &Options, istio: &IstioOptions) -> Value {
    let ports = json!([{ "number": PORT, "name": "grpc", "protocol": "GRPC" }]);
    socket("envoy-autocert-sds", SDS_HOST, &ports, &mesh_sds_socket(options), istio)
}

fn socket(name: &str, host: &str, ports: &Value, path: &str, istio: &IstioOptions) -> Value {
    let spec = json!({
        "hosts": [host],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": ports,
        "endpoints": [{ "address": format!("unix://{path}") }],
        // No other proxy of the mesh has the socket.
        "exportTo": ["."],
    });
    istio.object(API, "ServiceEntry", name, spec)
}

pub(super) fn service_entry(ca: &Ca, istio: &IstioOptions) -> Value {
    let is_address = is_address(&ca.host);
    let mut spec = json!({
        "hosts": [ca.host],
        "location": "MESH_EXTERNAL",
        "resolution": if is_address { "STATIC" } else { "DNS" },
        // HTTP: the DestinationRule adds TLS.
        "ports": [{ "number": ca::port(&ca.origin), "name": "http-acme", "protocol": "HTTP" }],
        "exportTo": ["."],
    });
    if is_address {
        spec["addresses"] = json!([ca.host]);
        spec["endpoints"] = json!([{ "address": ca.host }]);
    }
    istio.object(API, "ServiceEntry", &resource_name(ca), spec)
}

pub(super) fn destination_rule(ca: &Ca, options: &Options, istio: &IstioOptions) -> Value {
    let name = ca::server_name(ca);
    let mut tls = json!({ "mode": "SIMPLE", "subjectAltNames": [name], "caCertificates": trusted(ca, options) });
    if !is_address(name) {
        tls["sni"] = json!(name);
    }
    yaml::comment(&mut tls, "The CA's server is verified: name and chain. The file is in the istio-proxy container.");
    let spec = json!({ "host": ca.host, "trafficPolicy": { "tls": tls }, "exportTo": ["."] });
    istio.object(API, "DestinationRule", &resource_name(ca), spec)
}

/// The name of a cluster: `outbound|443||acme-v02.api.letsencrypt.org`.
pub(super) fn cluster(host: &str, port: u16) -> String {
    format!("outbound|{port}||{host}")
}

fn resource_name(ca: &Ca) -> String {
    format!("acme-{}-{}", dns_name(&ca.host), ca::port(&ca.origin))
}

/// The file of trusted roots. Istio takes one file: of several, the first is used, and a warning says so.
pub(super) fn trusted<'a>(ca: &'a Ca, options: &'a Options) -> &'a str {
    ca.trust.certificates.first().map_or(options.ca_bundle.as_str(), String::as_str)
}
