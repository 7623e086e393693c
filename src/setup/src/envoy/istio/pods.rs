//! The gateway's pods, with the sidecar in them.
//!
//! All of its sockets are in the directory that Istio's own template has for a credential socket, so the proxy's
//! container stays unchanged.

use serde_json::{Value, json};

use super::super::Options;
use super::super::kubernetes::{Pod, object};
use super::super::style::STYLE;
use super::extension::copied;
use super::options::{IstioOptions, PROXY, mesh_sds_socket};
use crate::model::Setup;

/// The volume in Istio's template.
const VOLUME: &str = "credential-socket";

/// A patch for an existing Deployment, applied on the server's side; or the patch that Istio applies to its own.
pub(super) fn pods(setup: &Setup, options: &Options, istio: &IstioOptions) -> Value {
    let pod = Pod {
        sidecar: &istio.sidecar,
        user: PROXY,
        volume: VOLUME,
        api_socket: &options.api_socket,
        mesh_sds_socket: &mesh_sds_socket(options),
        plugin: copied(options).map(|to| (options.plugin.clone(), to)),
        wake: Pod::wake(setup, |port| port),
    };
    let mut volumes = vec![json!({ "name": VOLUME, "emptyDir": {} })];
    volumes.extend(Pod::volumes());
    let template = json!({ "spec": {
        "securityContext": { "fsGroup": PROXY },
        "initContainers": pod.init_containers(),
        "volumes": volumes,
    } });
    // Only one pod at a time can use the storage.
    let strategy = json!({ "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } });
    let mut spec = json!({ "replicas": 1, "strategy": strategy, "template": template });
    if istio.gateway_api.is_some() {
        let patch = yaml::write(&json!({ "spec": spec }), &STYLE);
        let data = json!({ "data": { "deployment": patch } });
        return object("v1", "ConfigMap", &istio.namespace, "envoy-autocert", data);
    }
    yaml::comment(
        &mut spec,
        "What the gateway's Deployment gets besides what it has: `kubectl apply --server-side` merges it. The same \
         stands in the\nchart's values under initContainers, volumes and strategy.",
    );
    istio.object("apps/v1", "Deployment", &format!("istio-{}", istio.gateway), spec)
}
