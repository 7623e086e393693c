//! The options of Istio's form.

use super::Options;
use super::kubernetes::{Sidecar, directory, object};
use super::version::Version;
use serde_json::{Value, json};

/// The user and the group of Istio's proxies.
pub(crate) const PROXY: u32 = 1337;

/// Names of objects in the cluster, and further options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IstioOptions {
    /// The gateway's namespace.
    pub namespace: String,
    /// The label `istio` of the gateway's pods.
    pub gateway: String,
    /// The Gateway API's Gateway that Istio made the pods for, if any; the label is then ignored.
    pub gateway_api: Option<String>,
    /// The source of the gateway's certificates.
    pub credentials: Credentials,
    /// The version of Istio.
    pub version: Version,
    /// The sidecar.
    pub sidecar: Sidecar,
}

/// The source of the certificates that a gateway's `credentialName` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// The extension provider `sds` in the mesh's configuration, which leads to the sidecar's socket.
    Provider,
    /// Kubernetes Secrets, which istiod reads.
    Secret,
    /// The socket that Istio's agent finds in the pod at its start.
    #[default]
    Socket,
}

impl Default for IstioOptions {
    fn default() -> Self {
        Self {
            namespace: "istio-ingress".to_owned(),
            gateway: "ingress".to_owned(),
            gateway_api: None,
            credentials: Credentials::default(),
            version: Version::default(),
            sidecar: Sidecar::default(),
        }
    }
}

impl IstioOptions {
    pub(crate) fn object(&self, api: &str, kind: &str, name: &str, spec: Value) -> Value {
        object(api, kind, &self.namespace, name, json!({ "spec": spec }))
    }
}

/// The sidecar's socket for SDS without tokens, in the directory of the API socket.
pub(crate) fn mesh_sds_socket(options: &Options) -> String {
    format!("{}/socket", directory(&options.api_socket))
}
