//! The Gateway, and the Secrets by which Envoy Gateway makes its Envoys use the sidecar's SDS.

use serde_json::{Value, json};

use super::super::Options;
use super::super::kubernetes::{dns_name, object};
use super::super::plugin::certificates;
use super::options::{EnvoyGatewayOptions, mesh_sds_socket};
use crate::model::Setup;

/// Plain HTTP for challenges, and TLS for each host.
pub(super) fn gateway(setup: &Setup, gateway: &EnvoyGatewayOptions) -> Value {
    let mut listeners = vec![json!({ "name": "http", "port": 80, "protocol": "HTTP" })];
    for (index, names) in certificates(setup).iter().enumerate() {
        let Some(first) = names.first() else { continue };
        for (number, host) in names.iter().enumerate() {
            listeners.push(json!({
                "name": format!("https-{index}-{number}"),
                "port": 443,
                "protocol": "HTTPS",
                "hostname": host,
                "tls": { "mode": "Terminate", "certificateRefs": [{ "name": dns_name(first) }] },
            }));
        }
    }
    let parameters = json!({ "group": "gateway.envoyproxy.io", "kind": "EnvoyProxy", "name": "envoy-autocert" });
    let spec = json!({
        "gatewayClassName": gateway.class,
        "infrastructure": { "parametersRef": parameters },
        "listeners": listeners,
    });
    let api = "gateway.networking.k8s.io/v1";
    object(api, "Gateway", &gateway.namespace, &gateway.gateway, json!({ "spec": spec }))
}

/// A Secret for each certificate, with the SDS socket and the name to request.
pub(super) fn secrets(setup: &Setup, options: &Options, gateway: &EnvoyGatewayOptions) -> Vec<Value> {
    let of = |names: &Vec<String>| {
        let first = names.first()?;
        let data = json!({ "url": format!("unix://{}", mesh_sds_socket(options)), "secretName": first });
        let rest = json!({ "type": "gateway.envoyproxy.io/sds", "stringData": data });
        Some(object("v1", "Secret", &gateway.namespace, &dns_name(first), rest))
    };
    certificates(setup).iter().filter_map(of).collect()
}
