//! Checks that the clusters named in the plugin's configuration exist: the sidecar's API, and each CA's.

use std::collections::BTreeMap;
use std::ptr;

use acme::origin::Origin;
use yaml::{At, Node};

use super::finding::quoted;
use super::gather::Envoy;
use super::plugin::{Configured, Plugin};
use super::{Finding, Report};

/// The cluster of a CA that the plugin calls, as configured.
pub(super) struct CaUse<'p, 'a> {
    /// The configuration that names the CA.
    pub(super) configured: &'p Configured<'a>,
    /// The path of the key that names the CA, below the configuration.
    pub(super) path: String,
    /// The CA.
    pub(super) origin: Origin,
    /// The cluster's name.
    pub(super) cluster: String,
    /// `caServerName`, if a resolver has one.
    pub(super) server_name: Option<String>,
    /// True for a CA's staging environment, which the plugin can do without.
    pub(super) is_optional: bool,
}

/// The clusters of all CAs, as the plugin derives them: by `caClusters`, or else by the host's name.
pub(super) fn cas<'p, 'a>(plugins: &'p [Plugin<'a>]) -> Vec<CaUse<'p, 'a>> {
    let mut uses: BTreeMap<(String, Origin), CaUse<'p, 'a>> = BTreeMap::new();
    for configured in once(plugins) {
        let config = &configured.config;
        for known in &config.ca_clusters {
            let path = format!("caClusters.{}", known.origin.authority());
            let key = (known.cluster.clone(), known.origin.clone());
            let (origin, cluster) = (known.origin.clone(), known.cluster.clone());
            let ca = CaUse { configured, path, origin, cluster, server_name: None, is_optional: false };
            uses.entry(key).or_insert(ca);
        }
        for resolver in &config.resolvers {
            let (ca_server, staging) = (Some(&resolver.ca_server), resolver.staging_server.as_ref());
            for (key, url) in [("caServer", ca_server), ("stagingServer", staging)] {
                let Some(origin) = url.and_then(|url| Origin::of(url)) else { continue };
                let known = config.ca_clusters.iter().find(|known| known.origin == origin);
                let cluster = known.map_or_else(|| bare(&origin).to_owned(), |known| known.cluster.clone());
                let path = format!("certificatesResolvers.{}.acme.{key}", resolver.name);
                let is_optional = key == "stagingServer";
                let entry = uses.entry((cluster.clone(), origin.clone()));
                let ca = entry.or_insert(CaUse { configured, path, origin, cluster, server_name: None, is_optional });
                if !is_optional {
                    ca.is_optional = false;
                    ca.server_name = ca.server_name.take().or_else(|| resolver.ca_trust.server_name.clone());
                }
            }
        }
    }
    uses.into_values().collect()
}

/// The distinct configurations.
pub(super) fn once<'p, 'a>(plugins: &'p [Plugin<'a>]) -> Vec<&'p Configured<'a>> {
    let mut all: Vec<&Configured<'_>> = Vec::new();
    for configured in plugins.iter().filter_map(|plugin| plugin.config.as_ref()) {
        let is_same = |known: &&&Configured<'_>| ptr::eq::<Node>(known.at.node.shared(), configured.at.node.shared());
        if all.iter().find(is_same).is_none() {
            all.push(configured);
        }
    }
    all
}

/// The host without the brackets of an IPv6 address.
pub(super) fn bare(origin: &Origin) -> &str {
    origin.host().trim_start_matches('[').trim_end_matches(']')
}

pub(super) fn check(envoy: &Envoy<'_>, plugins: &[Plugin<'_>], report: &mut Report) {
    names(envoy, report);
    for configured in once(plugins) {
        let name = &configured.config.sidecar_cluster;
        // A filter that only answers challenges needs no API.
        if name.is_empty() {
            continue;
        }
        match envoy.cluster(name) {
            Some(cluster) => api(cluster, report),
            None => {
                let expected = "a cluster that leads to the sidecar's API, as `envoy-autocert render` writes it";
                absent(envoy, configured, "sidecar.cluster", name, expected, report);
            }
        }
    }
    for CaUse { configured, path, origin, cluster, is_optional, .. } in cas(plugins) {
        if envoy.cluster(&cluster).is_none() && !is_optional {
            let authority = origin.authority();
            let expected = format!(
                "a cluster of this name that leads to {authority}, or `caClusters: {{ \"{authority}\": <the name of \
                 its cluster> }}`"
            );
            absent(envoy, configured, &path, &cluster, &expected, report);
        }
    }
}

/// Checks for duplicate names: Envoy takes the last of two clusters with one name, or refuses both.
fn names(envoy: &Envoy<'_>, report: &mut Report) {
    let mut known: BTreeMap<&str, &At<'_>> = BTreeMap::new();
    for cluster in &envoy.clusters {
        let Some(name) = cluster.text_of("name") else { continue };
        if let Some(first) = known.insert(name, cluster) {
            let expected = format!("each name once; {} has it as well", first.path);
            report.mistake(Finding::at(cluster, format!("a second cluster {}", quoted(name)), expected));
        }
    }
}

fn absent(envoy: &Envoy<'_>, configured: &Configured<'_>, path: &str, name: &str, expected: &str, report: &mut Report) {
    let at = &configured.at;
    let finding = Finding {
        path: format!("{}.{path}", at.path),
        line: Some(at.line_of(path)),
        ..Finding::at(at, format!("the cluster {}, which does not exist", quoted(name)), expected)
    };
    let finding = finding.near(name, envoy.cluster_names());
    if envoy.all_clusters { report.mistake(finding) } else { report.warning(finding) }
}

/// Checks that the cluster of the sidecar's API speaks HTTP/1.1.
fn api(cluster: &At<'_>, report: &mut Report) {
    if speaks_http2(cluster) {
        let expected = "HTTP/1.1: this is the cluster of the sidecar's API; HTTP/2 is for its SDS";
        report.mistake(Finding::at(cluster, "HTTP/2", expected));
    }
}

/// True if the cluster's connections use HTTP/2 with prior knowledge.
pub(super) fn speaks_http2(cluster: &At<'_>) -> bool {
    protocol_options(cluster).is_some_and(|options| options.entry_of("explicit_http_config.http2_protocol_options"))
        || cluster.entry("http2_protocol_options").is_some()
}

/// The cluster's `HttpProtocolOptions`.
pub(super) fn protocol_options<'a>(cluster: &At<'a>) -> Option<At<'a>> {
    let options = cluster.get("typed_extension_protocol_options")?;
    let mut members = options.members().into_iter();
    members.find(|(name, _)| name.ends_with("http.v3.HttpProtocolOptions")).map(|(_, options)| options)
}
