//! Detects Envoy's older APIs: v2, which Envoy refuses since 1.18, and v1, the JSON before that.
//!
//! Promises: everything that only these APIs have is reported at its line, with the v3 equivalent. Everything that v3
//! has as well is left to Envoy.

use yaml::{At, Kind};

use super::Finding;
use super::document::Document;
use super::everything::each;
use super::finding::quoted;
use crate::envoy::version::Version;

/// Maximum number of findings: each of a large file's filters would have one.
const MAX_FINDINGS: usize = 20;

/// Fields that v2 had in a message and v3 has not, and their v3 equivalents.
const FIELDS: [(&str, &str); 2] = [
    ("tls_context", "transport_socket with a DownstreamTlsContext or an UpstreamTlsContext in its typed_config"),
    ("hosts", "load_assignment with endpoints"),
];

/// Lists of extensions, each of which v3 knows by the type of its typed_config, not by its name.
const EXTENSIONS: [&str; 3] = ["filters", "http_filters", "listener_filters"];

/// Reports everything of Envoy's v2 API in documents, as mistakes.
pub fn v2(documents: &[Document]) -> Vec<Finding> {
    let mut found = Vec::new();
    each(documents, |at| of_v2(at, &mut found));
    let more = found.len().saturating_sub(MAX_FINDINGS);
    found.truncate(MAX_FINDINGS);
    if let (Some(last), true) = (found.last_mut(), more > 0) {
        last.expected.push_str(&format!("; likewise at {more} more places"));
    }
    found
}

fn of_v2(at: &At<'_>, found: &mut Vec<Finding>) {
    if !matches!(at.node.kind, Kind::Table(_)) {
        return;
    }
    let refused = format!("this is Envoy's v2 API, which Envoy {} refuses", Version::NEWEST);
    let mut say = |at: &At<'_>, what: &str, instead: &str| {
        found.push(Finding::at(at, format!("{what}: {refused}"), format!("v3's {instead}")));
    };
    let typed = at.entry("typed_config").is_some();
    let name = at.text_of("name").unwrap_or_default();
    if let (Some(config), false, true) = (at.get("config"), typed, is_extension(name)) {
        say(&config, "config", "typed_config with its \"@type\"");
    } else if !typed && is_extension(name) && is_in(at, &EXTENSIONS) && !has_other_source(at) {
        say(at, &format!("{} without typed_config", quoted(name)), "typed_config with its \"@type\"");
    }
    for (field, instead) in FIELDS {
        let is_there = field != "hosts" || is_in(at, &["clusters"]) || at.entry("connect_timeout").is_some();
        if let Some(value) = at.get(field).filter(|_| is_there) {
            say(&value, field, instead);
        }
    }
    if let Some(kind) = at.get("@type").filter(|kind| kind.text().is_some_and(is_type_of_v2)) {
        say(&kind, &quoted(kind.text().unwrap_or_default()), "type");
    }
    for field in ["transport_api_version", "resource_api_version"] {
        if let Some(version) = at.get(field).filter(|version| matches!(version.text(), Some("V2" | "AUTO"))) {
            say(
                &version,
                version.text().unwrap_or_default(),
                "API: V3, and a management server or a file that speaks it",
            );
        }
    }
}

/// True if a text consists of an extension's name: `envoy.http_connection_manager`.
fn is_extension(name: &str) -> bool {
    name.starts_with("envoy.")
}

/// True for an extension that is configured elsewhere than in a typed_config.
fn has_other_source(extension: &At<'_>) -> bool {
    ["config", "config_discovery"].iter().any(|field| extension.entry(field).is_some())
}

/// True if an object is an item of a list with one of these names, or stands for the list.
fn is_in(at: &At<'_>, lists: &[&str]) -> bool {
    let owner = at.path.trim_end_matches(|c: char| c == ']' || c == '[' || c.is_ascii_digit());
    let owner = owner.rsplit('.').next().unwrap_or(owner);
    lists.iter().any(|list| *list == owner || list.replace('_', "").eq_ignore_ascii_case(owner))
}

/// True for `type.googleapis.com/envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager`.
fn is_type_of_v2(name: &str) -> bool {
    let Some((_, name)) = name.split_once("/envoy.") else { return false };
    name.split('.').any(|part| part == "v2" || part.starts_with("v2alpha"))
}

/// Reports that a document is a configuration of Envoy's v1 API, as a mistake.
pub fn v1(top: &At<'_>) -> Option<Finding> {
    let manager = top.get("cluster_manager");
    let has_clusters = manager.as_ref().is_some_and(|manager| manager.entry("clusters").is_some());
    let is_address = |at: &At<'_>| at.text_of("address").is_some_and(|text| text.contains("://"));
    if !has_clusters && !top.list("listeners").iter().any(is_address) {
        return None;
    }
    let found = format!("Envoy's v1 API (addresses as \"tcp://…\"), which Envoy {} refuses", Version::NEWEST);
    let expected = "a bootstrap of v3, with static_resources; `envoy-autocert render` prints a whole one";
    Some(Finding::at(top, found, expected))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(text: &str) -> Vec<String> {
        v2(&Document::all("envoy.yaml", text).unwrap()).iter().map(ToString::to_string).collect()
    }

    /// A10.
    const OF_V2: &str = "static_resources:
  listeners:
  - name: web
    filter_chains:
    - tls_context: { common_tls_context: {} }
      filters:
      - name: envoy.http_connection_manager
        config:
          stat_prefix: web
          http_filters: [{ name: envoy.router }]
  clusters:
  - name: app
    hosts: [{ socket_address: { address: app, port_value: 80 } }]
";

    #[test]
    fn what_v2_alone_has_is_named_at_its_line() {
        let found = found(OF_V2);
        let [tls, config, router, hosts] = found.as_slice() else { panic!("{found:#?}") };
        for (line, (number, field)) in [tls, config, router, hosts].into_iter().zip([
            (5, "tls_context"),
            (8, "config"),
            (10, "router"),
            (13, "hosts"),
        ]) {
            assert!(line.starts_with(&format!("envoy.yaml:{number}: ")), "{line}");
            assert!(
                line.contains("this is Envoy's v2 API, which Envoy 1.40 refuses") && line.contains(field),
                "{line}"
            );
        }
    }

    #[test]
    fn a_type_or_a_version_of_v2_is_named() {
        let kind = "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua";
        let text = format!("http_filters: [{{ name: envoy.lua, typed_config: {{ '@type': {kind} }} }}]\n");
        assert!(matches!(&*found(&text), [line] if line.contains(kind)));
        let text = "dynamic_resources: { lds_config: { ads: {}, resource_api_version: V2 } }";
        assert!(matches!(&*found(text), [line] if line.contains("resource_api_version: found V2")));
    }

    /// The README's configuration has a `config` and an old name is nothing wrong by itself.
    #[test]
    fn what_v3_has_is_none_of_v2s() {
        let reference = include_str!("../../../../envoy/envoy.yaml");
        let manager = "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy";
        for text in [
            reference,
            &format!(
                "filter_chains: [{{ filters: [{{ name: envoy.tcp_proxy, typed_config: {{ '@type': {manager} }} }}] }}]"
            ),
            "http_filters: [{ name: envoy.filters.http.lua, config_discovery: {} }]",
            "metadata: { filter_metadata: { x: { name: envoy.x, config: {}, hosts: [] } } }",
        ] {
            assert_eq!(found(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn many_places_are_counted() {
        let cluster = "- { name: a, hosts: [] }\n";
        let found = found(&format!("clusters:\n{}", cluster.repeat(25)));
        assert_eq!(found.len(), MAX_FINDINGS);
        assert!(found.last().unwrap().ends_with("likewise at 5 more places"), "{found:#?}");
    }

    #[test]
    fn v1_is_known_by_its_addresses_and_its_clusters() {
        let told = |text: &str| v1(&Document::all("envoy.json", text).unwrap().first().unwrap().top()).is_some();
        assert!(told(r#"{ "listeners": [{ "address": "tcp://0.0.0.0:80", "filters": [] }] }"#));
        assert!(told(r#"{ "listeners": [], "cluster_manager": { "clusters": [] } }"#));
        assert!(!told("static_resources: {}\ncluster_manager: { local_cluster_name: a }"));
        assert!(!told("listeners: [{ address: { socket_address: { address: a } } }]"));
    }
}
