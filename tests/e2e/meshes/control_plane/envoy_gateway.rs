//! A model of Envoy Gateway: translates objects, i.e. a Gateway with its routes, the policy with the plugin, and the
//! bootstrap.
//!
//! TLS between Envoy and Envoy Gateway is left out, and so are a user's own routes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::DiscoveryType;
use envoy_types::pb::envoy::config::core::v3::api_config_source::ApiType;
use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::http_uri::HttpUpstreamType;
use envoy_types::pb::envoy::config::core::v3::{
    ApiConfigSource, AsyncDataSource, BackoffStrategy, ConfigSource, Http2ProtocolOptions, HttpUri, RemoteDataSource,
    RetryPolicy,
};
use envoy_types::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch, Listener};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, Route, RouteConfiguration, RouteMatch, VirtualHost};
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    PathWithEscapedSlashesAction, ServerHeaderTransformation,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CommonTlsContext, DownstreamTlsContext, SdsSecretConfig,
};
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{PluginConfig, VmConfig};
use envoy_types::pb::google::protobuf::{Any, BoolValue, StringValue, UInt32Value};
use envoy_types::util::pack_any;
use serde_json::Value;

use super::objects::{Objects, list, text, texts};
use super::pieces::{self, Resource, seconds};

const GATEWAY: &str = "gateway.networking.k8s.io/v1";
const ENVOY_GATEWAY: &str = "gateway.envoyproxy.io/v1alpha1";

/// Settings of Envoy Gateway besides the objects.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The path of the modules that it serves to its proxies, and the SHA-256 of the policy's module.
    pub module: (String, String),
    /// True if its configuration has `extensionApis.enableSDSSecretRef`.
    pub sds_secret_ref: bool,
    /// Ports of a Gateway, each with the port at which its pods listen.
    pub ports: Vec<(u16, u16)>,
}

/// The resources for the only Gateway of these objects.
///
/// # Errors
/// When Envoy Gateway would refuse an object.
pub fn resources(objects: &Objects, surroundings: &Surroundings) -> Result<Vec<Resource>> {
    let gateway = objects.one(GATEWAY, "Gateway")?;
    let mut resources = Vec::new();
    let mut tls_chains: Vec<(u16, String, FilterChain)> = Vec::new();
    for listener in list(gateway, "/spec/listeners") {
        let number = listener["port"].as_u64().context("a listener has a port")?;
        let port = surroundings.ports.iter().find(|(service, _)| u64::from(*service) == number);
        let (_, port) = *port.with_context(|| format!("no port {number}"))?;
        let name = irs_name(gateway, text(listener, "/name")?)?;
        let routes = Routes::of(listener, gateway, objects)?;
        let manager = manager(&name, port, &routes, surroundings)?;
        resources.push(Resource::routes(routes.configuration(&name)));
        let mut chain =
            FilterChain { name: name.clone(), filters: vec![pieces::manager(manager)], ..FilterChain::default() };
        match text(listener, "/protocol")? {
            "HTTP" => resources
                .push(Resource::listener(Listener { default_filter_chain: Some(chain), ..listener_at(&name, port) })),
            "HTTPS" => {
                let (context, clusters) = tls(listener, objects, surroundings)?;
                chain.transport_socket = pieces::downstream_tls(context);
                let server_names = vec![text(listener, "/hostname")?.to_owned()];
                chain.filter_chain_match = Some(FilterChainMatch { server_names, ..FilterChainMatch::default() });
                tls_chains.push((port, name, chain));
                resources.extend(clusters);
            }
            other => bail!("protocol {other}"),
        }
    }
    // Listeners on one port share Envoy's, which is named for the first of them.
    while let Some((port, name, _)) = tls_chains.first().cloned() {
        let (of_port, others) = tls_chains.into_iter().partition(|(at, _, _)| *at == port);
        tls_chains = others;
        resources.push(Resource::listener(Listener {
            filter_chains: Vec::into_iter(of_port).map(|(_, _, chain)| chain).collect(),
            listener_filters: vec![pieces::tls_inspector()],
            ..listener_at(&name, port)
        }));
    }
    resources.dedup_by(|one, other| one == other);
    Ok(resources)
}

/// Envoy Gateway's own bootstrap, with that of the EnvoyProxy merged into it: messages are merged, and lists
/// concatenated.
///
/// # Errors
/// When it is not merged, or has no text.
pub fn bootstrap(objects: &Objects, own: &str) -> Result<Value> {
    let proxy = objects.one(ENVOY_GATEWAY, "EnvoyProxy")?;
    ensure!(text(proxy, "/spec/bootstrap/type")? == "Merge", "only Merge keeps Envoy Gateway's own bootstrap");
    let mut bootstrap: Value = serde_saphyr::from_str(own).context("the bootstrap")?;
    let further: Value = serde_saphyr::from_str(text(proxy, "/spec/bootstrap/value")?).context("bootstrap.value")?;
    merge(&mut bootstrap, further);
    Ok(bootstrap)
}

fn merge(into: &mut Value, further: Value) {
    match (into, further) {
        (Value::Object(into), Value::Object(further)) => {
            for (key, value) in further {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(further)) => into.extend(further),
        (into, further) => *into = further,
    }
}

fn irs_name(gateway: &Value, listener: &str) -> Result<String> {
    Ok(format!("{}/{}/{listener}", text(gateway, "/metadata/namespace")?, text(gateway, "/metadata/name")?))
}

fn listener_at(name: &str, port: u16) -> Listener {
    Listener {
        name: name.to_owned(),
        address: Some(pieces::socket(SocketAddr::from(([0, 0, 0, 0], port)))),
        per_connection_buffer_limit_bytes: Some(UInt32Value { value: 32768 }),
        max_connections_to_accept_per_socket_event: Some(UInt32Value { value: 1 }),
        ..Listener::default()
    }
}

/// The routes of a listener, with the policies attached to them.
struct Routes<'a> {
    hosts: Vec<(String, Vec<Route>)>,
    wasm: Vec<(String, &'a Value)>,
}

impl<'a> Routes<'a> {
    fn of(listener: &Value, gateway: &Value, objects: &'a Objects) -> Result<Self> {
        let mut routes = Self { hosts: Vec::new(), wasm: Vec::new() };
        for http in objects.of(GATEWAY, "HTTPRoute") {
            let is_on = |parent: &Value| {
                parent["name"] == gateway["metadata"]["name"]
                    && (parent["sectionName"].is_null() || parent["sectionName"] == listener["name"])
            };
            if !list(http, "/spec/parentRefs").iter().any(is_on) {
                continue;
            }
            let wasm = wasm_of(http, objects)?;
            let mut hosts = texts(http, "/spec/hostnames");
            if hosts.is_empty() {
                hosts.push(listener["hostname"].as_str().unwrap_or("*").to_owned());
            }
            for host in hosts {
                let of_host = routes_of(http, &host, &wasm, objects)?;
                match routes.hosts.iter_mut().find(|(name, _)| *name == host) {
                    Some((_, known)) => known.extend(of_host),
                    None => routes.hosts.push((host, of_host)),
                }
            }
            for (name, plugin) in wasm {
                if !routes.wasm.iter().any(|(known, _)| *known == name) {
                    routes.wasm.push((name, plugin));
                }
            }
        }
        for (_, of_host) in &mut routes.hosts {
            // The longest path has priority.
            of_host.sort_by_key(|route| std::cmp::Reverse(prefix_of(route).map_or(0, str::len)));
        }
        Ok(routes)
    }

    fn configuration(&self, name: &str) -> RouteConfiguration {
        let virtual_host = |(host, routes): &(String, Vec<Route>)| VirtualHost {
            name: format!("{name}/{}", host.replace('.', "_")),
            domains: vec![host.clone()],
            routes: routes.clone(),
            ..VirtualHost::default()
        };
        RouteConfiguration {
            name: name.to_owned(),
            virtual_hosts: self.hosts.iter().map(virtual_host).collect(),
            ignore_port_in_host_matching: true,
            ..RouteConfiguration::default()
        }
    }
}

fn prefix_of(route: &Route) -> Option<&str> {
    match route.r#match.as_ref()?.path_specifier.as_ref()? {
        PathSpecifier::PathSeparatedPrefix(path) | PathSpecifier::Prefix(path) => Some(path),
        _ => None,
    }
}

/// The plugins of the policy on a route, by the names that Envoy Gateway gives them.
fn wasm_of<'a>(http: &Value, objects: &'a Objects) -> Result<Vec<(String, &'a Value)>> {
    let mut found = Vec::new();
    for policy in objects.of(ENVOY_GATEWAY, "EnvoyExtensionPolicy") {
        let is_it = |target: &Value| {
            target["group"] == "gateway.networking.k8s.io"
                && target["kind"] == "HTTPRoute"
                && target["name"] == http["metadata"]["name"]
        };
        ensure!(policy["metadata"]["namespace"] == http["metadata"]["namespace"], "a policy is beside its target");
        if !list(policy, "/spec/targetRefs").iter().any(is_it) {
            continue;
        }
        let namespace = text(policy, "/metadata/namespace")?;
        let name = text(policy, "/metadata/name")?;
        for (index, plugin) in list(policy, "/spec/wasm").iter().enumerate() {
            let kind = text(plugin, "/code/type")?;
            let source = match kind {
                "Image" => text(plugin, "/code/image/url"),
                "HTTP" => text(plugin, "/code/http/url"),
                other => bail!("code.type {other}"),
            };
            source?;
            found.push((format!("envoyextensionpolicy/{namespace}/{name}/wasm/{index}"), plugin));
        }
    }
    Ok(found)
}

fn routes_of(http: &Value, host: &str, wasm: &[(String, &Value)], objects: &Objects) -> Result<Vec<Route>> {
    let namespace = text(http, "/metadata/namespace")?;
    let name = text(http, "/metadata/name")?;
    let mut routes = Vec::new();
    for (index, rule) in list(http, "/spec/rules").iter().enumerate() {
        let action = Action::DirectResponse(direct_response(rule, objects)?);
        for (number, path) in list(rule, "/matches").iter().enumerate() {
            ensure!(text(path, "/path/type")? == "PathPrefix", "this knows PathPrefix only: {path}");
            let path = text(path, "/path/value")?;
            let specifier = match path {
                "/" => PathSpecifier::Prefix(path.to_owned()),
                path => PathSpecifier::PathSeparatedPrefix(path.trim_end_matches('/').to_owned()),
            };
            let enabled = |(name, _): &(String, &Value)| {
                let config = FilterConfig { config: Some(Any::default()), ..FilterConfig::default() };
                (filter_name(name), pack_any(config))
            };
            routes.push(Route {
                name: format!("httproute/{namespace}/{name}/rule/{index}/match/{number}/{}", host.replace('.', "_")),
                r#match: Some(RouteMatch { path_specifier: Some(specifier), ..RouteMatch::default() }),
                action: Some(action.clone()),
                typed_per_filter_config: wasm.iter().map(enabled).collect::<HashMap<_, _>>(),
                ..Route::default()
            });
        }
    }
    Ok(routes)
}

fn direct_response(
    rule: &Value,
    objects: &Objects,
) -> Result<envoy_types::pb::envoy::config::route::v3::DirectResponseAction> {
    // The first filter answers.
    if let Some(filter) = list(rule, "/filters").first() {
        ensure!(text(filter, "/type")? == "ExtensionRef", "this knows ExtensionRef only: {filter}");
        let reference = &filter["extensionRef"];
        ensure!(reference["group"] == "gateway.envoyproxy.io" && reference["kind"] == "HTTPRouteFilter", "{reference}");
        let extension = objects.named(ENVOY_GATEWAY, "HTTPRouteFilter", text(reference, "/name")?)?;
        let response = &extension["spec"]["directResponse"];
        let status = u32::try_from(response["statusCode"].as_u64().unwrap_or(200))?;
        return Ok(pieces::direct_response(status, response.pointer("/body/inline").and_then(Value::as_str)));
    }
    // Envoy Gateway's own answer to a rule without backends.
    Ok(pieces::direct_response(500, None))
}

fn filter_name(wasm: &str) -> String {
    format!("envoy.filters.http.wasm/{wasm}")
}

fn manager(name: &str, port: u16, routes: &Routes<'_>, surroundings: &Surroundings) -> Result<HttpConnectionManager> {
    let mut http_filters = Vec::new();
    for (wasm, plugin) in &routes.wasm {
        http_filters.push(wasm_filter(wasm, plugin, surroundings)?);
    }
    let router = Router { suppress_envoy_headers: true, ..Router::default() };
    http_filters.push(pieces::http_filter("envoy.filters.http.router", false, router));
    Ok(HttpConnectionManager {
        stat_prefix: format!("http-{port}"),
        route_specifier: pieces::rds(name),
        http_filters,
        use_remote_address: Some(BoolValue { value: true }),
        normalize_path: Some(BoolValue { value: true }),
        merge_slashes: true,
        path_with_escaped_slashes_action: PathWithEscapedSlashesAction::UnescapeAndRedirect.into(),
        server_header_transformation: ServerHeaderTransformation::PassThrough.into(),
        ..HttpConnectionManager::default()
    })
}

fn wasm_filter(name: &str, plugin: &Value, surroundings: &Surroundings) -> Result<HttpFilter> {
    let (url, sha256) = surroundings.module.clone();
    let remote = RemoteDataSource {
        http_uri: Some(HttpUri {
            uri: url,
            timeout: seconds(10),
            http_upstream_type: Some(HttpUpstreamType::Cluster("wasm_cluster".to_owned())),
        }),
        sha256,
        retry_policy: Some(RetryPolicy {
            num_retries: Some(UInt32Value { value: 10 }),
            retry_back_off: Some(BackoffStrategy { base_interval: seconds(1), max_interval: seconds(30) }),
            ..RetryPolicy::default()
        }),
    };
    let vm = VmConfig {
        vm_id: name.to_owned(),
        runtime: "envoy.wasm.runtime.v8".to_owned(),
        code: Some(AsyncDataSource { specifier: Some(Specifier::Remote(remote)) }),
        ..VmConfig::default()
    };
    let value = if plugin["config"].is_null() { String::new() } else { serde_json::to_string(&plugin["config"])? };
    #[expect(deprecated, reason = "Envoy Gateway's own field")]
    let config = PluginConfig {
        name: plugin["name"].as_str().unwrap_or(name).to_owned(),
        root_id: plugin["rootID"].as_str().unwrap_or_default().to_owned(),
        configuration: Some(pack_any(StringValue { value })),
        fail_open: plugin["failOpen"].as_bool().unwrap_or_default(),
        vm: Some(Vm::VmConfig(vm)),
        ..PluginConfig::default()
    };
    Ok(pieces::http_filter(&filter_name(name), true, Wasm { config: Some(config) }))
}

/// The TLS context of a listener, and the clusters that its SDS Secrets need.
fn tls(
    listener: &Value,
    objects: &Objects,
    surroundings: &Surroundings,
) -> Result<(DownstreamTlsContext, Vec<Resource>)> {
    let mut secrets = Vec::new();
    let mut clusters = Vec::new();
    for reference in list(listener, "/tls/certificateRefs") {
        let secret = objects.named("v1", "Secret", text(reference, "/name")?)?;
        ensure!(text(secret, "/type")? == "gateway.envoyproxy.io/sds", "this knows SDS Secrets only");
        ensure!(surroundings.sds_secret_ref, "SDS Secret references are not enabled in EnvoyGateway configuration");
        let url = text(secret, "/stringData/url")?;
        let path = url.strip_prefix("unix://").with_context(|| format!("{url} is no socket"))?;
        let cluster = sds_cluster(path);
        let api = ApiConfigSource {
            api_type: ApiType::Grpc.into(),
            grpc_services: vec![pieces::grpc(&cluster.name, "")],
            ..ApiConfigSource::default()
        };
        secrets.push(SdsSecretConfig {
            name: text(secret, "/stringData/secretName")?.to_owned(),
            sds_config: Some(ConfigSource {
                config_source_specifier: Some(ConfigSourceSpecifier::ApiConfigSource(api)),
                ..ConfigSource::default()
            }),
        });
        clusters.push(Resource::cluster(cluster));
    }
    ensure!(!secrets.is_empty(), "No valid secrets exist: {listener}");
    let common = CommonTlsContext {
        alpn_protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
        tls_certificate_sds_secret_configs: secrets,
        ..CommonTlsContext::default()
    };
    let context = DownstreamTlsContext {
        common_tls_context: Some(common),
        disable_stateful_session_resumption: true,
        ..DownstreamTlsContext::default()
    };
    Ok((context, clusters))
}

fn sds_cluster(path: &str) -> Cluster {
    // The real name ends with a hash of the path, which tells apart paths that become equal.
    let name = format!("sds_{}", path.replace('/', "_").trim_matches('_'));
    #[expect(deprecated, reason = "Envoy Gateway's own field")]
    Cluster {
        load_assignment: Some(pieces::assignment(&name, pieces::pipe(Path::new(path)))),
        name,
        cluster_discovery_type: pieces::discovery(DiscoveryType::Static),
        connect_timeout: seconds(10),
        http2_protocol_options: Some(Http2ProtocolOptions::default()),
        ..Cluster::default()
    }
}
