//! The sidecar's clusters, and the parts that every cluster has.

use std::net::IpAddr;

use serde_json::{Value, json};

/// The cluster of the sidecar's API, which the plugin calls.
pub const API: &str = "envoy-autocert-api";

/// The cluster of the sidecar's SDS, which TLS listeners get their certificates from.
pub const SDS: &str = "envoy-autocert-sds";

/// The type of the protocol options for upstreams.
const PROTOCOLS: &str = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/// No limit in practice.
const NO_LIMIT: u32 = 1_000_000;

/// The sidecar's API, on a unix socket.
pub fn api(socket: &str) -> Value {
    json!({
        "name": API,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": assignment(API, vec![json!({ "endpoint": { "address": pipe(socket) } })]),
    })
}

/// The sidecar's SDS, on a unix socket.
pub fn sds(socket: &str) -> Value {
    // Each secret is a stream of its own, and the default of 1024 would limit their number.
    json!({
        "name": SDS,
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": no_limits(),
        "typed_extension_protocol_options": http2(),
        "load_assignment": assignment(SDS, vec![json!({ "endpoint": { "address": pipe(socket) } })]),
    })
}

/// `load_assignment` with all endpoints in one locality.
pub(crate) fn assignment(cluster: &str, endpoints: Vec<Value>) -> Value {
    json!({ "cluster_name": cluster, "endpoints": [{ "lb_endpoints": endpoints }] })
}

/// The address of a unix socket.
pub(crate) fn pipe(path: &str) -> Value {
    json!({ "pipe": { "path": path } })
}

/// The address of a host, which is a DNS name or an IP address without brackets, and a port.
pub(crate) fn socket_address(host: &str, port: u16) -> Value {
    json!({ "socket_address": { "address": host, "port_value": port } })
}

/// HTTP/2 with prior knowledge; a broken connection is detected within half a minute.
pub(crate) fn http2() -> Value {
    let keepalive = json!({ "interval": "30s", "timeout": "5s" });
    protocols(&json!({ "http2_protocol_options": { "connection_keepalive": keepalive } }), None)
}

/// The protocol, and the idle timeout of a connection.
pub(crate) fn protocols(explicit: &Value, idle: Option<&str>) -> Value {
    let mut options = json!({ "@type": format!("type.googleapis.com/{PROTOCOLS}"), "explicit_http_config": explicit });
    if let Some(idle) = idle {
        options["common_http_protocol_options"] = json!({ "idle_timeout": idle });
    }
    json!({ PROTOCOLS: options })
}

/// Removes Envoy's default limits of 1024.
pub(crate) fn no_limits() -> Value {
    json!({ "thresholds": [{
        "max_connections": NO_LIMIT,
        "max_pending_requests": NO_LIMIT,
        "max_requests": NO_LIMIT,
    }] })
}

/// True for an IP address, which needs no DNS.
pub(crate) fn is_address(host: &str) -> bool {
    host.parse::<IpAddr>().is_ok()
}

/// TLS to a server whose certificate must be for `name`, a DNS name or an IP address, verified with these roots.
pub(crate) fn upstream_tls(name: &str, trusted_ca: &Value) -> Value {
    let mut validation = json!({ "trusted_ca": trusted_ca });
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
    });
    if is_address(name) {
        // An IP address is no SNI (RFC 6066 §3), so the expected SAN is explicit.
        validation["match_typed_subject_alt_names"] =
            json!([{ "san_type": "IP_ADDRESS", "matcher": { "exact": name } }]);
    } else {
        context["sni"] = json!(name);
        context["auto_sni_san_validation"] = json!(true);
    }
    context["common_tls_context"] = json!({ "validation_context": validation });
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": context })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_known_by_its_name_or_its_address() {
        let roots = json!({ "filename": "/roots.pem" });
        let by_name = upstream_tls("a.example", &roots);
        assert_eq!(by_name["typed_config"]["sni"], "a.example");
        assert_eq!(by_name["typed_config"]["auto_sni_san_validation"], true);
        let by_address = upstream_tls("::1", &roots);
        assert_eq!(by_address["typed_config"].get("sni"), None);
        let matchers = by_address.pointer(
            "/typed_config/common_tls_context/validation_context/match_typed_subject_alt_names/0/matcher/exact",
        );
        assert_eq!(matchers, Some(&json!("::1")));
    }
}
