//! The HTTP connection manager: Traefik's handling of every request before routing.
//!
//! Large values are moved into place, here and in the neighbouring files: `json!` would copy them.

use serde_json::{Value, json};

use super::limits;
use super::routes::matching::CLIENT_IP;
use super::untrusted;
use crate::model::EntryPoint;

/// The client's address in Envoy's format strings.
const REMOTE_ADDRESS: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";

/// The parts of a connection manager that differ.
pub(super) struct Manager<'a> {
    /// The entry point.
    pub(super) point: &'a EntryPoint,
    /// The plugin's filter, where challenges are answered.
    pub(super) plugin: Option<Value>,
    /// `route_config` or `rds`, with its key.
    pub(super) routes: (&'static str, Value),
    /// Rules and redirects ignore the port in the host.
    pub(super) drops_port: bool,
    /// Rules match the client's address.
    pub(super) needs_client_ip: bool,
}

/// The network filters of a chain for HTTP.
pub(super) fn filters(manager: Manager<'_>) -> Value {
    let mut filters = Vec::new();
    if manager.needs_client_ip {
        filters.push(client_ip());
    }
    filters.push(connection_manager(manager));
    Value::Array(filters)
}

fn connection_manager(manager: Manager<'_>) -> Value {
    let router = json!({
        "name": "envoy.filters.http.router",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
            "suppress_envoy_headers": true,
        },
    });
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": manager.point.name,
        // The client's address is the connection's; addresses in the client's headers are not trusted.
        "use_remote_address": true,
        "normalize_path": true,
        "merge_slashes": true,
        "strip_trailing_host_dot": true,
        "generate_request_id": false,
        "server_header_transformation": "PASS_THROUGH",
        "upgrade_configs": [{ "upgrade_type": "websocket" }],
    });
    limits::of_manager(&mut config, &manager.point.timeouts);
    untrusted::distrust(&mut config, manager.point);
    config["http_filters"] = manager.plugin.into_iter().chain([router]).collect();
    let (key, routes) = manager.routes;
    config[key] = routes;
    if manager.drops_port {
        config["strip_any_host_port"] = json!(true);
    }
    let mut filter = json!({ "name": "envoy.filters.network.http_connection_manager" });
    filter["typed_config"] = config;
    filter
}

/// A route configuration with Traefik's request headers for servers.
pub(super) fn route_config(name: &str, virtual_hosts: Vec<Value>) -> Value {
    let header = |key: &str, value: &str| {
        let header = json!({ "key": key, "value": value });
        json!({ "header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" })
    };
    let mut config = json!({
        "name": name,
        "ignore_port_in_host_matching": true,
        "request_headers_to_add": [
            header("x-forwarded-for", REMOTE_ADDRESS),
            header("x-forwarded-host", "%REQ(:AUTHORITY)%"),
            header("x-forwarded-port", "%DOWNSTREAM_LOCAL_PORT%"),
            header("x-real-ip", REMOTE_ADDRESS),
        ],
    });
    config["virtual_hosts"] = Value::Array(virtual_hosts);
    config
}

/// The filter that stores the client's address for routes to match.
fn client_ip() -> Value {
    json!({
        "name": "envoy.filters.network.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
            "on_new_connection": [{
                "object_key": CLIENT_IP,
                "factory_key": "envoy.network.ip",
                "format_string": { "text_format_source": { "inline_string": REMOTE_ADDRESS } },
            }],
        },
    })
}
