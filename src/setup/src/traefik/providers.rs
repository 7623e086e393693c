//! `providers`: the sources of the dynamic configuration.

use schemars::JsonSchema;
use serde::Deserialize;

use super::left_out::left_out;

/// Sources of the dynamic configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "consul", "consulCatalog", "docker", "ecs", "etcd", "http", "knative", "kubernetesCRD", "kubernetesGateway",
    "kubernetesIngress", "kubernetesIngressNGINX", "marathon", "nomad", "plugin", "precedence",
    "providersThrottleDuration", "rancher", "redis", "rest", "swarm", "zooKeeper",
]))]
pub struct Providers {
    /// Files with dynamic configuration.
    pub file: Option<FileProvider>,
}

/// Files with dynamic configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["debugLogGeneratedTemplate"]))]
pub struct FileProvider {
    /// Path of a single file.
    pub filename: Option<String>,
    /// Path of a directory: all .yml, .yaml and .toml files in it and below are read.
    pub directory: Option<String>,
    /// `envoy-autocert run` applies changes without a restart. The default is true.
    pub watch: Option<bool>,
}
