//! The plugin's policy, and the routes that it applies to.

use config::{Mistake, shortened};
use serde_json::{Value, json};

use super::super::ca::Ca;
use super::super::kubernetes::object;
use super::super::plugin::{self, certificates};
use super::options::EnvoyGatewayOptions;
use crate::model::Setup;

/// Maximum number of hosts of an HTTPRoute.
const MAX_HOSTS: usize = 16;

const GATEWAY: &str = "gateway.networking.k8s.io";
const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io";

/// The plugin's source for Envoy Gateway.
pub(super) fn code(plugin: &str) -> Result<Value, Mistake> {
    if let Some(image) = plugin.strip_prefix("oci://") {
        return Ok(json!({ "type": "Image", "image": { "url": image } }));
    }
    if plugin.starts_with("https://") || plugin.starts_with("http://") {
        return Ok(json!({ "type": "HTTP", "http": { "url": plugin } }));
    }
    Err(Mistake {
        path: "--plugin".to_owned(),
        found: format!("{}, a file", shortened(plugin)),
        expected: "where Envoy Gateway fetches it, as in oci://registry.example.com/envoy-autocert-plugin:1.0.0 or \
                   https://…: it takes no file"
            .to_owned(),
        nearest: None,
    })
}

/// The policy with the plugin, its routes, and their response when there is no challenge.
pub(super) fn policy(setup: &Setup, cas: &[Ca], code: Value, gateway: &EnvoyGatewayOptions) -> Vec<Value> {
    let mut hosts: Vec<String> = certificates(setup).into_iter().flatten().collect();
    hosts.sort_unstable();
    hosts.dedup();
    let names: Vec<String> = (0..hosts.len().div_ceil(MAX_HOSTS).max(1))
        .map(|index| match index {
            0 => plugin::NAME.to_owned(),
            index => format!("{}-{}", plugin::NAME, index.saturating_add(1)),
        })
        .collect();
    let mut configuration = plugin::configuration(setup, cas);
    plugin::without_tls_challenge(&mut configuration);
    let targets: Vec<Value> =
        names.iter().map(|name| json!({ "group": GATEWAY, "kind": "HTTPRoute", "name": name })).collect();
    let mut spec = json!({
        "targetRefs": targets,
        "wasm": [{ "name": plugin::NAME, "rootID": plugin::NAME, "code": code, "config": configuration }],
    });
    yaml::comment(
        &mut spec,
        "On the routes of challenges alone. A plugin that trapped stays down on its thread until Envoy starts anew: there \
         is no\nfailOpen, so the CA is told (503) and asks again later.",
    );
    let of = |api: &str, kind: &str, name: &str, spec: Value| {
        object(&format!("{api}/{}", version(api)), kind, &gateway.namespace, name, json!({ "spec": spec }))
    };
    let mut objects = vec![of(ENVOY_GATEWAY, "EnvoyExtensionPolicy", plugin::NAME, spec)];
    let mut chunks = hosts.chunks(MAX_HOSTS);
    for name in &names {
        objects.push(of(GATEWAY, "HTTPRoute", name, route(chunks.next().unwrap_or_default(), gateway)));
    }
    let response = json!({ "directResponse": { "statusCode": 404 } });
    objects.push(of(ENVOY_GATEWAY, "HTTPRouteFilter", plugin::NAME, response));
    objects
}

/// A route for challenges. It names its hosts, because otherwise another route with a host would take their requests.
fn route(hosts: &[String], gateway: &EnvoyGatewayOptions) -> Value {
    let filter = json!({
        "type": "ExtensionRef",
        "extensionRef": { "group": ENVOY_GATEWAY, "kind": "HTTPRouteFilter", "name": plugin::NAME },
    });
    let path = json!({ "type": "PathPrefix", "value": "/.well-known/acme-challenge" });
    let mut spec = json!({
        "parentRefs": [{ "name": gateway.gateway, "sectionName": "http" }],
        "rules": [{ "matches": [{ "path": path }], "filters": [filter] }],
    });
    if !hosts.is_empty() {
        spec["hostnames"] = json!(hosts);
    }
    spec
}

fn version(api: &str) -> &'static str {
    if api == GATEWAY { "v1" } else { "v1alpha1" }
}
