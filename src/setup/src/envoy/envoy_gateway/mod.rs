//! `--format envoy-gateway`: the plugin on the routes for challenges, the clusters of the CA and of the sidecar in the
//! bootstrap, the certificates of the listeners, and the sidecar in Envoy's pods.
//!
//! Envoy Gateway adds the plugin's filter to a listener disabled, and enables it per route: so challenges have a route
//! of their own, for each host with a certificate. A Secret that names a socket and a secret becomes SDS.

mod gateway;
mod options;
mod policy;
mod proxy;

use config::{Mistake, shortened};
pub use options::EnvoyGatewayOptions;

use super::kubernetes::documents;
use super::{HEADER, Options, Rendered, ca, kubernetes};
use crate::model::Setup;

/// The objects. [`Options::plugin`] is an `oci://` or `https://` URL, which Envoy Gateway fetches.
///
/// # Errors
/// If resolvers of one CA have different trust options, or the plugin is no URL.
pub fn envoy_gateway(
    setup: &Setup,
    options: &Options,
    gateway: &EnvoyGatewayOptions,
) -> Result<Rendered, Vec<Mistake>> {
    let code = policy::code(&options.plugin).map_err(|mistake| vec![mistake])?;
    let cas = ca::all(&setup.resolvers)?;
    let mut objects = vec![gateway::gateway(setup, gateway), proxy::proxy(setup, &cas, options, gateway)];
    objects.extend(policy::policy(setup, &cas, code, gateway));
    objects.extend(gateway::secrets(setup, options, gateway));
    objects.push(kubernetes::token_secret(&gateway.pods));
    objects.push(kubernetes::storage_claim(&gateway.pods));
    let mut text = format!(
        "{HEADER}\n#\n# For Envoy Gateway 1.9 or later, with `extensionApis: {{ enableSDSSecretRef: true }}` in its own \
         configuration. What\n# stands as ${{…}} is filled in before it is applied: the image that has envoy-autocert in \
         it, and a token of 64\n# hexadecimal digits (`openssl rand -hex 32`), which the Secret and the plugin share. A \
         pod takes one sidecar with one\n# storage: there is one replica.\n"
    );
    text.push_str(&documents(objects, options));
    Ok(Rendered { text, warnings: warnings(setup) })
}

fn warnings(setup: &Setup) -> Vec<String> {
    let over_tls = setup.resolvers.iter().filter(|resolver| resolver.tls_challenge.is_some());
    over_tls
        .map(|resolver| {
            format!(
                "certificatesResolvers.{}.acme.tlsChallenge: a listener of Envoy Gateway's has no filter chain for \
                 acme-tls/1; httpChallenge or dnsChallenge proves names there",
                shortened(&resolver.name)
            )
        })
        .collect()
}
