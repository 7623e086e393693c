//! `--format istio`: the plugin on an ingress gateway, the ways to the CA and to the sidecar, the certificates of its
//! hosts, and the sidecar in its pods.
//!
//! Istio names a cluster `outbound|PORT||HOST`, and takes no bootstrap extension: instances of the filter elect an
//! engine. The plugin's calls leave without TLS, so a DestinationRule adds it, with whom to trust. What Istio makes of
//! certificates' names, and how it comes to them, is in `gateway`.

mod egress;
mod extension;
mod gateway;
mod pods;
mod version;

use config::{Mistake, shortened};
use serde_json::{Value, json};

use super::ca::{self, Ca};
use super::kubernetes::{Sidecar, directory, documents, object};
use super::{HEADER, Options, Rendered, kubernetes};
use crate::model::Setup;

pub use egress::{SDS_HOST, SIDECAR};
pub use version::Version;

/// The sidecar's API, in the directory that a gateway's pods have for a socket of credentials: Istio looks for `socket`
/// in it.
pub const API_SOCKET: &str = "/var/run/secrets/credential-uds/api.sock";

/// The user and the group of Istio's proxies.
const PROXY: u32 = 1337;

/// Where things are in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IstioOptions {
    /// Where the gateway runs.
    pub namespace: String,
    /// The label `istio` of the gateway's pods.
    pub gateway: String,
    /// The Gateway of the Gateway API that Istio made the pods for, if it did; the label is not looked at then.
    pub gateway_api: Option<String>,
    /// How the gateway comes to its certificates.
    pub credentials: Credentials,
    /// The version of Istio.
    pub version: Version,
    /// The sidecar.
    pub sidecar: Sidecar,
}

/// How a gateway comes to the certificates that its `credentialName` names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credentials {
    /// By the extension provider `sds` of the mesh's configuration, which leads to the sidecar's socket.
    Provider,
    /// By Secrets of Kubernetes, which istiod reads.
    Secret,
    /// By the socket that Istio's agent finds in the pod when it starts.
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
    fn object(&self, api: &str, kind: &str, name: &str, spec: Value) -> Value {
        object(api, kind, &self.namespace, name, json!({ "spec": spec }))
    }
}

/// The resources. The plugin's `url` is [`Options::plugin`]: `oci://…`, `https://…`, or a file of the sidecar's image,
/// which is copied to where the proxy sees it.
///
/// # Errors
/// When resolvers of one CA trust it differently, or the version is one without the plugin's ways.
pub fn istio(setup: &Setup, options: &Options, istio: &IstioOptions) -> Result<Rendered, Vec<Mistake>> {
    let mistakes: Vec<Mistake> = istio.version.mistake().into_iter().collect();
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let cas = ca::all(&setup.resolvers)?;
    let mut resources = vec![extension::extension(setup, &cas, options, istio), egress::sidecar(options, istio)];
    for ca in &cas {
        resources.push(egress::service_entry(ca, istio));
        resources.push(egress::destination_rule(ca, options, istio));
    }
    if istio.credentials == Credentials::Provider {
        resources.push(egress::sds_provider(options, istio));
    }
    resources.extend(gateway::gateway(setup, istio));
    resources.push(kubernetes::token_secret(&istio.namespace));
    resources.push(kubernetes::storage_claim(&istio.namespace));
    resources.push(pods::pods(setup, options, istio));
    let mut text = format!("{HEADER}\n{}", header(istio));
    text.push_str(&documents(resources, options));
    Ok(Rendered { text, warnings: warnings(setup, &cas, options, istio) })
}

/// The sidecar's socket for SDS without tokens, beside the API's.
fn mesh_sds_socket(options: &Options) -> String {
    format!("{}/socket", directory(&options.api_socket))
}

/// What whoever applies it has to know.
fn header(istio: &IstioOptions) -> String {
    let mut text = format!(
        "#\n# For Istio {}. What stands as ${{…}} is filled in before it is applied: the image that has envoy-autocert \
         and the\n# plugin in it, and a token of 64 hexadecimal digits (`openssl rand -hex 32`), which the Secret and the \
         plugin share.\n# A pod takes one sidecar with one storage: the gateway has one replica, without an autoscaler.\n",
        istio.version
    );
    text.push_str(match istio.credentials {
        Credentials::Socket => {
            "# Certificates: Istio's agent looks for the sidecar's socket once, when it starts. So the sidecar is an init \
             container\n# that stays (Kubernetes 1.29 or later).\n"
        }
        Credentials::Provider => {
            "# Certificates: the mesh's configuration needs this extension provider, and Istio takes the first one of its \
             kind:\n#   extensionProviders: [{ name: envoy-autocert, sds: { service: envoy-autocert-sds.internal, port: \
             80 } }]\n"
        }
        Credentials::Secret => {
            "# Certificates: istiod reads Secrets, and nothing of envoy-autocert writes them yet. `envoy-autocert export \
             --watch`\n# writes files, of which somebody else has to make the Secrets, at every renewal.\n"
        }
    });
    text
}

fn warnings(setup: &Setup, cas: &[Ca], options: &Options, istio: &IstioOptions) -> Vec<String> {
    let several = |ca: &&Ca| ca.trust.certificates.len() + usize::from(ca.trust.system_cert_pool) > 1;
    let one_file = cas.iter().filter(several).map(|ca| {
        format!(
            "CA {}: Istio takes one file of roots, and {} is the one; put those of caCertificates and of the system into \
             it",
            ca.origin.authority(),
            egress::trusted(ca, options)
        )
    });
    let over_tls = setup.resolvers.iter().filter(|resolver| resolver.tls_challenge.is_some()).map(|resolver| {
        format!(
            "certificatesResolvers.{}.acme.tlsChallenge: a gateway of Istio's has no filter chain for acme-tls/1; \
             httpChallenge or dnsChallenge proves names there",
            shortened(&resolver.name)
        )
    });
    let no_secrets = (istio.credentials == Credentials::Secret || istio.gateway_api.is_some()).then(|| {
        "certificates: istiod takes them from Secrets here, and envoy-autocert writes none yet; `envoy-autocert export \
         --watch` writes files to make them of"
            .to_owned()
    });
    let is_elsewhere = directory(&options.api_socket) != directory(API_SOCKET);
    let no_socket = (istio.credentials == Credentials::Socket && is_elsewhere).then(|| {
        format!(
            "--api-socket: Istio's agent looks for a socket in {} only, and the sidecar's are elsewhere",
            directory(API_SOCKET)
        )
    });
    one_file.chain(over_tls).chain(no_secrets).chain(no_socket).collect()
}
