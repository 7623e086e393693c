//! The plugin: its configuration, the HTTP filter on the entry points of HTTP-01, the engine in the bootstrap.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::ca::Ca;
use super::clusters::API;
use crate::model::{RouterTls, Setup, TcpTls};

/// Name of the filter.
pub const NAME: &str = "envoy-autocert";

/// Path prefix of HTTP-01 challenges (RFC 8555 §8.3); no other requests reach the plugin.
pub(super) const CHALLENGES: &str = "/.well-known/acme-challenge/";

/// The type of a filter that is wrapped in a matcher.
const MATCHED: &str = "type.googleapis.com/envoy.extensions.common.matching.v3.ExtensionWithMatcher";

/// Options of a resolver for other components: the sidecar (its storage) and the CA's cluster (its trust).
const ELSEWHERE: [&str; 4] = ["storage", "caCertificates", "caSystemCertPool", "caServerName"];

/// Challenges of a resolver besides `tlsChallenge`.
const OTHER_CHALLENGES: [&str; 3] = ["dnsChallenge", "dnsPersistChallenge", "httpChallenge"];

/// The plugin's imports and exports, for `capability_restriction_config`.
pub(crate) const CAPABILITIES: [&str; 26] = [
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_send_local_response",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "proxy_on_configure",
    "proxy_on_context_create",
    "proxy_on_delete",
    "proxy_on_http_call_response",
    "proxy_on_request_headers",
    "proxy_on_tick",
    "proxy_on_vm_start",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "random_get",
];

/// The plugin's configuration: the resolvers, the certificates that routers want, the clusters.
pub fn configuration(setup: &Setup, cas: &[Ca]) -> Value {
    let mut configuration =
        json!({ "certificatesResolvers": resolvers(&setup.resolver_options), "sidecar": sidecar(API) });
    // Moved rather than put into `json!`, which would copy all of them; so are the values that contain them.
    configuration["routers"] = routers(setup);
    // Without an entry, the plugin expects a cluster with the name of the CA's host.
    let clusters: BTreeMap<_, _> =
        cas.iter().filter(|ca| ca.cluster != ca.host).map(|ca| (ca.origin.authority(), &ca.cluster)).collect();
    if !clusters.is_empty() {
        configuration["caClusters"] = json!(clusters);
    }
    configuration
}

/// Removes the routers: the plugin learns the wanted certificates from the sidecar.
pub(super) fn remove_routers(configuration: &mut Value) {
    if let Some(configuration) = configuration.as_object_mut() {
        configuration.remove("routers");
    }
}

/// The plugin's options for the sidecar's API.
pub(super) fn sidecar(cluster: &str) -> Value {
    json!({ "cluster": cluster, "token": protocol::tokens::API })
}

/// The HTTP filter with this configuration. It belongs before all others, so that neither a redirect nor an
/// authentication blocks the CA. Whatever the routes are, only challenges reach the plugin.
pub fn http_filter(configuration: &Value, plugin: &str) -> Value {
    matched(wasm(structure(configuration.clone()), plugin))
}

/// The same filter for YAML output after the engine, whose configuration it refers to.
pub(super) fn short_http_filter(plugin: &str) -> Value {
    matched(wasm(yaml::same("configuration"), plugin))
}

/// The HTTP filter for routes that enable it by [`enabling`].
pub(super) fn disabled_http_filter(configuration: &Value, plugin: &str) -> Value {
    disabled(wasm(structure(configuration.clone()), plugin))
}

/// The same filter for YAML output after the engine, whose configuration it refers to.
pub(super) fn short_disabled_http_filter(plugin: &str) -> Value {
    disabled(wasm(yaml::same("configuration"), plugin))
}

/// Converts the filter for a listener whose routes do not enable it.
pub(crate) fn for_other_routes(mut filter: Value) -> Value {
    let Some(table) = filter.as_object_mut() else { return filter };
    let is_disabled = table.remove("disabled") == Some(json!(true));
    let has_matcher = filter["typed_config"]["@type"] == MATCHED;
    if is_disabled && !has_matcher { matched(filter["typed_config"].take()) } else { filter }
}

/// The `typed_per_filter_config` of a route that enables the filter.
pub(super) fn enabling() -> Value {
    // Without an empty configuration, Envoy takes this for an override of the filter's configuration, and refuses it.
    json!({ NAME: { "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "config": {} } })
}

fn disabled(wasm: Value) -> Value {
    let mut filter = json!({ "name": NAME, "disabled": true });
    filter["typed_config"] = wasm;
    filter
}

/// Wraps the filter in a matcher on the path.
fn matched(wasm: Value) -> Value {
    let path = json!({
        "name": "path",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            "header_name": ":path",
        },
    });
    let is_challenge = json!({ "single_predicate": { "input": path, "value_match": { "prefix": CHALLENGES } } });
    let skip = json!({
        "name": "skip",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.common.matcher.action.v3.SkipFilter",
        },
    });
    let mut filter = json!({
        "name": NAME,
        "typed_config": {
            "@type": MATCHED,
            "xds_matcher": { "matcher_list": { "matchers": [
                { "predicate": { "not_matcher": is_challenge }, "on_match": { "action": skip } },
            ] } },
            "extension_config": { "name": NAME },
        },
    });
    filter["typed_config"]["extension_config"]["typed_config"] = wasm;
    filter
}

fn wasm(configuration: Value, plugin: &str) -> Value {
    let mut config = config(NAME, configuration, plugin, "filter");
    config["failure_policy"] = json!("FAIL_RELOAD");
    config["reload_config"] = json!({ "backoff": { "base_interval": "1s" } });
    let mut wasm = json!({ "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm" });
    wasm["config"] = config;
    wasm
}

/// The engine, for `bootstrap_extensions`: a single instance on Envoy's main thread that orders and renews
/// certificates.
pub fn engine(configuration: Value, plugin: &str) -> Value {
    let mut engine = json!({
        "name": "envoy.bootstrap.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
            "singleton": true,
        },
    });
    engine["typed_config"]["config"] = config("envoy-autocert-engine", structure(configuration), plugin, "engine");
    engine
}

/// Tag extraction for the plugin's metrics, for `stats_config.stats_tags`.
pub fn stats_tags() -> Value {
    let tag = |name: &str, regex: &str| json!({ "tag_name": name, "regex": regex });
    json!([
        tag("certificate", r"^wasmcustom\.envoy_autocert\.\w+(?:\.\w+\.[^.]+)?(\.certificate\.(.+))$"),
        tag("class", r"^wasmcustom\.envoy_autocert\..*(\.class\.([^.]+))$"),
        tag("endpoint", r"^wasmcustom\.envoy_autocert\.\w+(\.endpoint\.([^.]+))"),
        tag("resolver", r"^wasmcustom\.envoy_autocert\.\w+(\.resolver\.([^.]+))"),
        tag("state", r"^wasmcustom\.envoy_autocert\.\w+(\.state\.([^.]+))$"),
        tag("status", r"^wasmcustom\.envoy_autocert\..*(\.status\.([^.]+))$"),
        tag("why", r"^wasmcustom\.envoy_autocert\..*(\.why\.([^.]+))$"),
    ])
}

/// The entry points on which resolvers answer HTTP-01.
pub fn challenge_entry_points(setup: &Setup) -> BTreeSet<&str> {
    setup.resolvers.iter().filter_map(|resolver| Some(resolver.http_challenge.as_ref()?.entry_point.as_str())).collect()
}

/// A `PluginConfig`. Different roles have separate virtual machines, so a trap in one never ends the other.
fn config(name: &str, configuration: Value, plugin: &str, role: &str) -> Value {
    let capabilities: Map<String, Value> = CAPABILITIES.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let mut config = json!({
        "name": name,
        "root_id": NAME,
        "vm_config": {
            "vm_id": NAME,
            "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": role },
            "code": { "local": { "filename": plugin } },
            "capability_restriction_config": { "allowed_capabilities": capabilities },
        },
    });
    config["configuration"] = configuration;
    config
}

/// A `google.protobuf.Struct`.
fn structure(value: Value) -> Value {
    let mut structure = json!({ "@type": "type.googleapis.com/google.protobuf.Struct" });
    structure["value"] = value;
    structure
}

fn resolvers(options: &Map<String, Value>) -> Value {
    let mut options = options.clone();
    for resolver in options.values_mut() {
        if let Some(acme) = resolver.get_mut("acme").and_then(Value::as_object_mut) {
            acme.retain(|key, _| !ELSEWHERE.contains(&key.as_str()));
        }
    }
    Value::Object(options)
}

/// The certificates that each router wants. An HTTP and a TCP router may have the same name, and a router with
/// different TLS settings on its entry points counts as several.
fn routers(setup: &Setup) -> Value {
    let mut routers = Map::new();
    for (name, tls) in terminating(setup) {
        if let Some(wanted) = wanted(tls) {
            let mut name = name.clone();
            while routers.get(&name).is_some_and(|known| *known != wanted) {
                name.push_str("-tcp");
            }
            routers.insert(name, wanted);
        }
    }
    Value::Object(routers)
}

/// The routers that terminate TLS, with their names.
fn terminating(setup: &Setup) -> impl Iterator<Item = (&String, &RouterTls)> {
    let http = setup.http_routers.iter().filter_map(|router| Some((&router.name, router.tls.as_ref()?)));
    let tcp = setup.tcp_routers.iter().filter_map(|router| match &router.tls {
        Some(TcpTls::Terminate(tls)) => Some((&router.name, tls)),
        Some(TcpTls::Passthrough) | None => None,
    });
    http.chain(tcp)
}

/// The names of each certificate that routers want, the main name first, without repetitions.
pub(super) fn certificates(setup: &Setup) -> Vec<Vec<String>> {
    let mut all: Vec<Vec<String>> = Vec::new();
    for (_, tls) in terminating(setup).filter(|(_, tls)| tls.resolver.is_some()) {
        for names in tls.certificates.iter().filter(|names| !names.is_empty()) {
            if !all.contains(names) {
                all.push(names.clone());
            }
        }
    }
    all
}

/// Removes `tlsChallenge` where another challenge is configured: a mesh's gateway has no filter chain for `acme-tls/1`.
pub(super) fn without_tls_challenge(configuration: &mut Value) {
    let resolvers = configuration["certificatesResolvers"].as_object_mut().into_iter().flat_map(|all| all.values_mut());
    for acme in resolvers.filter_map(|resolver| resolver["acme"].as_object_mut()) {
        if OTHER_CHALLENGES.iter().any(|other| acme.contains_key(*other)) {
            acme.remove("tlsChallenge");
        }
    }
}

fn wanted(tls: &RouterTls) -> Option<Value> {
    let resolver = tls.resolver.as_ref()?;
    let domain = |names: &Vec<String>| {
        let (main, sans) = names.split_first()?;
        let mut domain = json!({ "main": main });
        if !sans.is_empty() {
            domain["sans"] = json!(sans);
        }
        Some(domain)
    };
    let domains: Vec<Value> = tls.certificates.iter().filter_map(domain).collect();
    (!domains.is_empty()).then(|| json!({ "tls": { "certResolver": resolver, "domains": domains } }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::model::{HttpRouter, TcpRouter};
    use config::rule::{Syntax, parse};

    fn tls(certificates: &[&[&str]]) -> RouterTls {
        let names = |names: &&[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        RouterTls {
            resolver: Some("le".to_owned()),
            certificates: certificates.iter().map(names).collect(),
            ..RouterTls::default()
        }
    }

    #[test]
    fn the_plugin_takes_what_is_made_for_it() {
        let options = json!({ "le": { "acme": {
            "email": "a@b.example", "storage": "/x/acme.json", "caCertificates": ["/ca.pem"],
            "httpChallenge": { "entryPoint": "web" },
        } } });
        let http = HttpRouter {
            name: "site".to_owned(),
            entry_points: vec!["websecure".to_owned()],
            rule_text: "Host(`a.example`)".to_owned(),
            rule: parse("Host(`a.example`)", Syntax::V3).unwrap(),
            syntax: Syntax::V3,
            priority: 1,
            target: crate::model::Target::Service("s".to_owned()),
            tls: Some(tls(&[&["a.example", "b.example"]])),
        };
        let tcp = TcpRouter {
            name: "site".to_owned(),
            entry_points: vec!["websecure".to_owned()],
            rule_text: "HostSNI(`c.example`)".to_owned(),
            server_names: vec!["c.example".to_owned()],
            priority: 1,
            service: Some("s".to_owned()),
            tls: Some(TcpTls::Terminate(tls(&[&["c.example"]]))),
        };
        let setup = Setup {
            resolver_options: options.as_object().unwrap().clone(),
            http_routers: vec![http],
            tcp_routers: vec![tcp],
            ..Setup::default()
        };
        let configuration = configuration(&setup, &[]);
        assert_eq!(configuration.pointer("/certificatesResolvers/le/acme/storage"), None);
        let parsed = config::parse(&configuration).unwrap();
        let names: Vec<_> = parsed.wants.iter().map(|want| want.names.join(",")).collect();
        assert_eq!(names, ["a.example,b.example", "c.example"]);
        assert!(parsed.warnings.is_empty());
    }

    #[test]
    fn a_filter_that_routes_enable_has_the_matcher_where_they_do_not() {
        let configuration = json!({ "sidecar": {} });
        let matched = http_filter(&configuration, "a.wasm");
        assert_eq!(for_other_routes(disabled_http_filter(&configuration, "a.wasm")), matched);
        assert_eq!(for_other_routes(matched.clone()), matched);
        let mut both = matched.clone();
        both["disabled"] = json!(true);
        assert_eq!(for_other_routes(both), matched);
    }

    #[test]
    fn the_pieces_are_those_of_the_reference() {
        let reference: Value = serde_saphyr::from_str(include_str!("../../../../envoy/envoy.yaml")).unwrap();
        let of = |pointer: &str| reference.pointer(pointer).unwrap().clone();
        let engine_config = "/bootstrap_extensions/0/typed_config/config/configuration/value";
        let wasm = "/usr/lib/envoy-autocert/envoy_autocert.wasm";
        assert_eq!(engine(of(engine_config), wasm), of("/bootstrap_extensions/0"));
        let filters = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
        assert_eq!(http_filter(&of(engine_config), wasm), of(&format!("{filters}/0")));
        assert_eq!(stats_tags(), of("/stats_config/stats_tags"));
    }
}
