//! `--format istio`: the plugin on an ingress gateway, and the way to the CA and to the sidecar.
//!
//! Istio names a cluster `outbound|PORT||HOST`, and takes no bootstrap extension: instances of the filter elect an
//! engine. The plugin's calls leave without TLS, so a DestinationRule adds it, with whom to trust.

use std::collections::BTreeMap;

use resolver::config::{Mistake, shortened};
use serde_json::{Value, json};

use super::ca::{self, Ca};
use super::{HEADER, Options, Rendered, plugin, yaml};
use crate::model::Setup;

/// The host of the sidecar's API within the mesh. It leads to a unix socket, so nothing looks it up.
pub(crate) const SIDECAR: &str = "envoy-autocert.internal";

/// The port of it, which is part of the cluster's name and of nothing else.
const SIDECAR_PORT: u16 = 80;

/// What resolvers may have besides `tlsChallenge`.
const OTHER_CHALLENGES: [&str; 3] = ["dnsChallenge", "dnsPersistChallenge", "httpChallenge"];

/// Where things are in the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IstioOptions {
    /// Where the gateway runs.
    pub namespace: String,
    /// The label `istio` of the gateway's pods.
    pub gateway: String,
}

impl Default for IstioOptions {
    fn default() -> Self {
        Self { namespace: "istio-ingress".to_owned(), gateway: "ingress".to_owned() }
    }
}

/// The resources. The plugin's `url` is [`Options::plugin`]: `oci://…`, `https://…`, or a file in the gateway's image.
///
/// # Errors
/// When resolvers of one CA trust it differently.
pub fn istio(setup: &Setup, options: &Options, istio: &IstioOptions) -> Result<Rendered, Vec<Mistake>> {
    let cas = ca::all(&setup.resolvers)?;
    let mut resources = vec![wasm_plugin(setup, &cas, options, istio), sidecar(options, istio)];
    for ca in &cas {
        resources.push(service_entry(ca, istio));
        resources.push(destination_rule(ca, options, istio));
    }
    let mut text = format!(
        "{HEADER}\n#\n# For an Istio whose WasmPlugin knows FAIL_RELOAD. The sidecar (`envoy-autocert sidecar`) runs as a container of \
         the\n# gateway's pods and shares the directory of its sockets with them: {}.\n# It must run before \
         istio-proxy does (a native sidecar: an init container with restartPolicy Always).\n# Streams for \
         secrets that Istio itself configures bear no token: `envoy-autocert sidecar --mesh-sds-socket PATH` has a \
         socket\n# for them, in a directory that no other container may share.\n",
        directory(&options.api_socket)
    );
    for resource in &mut resources {
        options.tokens.fill(resource);
        text.push_str("---\n");
        text.push_str(&yaml::write(resource));
    }
    Ok(Rendered { text, warnings: warnings(setup, &cas, options) })
}

fn wasm_plugin(setup: &Setup, cas: &[Ca], options: &Options, istio: &IstioOptions) -> Value {
    let mut configuration = plugin::configuration(setup, cas);
    let clusters: BTreeMap<String, String> =
        cas.iter().map(|ca| (ca.origin.authority(), cluster(&ca.host, ca::port(&ca.origin)))).collect();
    configuration["caClusters"] = json!(clusters);
    configuration["sidecar"] = plugin::sidecar(&cluster(SIDECAR, SIDECAR_PORT));
    without_tls_challenge(&mut configuration);
    let is_url = ["oci://", "https://", "http://", "file://"].iter().any(|scheme| options.plugin.starts_with(scheme));
    let url = if is_url { options.plugin.clone() } else { format!("file://{}", options.plugin) };
    let mut spec = json!({
        "selector": { "matchLabels": { "istio": istio.gateway } },
        "url": url,
        // Before authentication and authorization, so that the CA is never turned away; of those, first.
        "phase": "AUTHN",
        "priority": 1000,
        "failStrategy": "FAIL_RELOAD",
        "match": [{ "mode": "SERVER", "ports": [{ "number": 80 }] }],
        "pluginConfig": configuration,
    });
    yaml::comment(
        &mut spec,
        "Before authentication and authorization, so that the CA is never turned away. With httpsRedirect in the \
         Gateway\nthe plugin answers first.",
    );
    resource("extensions.istio.io/v1alpha1", "WasmPlugin", "envoy-autocert", spec, istio)
}

/// A gateway has no filter chain for `acme-tls/1`, so where names can be proved in another way, that is the way.
fn without_tls_challenge(configuration: &mut Value) {
    let resolvers = configuration["certificatesResolvers"].as_object_mut().into_iter().flat_map(|all| all.values_mut());
    for acme in resolvers.filter_map(|resolver| resolver["acme"].as_object_mut()) {
        if OTHER_CHALLENGES.iter().any(|other| acme.contains_key(*other)) {
            acme.remove("tlsChallenge");
        }
    }
}

/// The sidecar's API, on its unix socket.
fn sidecar(options: &Options, istio: &IstioOptions) -> Value {
    let spec = json!({
        "hosts": [SIDECAR],
        "location": "MESH_EXTERNAL",
        "resolution": "STATIC",
        "ports": [{ "number": SIDECAR_PORT, "name": "http", "protocol": "HTTP" }],
        "endpoints": [{ "address": format!("unix://{}", options.api_socket) }],
    });
    resource("networking.istio.io/v1", "ServiceEntry", "envoy-autocert", spec, istio)
}

fn service_entry(ca: &Ca, istio: &IstioOptions) -> Value {
    let is_address = super::clusters::is_address(&ca.host);
    let mut spec = json!({
        "hosts": [ca.host],
        "location": "MESH_EXTERNAL",
        "resolution": if is_address { "STATIC" } else { "DNS" },
        // HTTP: TLS is added by the DestinationRule.
        "ports": [{ "number": ca::port(&ca.origin), "name": "http-acme", "protocol": "HTTP" }],
    });
    if is_address {
        spec["addresses"] = json!([ca.host]);
        spec["endpoints"] = json!([{ "address": ca.host }]);
    }
    resource("networking.istio.io/v1", "ServiceEntry", &resource_name(ca), spec, istio)
}

fn destination_rule(ca: &Ca, options: &Options, istio: &IstioOptions) -> Value {
    let name = ca::server_name(ca);
    let mut tls = json!({ "mode": "SIMPLE", "subjectAltNames": [name], "caCertificates": trusted(ca, options) });
    if !super::clusters::is_address(name) {
        tls["sni"] = json!(name);
    }
    yaml::comment(&mut tls, "The CA's server is verified: name and chain. The file is in the istio-proxy container.");
    let spec = json!({ "host": ca.host, "trafficPolicy": { "tls": tls } });
    resource("networking.istio.io/v1", "DestinationRule", &resource_name(ca), spec, istio)
}

fn resource(api: &str, kind: &str, name: &str, spec: Value, istio: &IstioOptions) -> Value {
    json!({
        "apiVersion": api,
        "kind": kind,
        "metadata": { "name": name, "namespace": istio.namespace },
        "spec": spec,
    })
}

/// `outbound|443||acme-v02.api.letsencrypt.org`.
fn cluster(host: &str, port: u16) -> String {
    format!("outbound|{port}||{host}")
}

/// A name that Kubernetes takes: of letters, digits, dots and hyphens.
fn resource_name(ca: &Ca) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("acme-{}-{}", ca.host.chars().map(safe).collect::<String>().trim_matches('-'), ca::port(&ca.origin))
}

/// Istio takes one file: of several the first, see [`warnings`].
fn trusted<'a>(ca: &'a Ca, options: &'a Options) -> &'a str {
    ca.trust.certificates.first().map_or(options.ca_bundle.as_str(), String::as_str)
}

fn warnings(setup: &Setup, cas: &[Ca], options: &Options) -> Vec<String> {
    let several = |ca: &&Ca| ca.trust.certificates.len() + usize::from(ca.trust.system_cert_pool) > 1;
    let one_file = cas.iter().filter(several).map(|ca| {
        format!(
            "CA {}: Istio takes one file of roots, and {} is the one; put those of caCertificates and of the system into \
             it",
            ca.origin.authority(),
            trusted(ca, options)
        )
    });
    let over_tls = setup.resolvers.iter().filter(|resolver| resolver.tls_challenge.is_some()).map(|resolver| {
        format!(
            "certificatesResolvers.{}.acme.tlsChallenge: a gateway of Istio's has no filter chain for acme-tls/1; \
             httpChallenge or dnsChallenge proves names there",
            shortened(&resolver.name)
        )
    });
    one_file.chain(over_tls).collect()
}

fn directory(socket: &str) -> &str {
    socket.rsplit_once('/').map_or(".", |(directory, _)| directory)
}
