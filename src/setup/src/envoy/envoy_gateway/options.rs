//! The options of Envoy Gateway's form.

use super::Options;
use super::kubernetes::{Sidecar, directory};

/// The user and the group of Envoy Gateway's Envoys.
pub(crate) const PROXY: u32 = 65532;

/// Names of objects in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyGatewayOptions {
    /// The Gateway's namespace.
    pub namespace: String,
    /// The Gateway's name.
    pub gateway: String,
    /// The name of the Gateway's GatewayClass.
    pub class: String,
    /// The namespace of Envoy's pods: Envoy Gateway's own, unless it deploys them in the Gateway's.
    pub pods: String,
    /// The sidecar.
    pub sidecar: Sidecar,
}

impl Default for EnvoyGatewayOptions {
    fn default() -> Self {
        Self {
            namespace: "default".to_owned(),
            gateway: "edge".to_owned(),
            class: "eg".to_owned(),
            pods: "envoy-gateway-system".to_owned(),
            sidecar: Sidecar::default(),
        }
    }
}

/// The sidecar's socket for SDS without tokens, in the directory of the API socket.
pub(crate) fn mesh_sds_socket(options: &Options) -> String {
    format!("{}/mesh.sock", directory(&options.api_socket))
}

/// The port of Envoy's pods for a port of the Gateway.
pub(crate) fn of_pods(port: u16) -> u16 {
    if port < 1024 { port.saturating_add(SHIFT) } else { port }
}

/// Offset of the ports of Envoy's pods: Envoy Gateway adds it to ports below 1024.
const SHIFT: u16 = 10_000;
