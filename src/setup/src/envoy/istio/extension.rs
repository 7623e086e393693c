//! The plugin: a TrafficExtension, or a WasmPlugin for versions of Istio without it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::ca::{self, Ca};
use super::super::kubernetes::directory;
use super::super::{Options, plugin};
use super::egress::{self, cluster};
use super::options::IstioOptions;
use crate::model::Setup;

/// Ports on which gateways listen for plain HTTP: in the chart's pods, and in those of Istio's older installations.
const PLAIN_PORTS: [u16; 2] = [80, 8080];

/// Schemes of URLs that Istio's agent fetches, or that Envoy reads, without help.
const SCHEMES: [&str; 4] = ["oci://", "https://", "http://", "file://"];

/// The file name of the plugin for the proxy.
const FILE: &str = "envoy_autocert.wasm";

pub(super) fn extension(setup: &Setup, cas: &[Ca], options: &Options, istio: &IstioOptions) -> Value {
    let mut configuration = plugin::configuration(setup, cas);
    let clusters: BTreeMap<String, String> =
        cas.iter().map(|ca| (ca.origin.authority(), cluster(&ca.host, ca::port(&ca.origin)))).collect();
    configuration["caClusters"] = json!(clusters);
    configuration["sidecar"] = plugin::sidecar(&cluster(egress::SIDECAR, egress::PORT));
    plugin::without_tls_challenge(&mut configuration);
    let mut spec = json!({
        "phase": "AUTHN",
        "priority": 1000,
        "match": [{ "ports": ports(setup) }],
    });
    match &istio.gateway_api {
        Some(name) => {
            let group = "gateway.networking.k8s.io";
            spec["targetRefs"] = json!([{ "group": group, "kind": "Gateway", "name": name }]);
        }
        None => spec["selector"] = json!({ "matchLabels": { "istio": istio.gateway } }),
    }
    let wasm = json!({
        "url": copied(options).map_or_else(|| options.plugin.clone(), |path| format!("file://{path}")),
        "failStrategy": "FAIL_RELOAD",
        "pluginConfig": configuration,
    });
    let kind = match istio.version.has_traffic_extension() {
        true => {
            spec["wasm"] = wasm;
            "TrafficExtension"
        }
        false => {
            if let (Some(spec), Value::Object(wasm)) = (spec.as_object_mut(), wasm) {
                spec.extend(wasm);
            }
            "WasmPlugin"
        }
    };
    yaml::comment(
        &mut spec,
        "Before authentication and authorization, so that the CA is never turned away. With httpsRedirect in the \
         Gateway\nthe plugin answers first. The ports are those of the pods; no mode: a gateway's listeners are CLIENT.",
    );
    istio.object("extensions.istio.io/v1alpha1", kind, plugin::NAME, spec)
}

/// The path for the proxy to which a file of the sidecar's image is copied; `None` for a URL.
pub(super) fn copied(options: &Options) -> Option<String> {
    let is_url = SCHEMES.iter().any(|scheme| options.plugin.starts_with(scheme));
    (!is_url).then(|| format!("{}/{FILE}", directory(&options.api_socket)))
}

/// The ports on which pods may listen for challenges.
fn ports(setup: &Setup) -> Value {
    let challenged = plugin::challenge_entry_points(setup);
    let points = setup.entry_points.iter().filter(|point| challenged.contains(point.name.as_str()));
    let ports: BTreeSet<u16> = points.map(|point| point.port).chain(PLAIN_PORTS).collect();
    ports.into_iter().map(|number| json!({ "number": number })).collect()
}
