//! The gateway's pods, with the sidecar in them.
//!
//! All its sockets are in the directory that Istio's own template has for a credential socket, so nothing of the proxy's
//! container changes.

use serde_json::{Value, json};

use super::super::kubernetes::{Pod, object};
use super::super::{Options, yaml};
use super::extension::copied;
use super::{IstioOptions, PROXY, mesh_sds_socket};
use crate::model::Setup;

/// The volume of Istio's template.
const VOLUME: &str = "credential-socket";

/// What a Deployment that there is gets, applied on the server's side; or what Istio does to the one it makes.
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
    // One at a time has the storage.
    let strategy = json!({ "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } });
    let mut spec = json!({ "replicas": 1, "strategy": strategy, "template": template });
    if istio.gateway_api.is_some() {
        let patch = yaml::write(&json!({ "spec": spec }));
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
