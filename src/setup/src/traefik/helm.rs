//! The values of Traefik's Helm chart, as far as they become flags of Traefik's.
//!
//! From the chart's values.yaml and templates/_podtemplate.tpl. What makes Kubernetes objects is left out.

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
    /// Where certificates come from, by name.
    pub certificates_resolvers: Option<BTreeMap<String, CertificatesResolver>>,
    /// Flags of Traefik's.
    pub additional_arguments: Option<Vec<String>>,
    /// Environment variables of Traefik's.
    pub env: Option<Vec<Variable>>,
    /// Where the dynamic configuration comes from.
    pub providers: Option<HelmProviders>,
    /// How rules are read.
    pub core: Option<Core>,
    /// Parameters of TLS connections, by name. Only those called `default` are for files too.
    pub tls_options: Option<BTreeMap<String, TlsOptions>>,
}

/// An environment variable.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["valueFrom"]))]
pub struct Variable {
    /// Its name.
    pub name: Option<String>,
    /// Its value.
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
    /// The address that it listens on.
    #[serde(rename = "hostIP")]
    pub host_ip: Option<String>,
    /// `TCP` (the default) or `UDP`.
    pub protocol: Option<String>,
    /// Which services expose it.
    pub expose: Option<BTreeMap<String, bool>>,
    /// Routers that name no entry point are on this one.
    pub as_default: Option<bool>,
    /// The entry point that everybody is sent to, in older versions of the chart.
    pub redirect_to: Option<RedirectTo>,
    /// Where everybody is sent.
    pub redirections: Option<Redirections>,
    /// TLS for routers that say nothing of it, in older versions of the chart.
    pub tls: Option<PortTls>,
    /// The middlewares that the requests of all its routers pass, in older versions of the chart.
    pub middlewares: Option<Vec<String>>,
    /// What holds for all HTTP routers on it, in newer versions of the chart.
    pub http: Option<PortHttp>,
    /// What holds for its connections.
    pub transport: Option<Transport>,
}

/// Where everybody is sent, in older versions of the chart.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["priority"]))]
pub struct RedirectTo {
    /// The entry point's name.
    pub port: Option<String>,
    /// Whether browsers may remember it.
    pub permanent: Option<bool>,
}

/// What holds for all HTTP routers on an entry point of the chart's.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&["encodeQuerySemicolons", "maxHeaderBytes", "sanitizePath"]))]
pub struct PortHttp {
    /// Where everybody is sent.
    pub redirections: Option<Redirections>,
    /// TLS for routers that say nothing of it.
    pub tls: Option<PortTls>,
    /// The middlewares that the requests of all its routers pass.
    pub middlewares: Option<Vec<String>>,
    /// Which characters a path may have encoded.
    pub encoded_characters: Option<EncodedCharacters>,
    /// What becomes of headers with an underscore in their names.
    pub underscore_headers_strategy: Option<String>,
}

/// TLS for routers that say nothing of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct PortTls {
    /// Whether they have TLS.
    pub enabled: Option<bool>,
    /// The resolver that gets their certificates.
    pub cert_resolver: Option<String>,
    /// The certificates to get.
    pub domains: Option<Vec<Domain>>,
    /// The name of their TLS options.
    pub options: Option<String>,
}

/// Where the dynamic configuration comes from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = left_out(&[
    "knative", "kubernetesCRD", "kubernetesGateway", "kubernetesIngress", "kubernetesIngressNginx",
]))]
pub struct HelmProviders {
    /// From a file whose content stands here.
    pub file: Option<HelmFile>,
}

/// A file with dynamic configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct HelmFile {
    /// Whether it is read.
    pub enabled: Option<bool>,
    /// Whether changes are taken over.
    pub watch: Option<bool>,
    /// The file, in YAML.
    pub content: Option<String>,
}
