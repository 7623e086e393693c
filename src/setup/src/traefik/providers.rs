//! `providers`: where the dynamic configuration comes from.

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out;

/// Where the dynamic configuration comes from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "consul", "consulCatalog", "docker", "ecs", "etcd", "http", "knative", "kubernetesCRD", "kubernetesGateway",
    "kubernetesIngress", "kubernetesIngressNGINX", "marathon", "nomad", "plugin", "precedence",
    "providersThrottleDuration", "rancher", "redis", "rest", "swarm", "zooKeeper",
]))]
pub struct Providers {
    /// From files.
    pub file: Option<FileProvider>,
}

/// From files.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["debugLogGeneratedTemplate"]))]
pub struct FileProvider {
    /// One file.
    pub filename: Option<String>,
    /// All .yml, .yaml and .toml files in a directory and below.
    pub directory: Option<String>,
    /// Whether `envoy-autocert run` takes changes over without a restart. The default is true.
    pub watch: Option<bool>,
}
