//! The flags of meshes.

use super::further::further;
use clap::{Args, ValueEnum};
use config::Mistake;
use setup::envoy::envoy_gateway::{EnvoyGatewayOptions, envoy_gateway};
use setup::envoy::istio::{self, Credentials, IstioOptions, Version};
use setup::envoy::kubernetes::{IMAGE, Sidecar};
use setup::envoy::{Options, Rendered};
use setup::model::Setup;

/// The flags of meshes.
#[derive(Args, Debug)]
pub struct MeshArgs {
    /// Image of the sidecar in the gateway's pods, with envoy-autocert on its PATH, a shell, and the plugin when that is a
    /// file. Otherwise a placeholder stands for it.
    #[arg(long, env = "ENVOY_AUTOCERT_IMAGE", value_name = "IMAGE", default_value = IMAGE, help_heading = "Kubernetes")]
    pub image: String,

    /// Version of Istio: those before 1.30 get a WasmPlugin instead of a TrafficExtension.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ISTIO_VERSION",
        value_name = "VERSION",
        default_value_t = Version::default(),
        help_heading = "Istio"
    )]
    pub istio_version: Version,

    /// Namespace of the ingress gateway.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ISTIO_NAMESPACE",
        value_name = "NAME",
        default_value = "istio-ingress",
        help_heading = "Istio"
    )]
    pub istio_namespace: String,

    /// Value of the label istio of the gateway's pods.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ISTIO_GATEWAY",
        value_name = "LABEL",
        default_value = "ingress",
        help_heading = "Istio"
    )]
    pub istio_gateway: String,

    /// Gateway of the Gateway API that Istio makes the pods for, instead of pods with a label. Such a one takes its
    /// certificates from Secrets.
    #[arg(long, env = "ENVOY_AUTOCERT_ISTIO_GATEWAY_API", value_name = "NAME", help_heading = "Istio")]
    pub istio_gateway_api: Option<String>,

    /// The way the gateway gets its certificates.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ISTIO_CREDENTIALS",
        value_name = "WAY",
        default_value = "socket",
        help_heading = "Istio"
    )]
    pub istio_credentials: CertificateSource,

    /// Namespace of the Gateway.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_GATEWAY_NAMESPACE",
        value_name = "NAME",
        default_value = "default",
        help_heading = "Envoy Gateway"
    )]
    pub gateway_namespace: String,

    /// Name of the Gateway.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_GATEWAY_NAME",
        value_name = "NAME",
        default_value = "edge",
        help_heading = "Envoy Gateway"
    )]
    pub gateway_name: String,

    /// Name of the Gateway's GatewayClass.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_GATEWAY_CLASS",
        value_name = "NAME",
        default_value = "eg",
        help_heading = "Envoy Gateway"
    )]
    pub gateway_class: String,

    /// Namespace of Envoy's pods: that of Envoy Gateway itself, unless it puts them beside their Gateways.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_GATEWAY_PODS",
        value_name = "NAME",
        default_value = "envoy-gateway-system",
        help_heading = "Envoy Gateway"
    )]
    pub gateway_pods: String,
}

/// The ways in which a gateway of Istio's gets its certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CertificateSource {
    /// By an SDS provider in the mesh's configuration, which leads to the sidecar's socket.
    Provider,
    /// By Secrets, which another tool has to write.
    Secret,
    /// By the socket that Istio's agent looks for in the pod.
    Socket,
}

impl MeshArgs {
    pub(super) fn istio(&self, setup: &Setup, options: &Options) -> Result<Rendered, Vec<Mistake>> {
        let istio = IstioOptions {
            namespace: self.istio_namespace.clone(),
            gateway: self.istio_gateway.clone(),
            gateway_api: self.istio_gateway_api.clone(),
            credentials: match self.istio_credentials {
                CertificateSource::Provider => Credentials::Provider,
                CertificateSource::Secret => Credentials::Secret,
                CertificateSource::Socket => Credentials::Socket,
            },
            version: self.istio_version,
            sidecar: self.sidecar(setup),
        };
        istio::istio(setup, options, &istio)
    }

    pub(super) fn envoy_gateway(&self, setup: &Setup, options: &Options) -> Result<Rendered, Vec<Mistake>> {
        let gateway = EnvoyGatewayOptions {
            namespace: self.gateway_namespace.clone(),
            gateway: self.gateway_name.clone(),
            class: self.gateway_class.clone(),
            pods: self.gateway_pods.clone(),
            sidecar: self.sidecar(setup),
        };
        envoy_gateway(setup, options, &gateway)
    }

    fn sidecar(&self, setup: &Setup) -> Sidecar {
        let arguments = further(setup).into_iter().map(|(flag, value)| format!("{flag}={value}")).collect();
        Sidecar { image: self.image.clone(), arguments }
    }
}
