//! TLS towards clients: certificates from the sidecar by SDS, versions, protocols.

use serde_json::{Value, json};

use super::clusters::SDS;
use crate::model::{TlsOptions, TlsVersion};

/// The secret with the default certificate, for names that no certificate covers.
pub const DEFAULT: &str = "default";

/// The config source of the sidecar's secrets.
pub fn source() -> Value {
    json!({
        "resource_api_version": "V3",
        // The maximum time that a listener waits for the sidecar.
        "initial_fetch_timeout": "5s",
        "api_config_source": {
            "api_type": "DELTA_GRPC",
            "transport_api_version": "V3",
            "set_node_on_first_message_only": true,
            // After a restart of the sidecar Envoy reconnects within a second, not half a minute.
            "grpc_services": [{
                "envoy_grpc": {
                    "cluster_name": SDS,
                    "retry_policy": { "retry_back_off": { "base_interval": "0.05s", "max_interval": "1s" } },
                },
                "initial_metadata": [{ "key": protocol::tokens::METADATA, "value": protocol::tokens::SDS }],
            }],
        },
    })
}

/// A secret with this name, for `tls_certificate_sds_secret_configs`.
pub fn secret(name: &str) -> Value {
    json!({ "name": name, "sds_config": source() })
}

/// The transport socket of a filter chain with these secrets; Envoy selects one by SNI, or else the first.
pub fn transport_socket<'a>(names: impl IntoIterator<Item = &'a str>, tls: &TlsOptions, alpn: &[&str]) -> Value {
    tls_socket(names.into_iter().map(secret).collect(), tls, alpn)
}

/// The same for YAML output: the other secrets refer to the source of the first one.
pub(super) fn short_transport_socket(names: &[&str], tls: &TlsOptions, alpn: &[&str]) -> Value {
    let short = |name: &&str| json!({ "name": name, "sds_config": yaml::same("sds_config") });
    let (first, others) = names.split_at(names.len().min(1));
    tls_socket(first.iter().map(|name| secret(name)).chain(others.iter().map(short)).collect(), tls, alpn)
}

fn tls_socket(secrets: Vec<Value>, tls: &TlsOptions, alpn: &[&str]) -> Value {
    let mut common = json!({});
    // Moved rather than put into `json!`, which would copy them.
    common["tls_certificate_sds_secret_configs"] = Value::Array(secrets);
    if !alpn.is_empty() {
        common["alpn_protocols"] = json!(alpn);
    }
    let bounds = [("tls_minimum_protocol_version", tls.min_version), ("tls_maximum_protocol_version", tls.max_version)];
    for (key, version) in bounds {
        if let Some(version) = version {
            common["tls_params"][key] = json!(version_name(version));
        }
    }
    let mut socket = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        },
    });
    socket["typed_config"]["common_tls_context"] = common;
    socket
}

fn version_name(version: TlsVersion) -> &'static str {
    match version {
        TlsVersion::V1_0 => "TLSv1_0",
        TlsVersion::V1_1 => "TLSv1_1",
        TlsVersion::V1_2 => "TLSv1_2",
        TlsVersion::V1_3 => "TLSv1_3",
    }
}
