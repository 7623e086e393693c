//! The EnvoyProxy: additions to Envoy Gateway's own bootstrap, and the sidecar in its pods.

use serde_json::{Value, json};

use super::super::ca::{self, Ca};
use super::super::kubernetes::{Pod, directory, object};
use super::super::style::STYLE;
use super::super::{Options, clusters};
use super::options::{EnvoyGatewayOptions, PROXY, mesh_sds_socket, of_pods};
use crate::model::Setup;

/// The volume with the sockets.
const VOLUME: &str = "envoy-autocert-sockets";

pub(super) fn proxy(setup: &Setup, cas: &[Ca], options: &Options, gateway: &EnvoyGatewayOptions) -> Value {
    let pod = Pod {
        sidecar: &gateway.sidecar,
        user: PROXY,
        volume: VOLUME,
        api_socket: &options.api_socket,
        mesh_sds_socket: &mesh_sds_socket(options),
        plugin: None,
        wake: Pod::wake(setup, of_pods),
    };
    let mut volumes = vec![json!({ "name": VOLUME, "emptyDir": {} })];
    volumes.extend(Pod::volumes());
    let deployment = json!({
        "replicas": 1,
        // Only one pod at a time can use the storage.
        "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 0, "maxUnavailable": 1 } },
        "initContainers": pod.init_containers(),
        "container": { "volumeMounts": [{ "name": VOLUME, "mountPath": directory(&options.api_socket) }] },
        "pod": { "securityContext": { "fsGroup": PROXY }, "volumes": volumes },
    });
    let mut all: Vec<Value> = cas.iter().map(|ca| ca::cluster(ca, options)).collect();
    all.push(clusters::api(&options.api_socket));
    let static_resources = yaml::write(&json!({ "static_resources": { "clusters": all } }), &STYLE);
    let spec = json!({
        "bootstrap": { "type": "Merge", "value": static_resources },
        "provider": { "type": "Kubernetes", "kubernetes": { "envoyDeployment": deployment } },
    });
    let api = "gateway.envoyproxy.io/v1alpha1";
    object(api, "EnvoyProxy", &gateway.namespace, "envoy-autocert", json!({ "spec": spec }))
}
