//! The values of Traefik's Helm chart, as far as they become Traefik flags.
//!
//! From the chart's values.yaml and templates/_podtemplate.tpl. Values that only produce Kubernetes objects are left
//! out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::entry_points::{EncodedCharacters, EntryPoint, Redirections, Transport};
use super::resolvers::CertificatesResolver;
use super::tls::TlsOptions;
use super::{Core, Domain, left_out};

/// Values of Traefik's Helm chart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "additionalVolumeMounts", "affinity", "api", "autoscaling", "commonLabels", "deployment", "envFrom",
    "experimental", "extraObjects", "gateway", "gatewayClass", "global", "globalArguments", "hostNetwork", "hub",
    "image", "ingressClass", "ingressRoute", "instanceLabelOverride", "livenessProbe", "logs", "metrics",
    "namespaceOverride", "nodeSelector", "oci_meta", "ocsp", "persistence", "pluginRegistry", "podDisruptionBudget",
    "podSecurityContext", "podSecurityPolicy", "priorityClassName", "rbac", "readinessProbe", "resources",
    "securityContext", "service", "serviceAccount", "startupProbe", "tlsStore", "tolerations",
    "topologySpreadConstraints", "tracing", "updateStrategy", "versionOverride", "volumes",
]))]
pub struct Values {
    /// Entry points as in Traefik's own files.
    pub entry_points: Option<BTreeMap<String, EntryPoint>>,
    /// The chart's entry points.
    pub ports: Option<BTreeMap<String, Port>>,
    /// Certificates resolvers, by name.
    pub certificates_resolvers: Option<BTreeMap<String, CertificatesResolver>>,
    /// Flags of Traefik's.
    pub additional_arguments: Option<Vec<String>>,
    /// Environment variables of Traefik's.
    pub env: Option<Vec<Variable>>,
    /// Sources of the dynamic configuration.
    pub providers: Option<HelmProviders>,
    /// Rule parsing.
    pub core: Option<Core>,
    /// Parameters of TLS connections, by name. Only those called `default` are for files too.
    pub tls_options: Option<BTreeMap<String, TlsOptions>>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["valueFrom"]))]
pub struct Variable {
    /// The variable's name.
    pub name: Option<String>,
    /// The variable's value.
    pub value: Option<String>,
}

/// An entry point of the chart's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "allowACMEByPass", "appProtocol", "containerPort", "forwardedHeaders", "http3", "nodePort", "observability",
    "proxyProtocol", "reusePort", "targetPort",
]))]
pub struct Port {
    /// The port in the container, which nobody else reaches.
    pub port: Option<u16>,
    /// The port of the service, which clients reach.
    pub exposed_port: Option<u16>,
    /// The port of the host, which clients reach.
    pub host_port: Option<u16>,
    /// The host's address that the port is bound to.
    #[serde(rename = "hostIP")]
    pub host_ip: Option<String>,
    /// `TCP` (the default) or `UDP`.
    pub protocol: Option<String>,
    /// The services that expose this entry point.
    pub expose: Option<BTreeMap<String, bool>>,
    /// Routers that name no entry point are on this one.
    pub as_default: Option<bool>,
    /// The entry point that all requests are redirected to, in older versions of the chart.
    pub redirect_to: Option<RedirectTo>,
    /// Redirection of all requests.
    pub redirections: Option<Redirections>,
    /// TLS for routers without a tls section, in older versions of the chart.
    pub tls: Option<PortTls>,
    /// The middlewares that the requests of all routers on this entry point pass, in older versions of the chart.
    pub middlewares: Option<Vec<String>>,
    /// Settings for all HTTP routers on this entry point, in newer versions of the chart.
    pub http: Option<PortHttp>,
    /// Settings for the connections of this entry point.
    pub transport: Option<Transport>,
}

/// Redirection of all requests, in older versions of the chart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["priority"]))]
pub struct RedirectTo {
    /// The entry point's name.
    pub port: Option<String>,
    /// Permanent redirection, which browsers may cache.
    pub permanent: Option<bool>,
}

/// Settings for all HTTP routers on an entry point of the chart's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["encodeQuerySemicolons", "maxHeaderBytes", "sanitizePath"]))]
pub struct PortHttp {
    /// Redirection of all requests.
    pub redirections: Option<Redirections>,
    /// TLS for routers without a tls section.
    pub tls: Option<PortTls>,
    /// The middlewares that the requests of all routers on this entry point pass.
    pub middlewares: Option<Vec<String>>,
    /// Encoded characters that a path may have.
    pub encoded_characters: Option<EncodedCharacters>,
    /// Handling of headers with an underscore in their names.
    pub underscore_headers_strategy: Option<String>,
}

/// TLS for routers without a tls section.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PortTls {
    /// TLS is on.
    pub enabled: Option<bool>,
    /// The certificates resolver of these routers.
    pub cert_resolver: Option<String>,
    /// The certificates to get.
    pub domains: Option<Vec<Domain>>,
    /// The name of the TLS options of these routers.
    pub options: Option<String>,
}

/// Sources of the dynamic configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "knative", "kubernetesCRD", "kubernetesGateway", "kubernetesIngress", "kubernetesIngressNginx",
]))]
pub struct HelmProviders {
    /// A file whose content is in these values.
    pub file: Option<HelmFile>,
}

/// A file with dynamic configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmFile {
    /// The file is read.
    pub enabled: Option<bool>,
    /// Changes of the file are applied without a restart.
    pub watch: Option<bool>,
    /// The file, in YAML.
    pub content: Option<String>,
}
