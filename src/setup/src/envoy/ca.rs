//! The clusters of the CAs: one per host and port, with a TLS context that verifies name and chain.
//!
//! Resolvers of one CA share its cluster, so their trust options must be the same.

use std::collections::BTreeMap;

use acme::origin::Origin;
use config::{CaTrust, Mistake, Resolver};
use serde_json::{Value, json};

use super::Options;
use super::clusters::{assignment, is_address, socket_address, upstream_tls};
use super::limits::BUFFER;

/// A CA as an upstream of Envoy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ca {
    /// Host and port of the CA's directory.
    pub origin: Origin,
    /// The host, an IPv6 address without brackets.
    pub host: String,
    /// The cluster's name: the host, followed by the port if another CA has the same host.
    pub cluster: String,
    /// Verification of the CA's server.
    pub trust: CaTrust,
}

/// The CAs of all resolvers and their staging environments, without repetitions, sorted by host and port. A staging
/// environment that is no resolver's own CA has the trust options of its CA.
///
/// # Errors
/// If resolvers of one CA have different trust options.
pub fn all(resolvers: &[Resolver]) -> Result<Vec<Ca>, Vec<Mistake>> {
    let mut cas: BTreeMap<Origin, &Resolver> = BTreeMap::new();
    let mut mistakes = Vec::new();
    for resolver in resolvers {
        let Some(origin) = Origin::of(&resolver.ca_server) else { continue };
        let first = cas.entry(origin.clone()).or_insert(resolver);
        if first.ca_trust != resolver.ca_trust {
            mistakes.push(Mistake {
                path: format!("certificatesResolvers.{}.acme", resolver.name),
                found: "other caCertificates, caSystemCertPool or caServerName".to_owned(),
                expected: format!(
                    "the same as in resolver {}, which has the same CA {}",
                    first.name,
                    origin.authority()
                ),
                nearest: None,
            });
        }
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let trust = |resolver: &Resolver| resolver.ca_trust.clone();
    let mut cas: BTreeMap<Origin, CaTrust> =
        cas.into_iter().map(|(origin, resolver)| (origin, trust(resolver))).collect();
    for resolver in resolvers {
        let staging = resolver.staging_server.as_deref().and_then(Origin::of);
        if let Some(origin) = staging {
            // `caServerName` is the name of the other server.
            cas.entry(origin).or_insert_with(|| CaTrust { server_name: None, ..trust(resolver) });
        }
    }
    let mut uses: BTreeMap<String, usize> = BTreeMap::new();
    for origin in cas.keys() {
        *uses.entry(bare(origin)).or_default() += 1;
    }
    let ca = |(origin, trust): (Origin, CaTrust)| {
        let host = bare(&origin);
        let is_only = uses.get(&host) == Some(&1);
        let cluster = if is_only { host.clone() } else { format!("{host}:{}", port(&origin)) };
        Ca { origin, host, cluster, trust }
    };
    Ok(cas.into_iter().map(ca).collect())
}

/// The PEM files that must be read for [`Options::pem_files`]: those of CAs with more than one file of roots.
pub fn files(resolvers: &[Resolver], ca_bundle: &str) -> Vec<String> {
    let roots = resolvers.iter().map(|resolver| roots(&resolver.ca_trust, ca_bundle));
    let mut files: Vec<String> = roots.filter(|roots| roots.len() > 1).flatten().map(str::to_owned).collect();
    files.sort_unstable();
    files.dedup();
    files
}

/// A CA's cluster.
pub fn cluster(ca: &Ca, options: &Options) -> Value {
    let endpoint =
        json!({ "endpoint": { "hostname": ca.host, "address": socket_address(&ca.host, port(&ca.origin)) } });
    let mut cluster = json!({
        "name": ca.cluster,
        "type": "LOGICAL_DNS",
        "dns_lookup_family": "V4_PREFERRED",
        "connect_timeout": "10s",
        // Bytes to buffer; the default is 1 MiB per connection.
        "per_connection_buffer_limit_bytes": BUFFER,
        "load_assignment": assignment(&ca.cluster, vec![endpoint]),
        "transport_socket": upstream_tls(server_name(ca), &trusted(&ca.trust, options)),
    });
    if is_address(&ca.host) {
        cluster["type"] = json!("STATIC");
        if let Some(cluster) = cluster.as_object_mut() {
            cluster.remove("dns_lookup_family");
        }
    }
    cluster
}

/// The name that the server's certificate must have.
pub fn server_name(ca: &Ca) -> &str {
    ca.trust.server_name.as_deref().unwrap_or(&ca.host)
}

/// The port of a CA's directory.
pub fn port(origin: &Origin) -> u16 {
    let authority = origin.authority();
    authority.strip_prefix(origin.host()).and_then(|port| port.strip_prefix(':')?.parse().ok()).unwrap_or(443)
}

fn bare(origin: &Origin) -> String {
    origin.host().trim_start_matches('[').trim_end_matches(']').to_owned()
}

/// The files of trusted roots; as in Traefik the system's only if no others are named.
fn roots<'a>(trust: &'a CaTrust, ca_bundle: &'a str) -> Vec<&'a str> {
    let system = trust.system_cert_pool || trust.certificates.is_empty();
    trust.certificates.iter().map(String::as_str).chain(system.then_some(ca_bundle)).collect()
}

fn trusted(trust: &CaTrust, options: &Options) -> Value {
    match roots(trust, &options.ca_bundle).as_slice() {
        [one] => json!({ "filename": one }),
        several => {
            let pem = |path: &&str| options.pem_files.get(*path).map(|pem| format!("{}\n", pem.trim_end()));
            json!({ "inline_string": several.iter().filter_map(pem).collect::<String>() })
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn resolvers(acmes: &Value) -> Vec<Resolver> {
        let acmes = acmes.as_object().unwrap().iter().map(|(name, acme)| {
            let mut acme = acme.clone();
            acme["email"] = json!("a@b.example");
            acme["httpChallenge"] = json!({ "entryPoint": "web" });
            (name.clone(), json!({ "acme": acme }))
        });
        let acmes: serde_json::Map<_, _> = acmes.collect();
        let all = json!({ "certificatesResolvers": acmes, "sidecar": { "cluster": "x" } });
        config::parse(&all).unwrap().resolvers
    }

    #[test]
    fn a_cluster_is_named_by_its_host_as_the_plugin_expects() {
        let cas = all(&resolvers(&json!({ "le": {}, "other": {}, "own": { "caServer": "https://[::1]:14000/dir" } })));
        let names: Vec<_> = cas.unwrap().into_iter().map(|ca| (ca.cluster, port(&ca.origin))).collect();
        let lets_encrypt = ["acme-staging-v02.api.letsencrypt.org", "acme-v02.api.letsencrypt.org"];
        assert_eq!(names[0], ("::1".to_owned(), 14000));
        assert_eq!(names[1..], lets_encrypt.map(|host| (host.to_owned(), 443)), "with its test system");
    }

    #[test]
    fn two_cas_on_one_host_have_a_cluster_each() {
        let cas = all(&resolvers(&json!({
            "a": { "caServer": "https://ca.example/dir" }, "b": { "caServer": "https://ca.example:8443/dir" },
        })));
        let names: Vec<_> = cas.unwrap().into_iter().map(|ca| ca.cluster).collect();
        assert_eq!(names, ["ca.example:443", "ca.example:8443"]);
    }

    #[test]
    fn one_ca_is_trusted_in_one_way() {
        let mistakes = all(&resolvers(&json!({ "a": {}, "b": { "caServerName": "x.example" } }))).unwrap_err();
        assert_eq!(mistakes.len(), 1);
        assert!(mistakes[0].to_string().starts_with("certificatesResolvers.b.acme: found other caCertificates"));
    }

    #[test]
    fn a_test_system_is_trusted_as_its_ca_unless_it_is_a_resolvers_own() {
        let staging = "https://staging.ca.example/dir";
        let production = json!({
            "caServer": "https://ca.example/dir", "stagingServer": staging, "caServerName": "x.example",
            "caCertificates": ["/a.pem"],
        });
        let trust = |resolvers: &Value| all(&self::resolvers(resolvers)).unwrap().remove(1).trust;
        let alone = trust(&json!({ "a": production }));
        assert_eq!((alone.certificates.as_slice(), alone.server_name), (&["/a.pem".to_owned()][..], None));
        let own = trust(&json!({ "a": production, "b": { "caServer": staging, "caCertificates": ["/b.pem"] } }));
        assert_eq!(own.certificates, ["/b.pem"]);
        assert_eq!(all(&resolvers(&json!({ "a": { "stagingServer": "none" } }))).unwrap().len(), 1);
    }

    #[test]
    fn roots_are_one_file_or_several_in_place() {
        let context = |acme: &Value| {
            let resolvers = resolvers(&json!({ "a": acme }));
            let mut options = Options::default();
            let files = files(&resolvers, &options.ca_bundle);
            options.pem_files = files.into_iter().map(|path| (path.clone(), format!("<{path}>"))).collect();
            let cluster = cluster(all(&resolvers).unwrap().last().unwrap(), &options);
            cluster["transport_socket"]["typed_config"].clone()
        };
        let trusted = "/common_tls_context/validation_context/trusted_ca";
        let system = context(&json!({}));
        let bundle = "/etc/ssl/certs/ca-certificates.crt";
        assert_eq!(system.pointer(trusted), Some(&json!({ "filename": bundle })));
        let own = context(&json!({ "caCertificates": ["/a.pem"], "caServerName": "ca.internal" }));
        assert_eq!(own.pointer(trusted), Some(&json!({ "filename": "/a.pem" })));
        assert_eq!(own["sni"], "ca.internal");
        let both = context(&json!({ "caCertificates": ["/a.pem"], "caSystemCertPool": true }));
        assert_eq!(both.pointer(trusted), Some(&json!({ "inline_string": format!("</a.pem>\n<{bundle}>\n") })));
    }
}
