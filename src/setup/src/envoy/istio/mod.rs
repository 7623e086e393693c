//! `--format istio`: the plugin on an ingress gateway, egress to the CA and to the sidecar, the certificates of its
//! hosts, and the sidecar in its pods.
//!
//! Istio names a cluster `outbound|PORT||HOST`, and supports no bootstrap extension: instances of the filter elect an
//! engine. The plugin's calls leave without TLS, so a DestinationRule adds TLS with its trust options. `gateway`
//! explains the names of certificates in Istio, and their sources.

mod egress;
mod extension;
mod gateway;
mod options;
mod pods;
mod version;

use config::{Mistake, shortened};
pub use options::{Credentials, IstioOptions};

use super::ca::{self, Ca};
use super::kubernetes::{directory, documents};
use super::{HEADER, Options, Rendered, kubernetes};
use crate::model::Setup;

pub use egress::{SDS_HOST, SIDECAR};
pub use version::Version;

/// Path of the sidecar's API socket, in the directory that a gateway's pods have for a credential socket: Istio looks
/// for `socket` there.
pub const API_SOCKET: &str = "/var/run/secrets/credential-uds/api.sock";

/// The resources. The plugin's `url` is [`Options::plugin`]: `oci://…`, `https://…`, or a file of the sidecar's image,
/// which is copied to a directory that the proxy can read.
///
/// # Errors
/// If resolvers of one CA have different trust options, or this version does not support the plugin.
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

/// Instructions for applying the output.
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
