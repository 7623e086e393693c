//! A model of istiod: translates objects for an ingress gateway, and answers what Istio's agent answers.
//!
//! Filters that exist in Istio's own Envoy only (its statistics, its metadata exchange, its ALPN) are left out: the
//! Envoys here have none of them, and none of them affects a challenge.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{DiscoveryType, DnsLookupFamily, EdsClusterConfig};
use envoy_types::pb::envoy::config::core::v3::api_config_source::ApiType;
use envoy_types::pb::envoy::config::core::v3::async_data_source::Specifier;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier as DataSpecifier;
use envoy_types::pb::envoy::config::core::v3::{
    ApiConfigSource, ApiVersion, AsyncDataSource, ConfigSource, DataSource, ExtensionConfigSource, TypedExtensionConfig,
};
use envoy_types::pb::envoy::config::listener::v3::{FilterChain, FilterChainMatch, Listener};
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::virtual_host::TlsRequirementType;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteConfiguration, RouteMatch, VirtualHost};
use envoy_types::pb::envoy::extensions::filters::http::cors::v3::Cors;
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault;
use envoy_types::pb::envoy::extensions::filters::http::grpc_stats::v3::FilterConfig as GrpcStats;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::http::wasm::v3::Wasm;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::{
    ForwardClientCertDetails, SetCurrentClientCertDetails, UpgradeConfig,
};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::common_tls_context::{
    CombinedCertificateValidationContext, ValidationContextType,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::secret::Type as SecretType;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{
    CertificateValidationContext, CommonTlsContext, DownstreamTlsContext, SdsSecretConfig, Secret, TlsCertificate,
    UpstreamTlsContext,
};
use envoy_types::pb::envoy::extensions::wasm::v3::plugin_config::Vm;
use envoy_types::pb::envoy::extensions::wasm::v3::{EnvironmentVariables, FailurePolicy, PluginConfig, VmConfig};
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::google::protobuf::{BoolValue, StringValue, UInt32Value};
use envoy_types::util::pack_any;
use serde_json::Value;

use super::objects::{Objects, list, text, texts};
use super::pieces::{self, Resource, ads, seconds};

const EXTENSIONS: &str = "extensions.istio.io/v1alpha1";
const NETWORKING: &str = "networking.istio.io/v1";

/// The cluster of the gateway pod's credential socket.
const SDS_EXTERNAL: &str = "sds-external";

/// Settings of a gateway besides the objects.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The gateway's namespace.
    pub namespace: String,
    /// The labels of its pods.
    pub labels: Vec<(String, String)>,
    /// The Gateway of the Gateway API that the gateway was made for, if any.
    pub gateway_api: Option<String>,
    /// The credential socket, if it existed when Istio's agent started (node metadata `credential`).
    pub credential_socket: Option<PathBuf>,
    /// The mesh's extension provider `sds`: its service, and the service's port.
    pub sds_provider: Option<(String, u16)>,
    /// Ports of a Gateway, each with the port at which its pods listen.
    pub ports: Vec<(u16, u16)>,
    /// Secrets of the gateway's namespace, by their names: a chain and a key in PEM.
    pub secrets: Vec<(String, (String, String))>,
}

/// The resources for a gateway, with those of Istio's agent.
///
/// # Errors
/// When istiod would refuse an object.
pub fn resources(objects: &Objects, proxy: &Proxy) -> Result<Vec<Resource>> {
    let mut resources = clusters(objects, proxy)?;
    let extensions = extensions(objects, proxy)?;
    for extension in &extensions {
        resources.push(Resource::new(&extension.name, extension.ecds()?));
    }
    for gateway in objects.of(NETWORKING, "Gateway") {
        ensure!(selects(gateway, proxy), "the Gateway selects other pods: {gateway}");
        resources.extend(listeners(gateway, objects, proxy, &extensions)?);
    }
    for (name, (chain, key)) in &proxy.secrets {
        let certificate = TlsCertificate {
            certificate_chain: pieces::inline_bytes(chain),
            private_key: pieces::inline_bytes(key),
            ..TlsCertificate::default()
        };
        let name = format!("kubernetes://{name}");
        resources.push(Resource::secret(Secret { name, r#type: Some(SecretType::TlsCertificate(certificate)) }));
    }
    Ok(resources)
}

/// True if an extension of these objects is on the listener of this port.
///
/// # Errors
/// When istiod would refuse an object.
pub fn has_plugin(objects: &Objects, proxy: &Proxy, port: u16) -> Result<bool> {
    Ok(extensions(objects, proxy)?.iter().any(|extension| extension.is_on(port)))
}

/// A TrafficExtension, or the one that istiod makes of a WasmPlugin.
struct Extension<'a> {
    name: String,
    short: String,
    wasm: &'a Value,
    phase: &'a str,
    matches: &'a [Value],
}

fn extensions<'a>(objects: &'a Objects, proxy: &Proxy) -> Result<Vec<Extension<'a>>> {
    let mut found = Vec::new();
    for kind in ["TrafficExtension", "WasmPlugin"] {
        for object in objects.of(EXTENSIONS, kind) {
            let namespace = text(object, "/metadata/namespace")?;
            let name = text(object, "/metadata/name")?;
            let spec = &object["spec"];
            ensure!(
                spec["selector"].is_null() || spec["targetRefs"].is_null(),
                "only one of targetRefs or selector can be set: {name}"
            );
            if !applies(spec, proxy) || namespace != proxy.namespace {
                continue;
            }
            let wasm = if kind == "WasmPlugin" { spec } else { &spec["wasm"] };
            ensure!(wasm.is_object() && spec["lua"].is_null(), "exactly one of wasm or lua must be set: {name}");
            found.push(Extension {
                name: format!("extensions.istio.io/trafficextension/{namespace}.{name}"),
                short: format!("{namespace}.{name}"),
                wasm,
                phase: spec["phase"].as_str().unwrap_or("UNSPECIFIED"),
                matches: list(spec, "/match"),
            });
        }
    }
    Ok(found)
}

fn applies(spec: &Value, proxy: &Proxy) -> bool {
    let refers = |reference: &Value| {
        reference["group"] == "gateway.networking.k8s.io"
            && reference["kind"] == "Gateway"
            && reference["name"].as_str().is_some_and(|name| proxy.gateway_api.as_deref() == Some(name))
    };
    match list(spec, "/targetRefs") {
        // A gateway of the Gateway API is selected by targetRefs, others by their labels.
        [] => proxy.gateway_api.is_none() && has_labels(&spec["selector"]["matchLabels"], proxy),
        references => references.iter().any(refers),
    }
}

fn selects(gateway: &Value, proxy: &Proxy) -> bool {
    has_labels(&gateway["spec"]["selector"], proxy)
}

fn has_labels(labels: &Value, proxy: &Proxy) -> bool {
    let has = |(key, value): (&String, &Value)| {
        proxy.labels.iter().any(|(name, label)| name == key && value.as_str() == Some(label))
    };
    labels.as_object().is_none_or(|labels| labels.iter().all(has))
}

impl Extension<'_> {
    /// In Istio's selectors a gateway is a client, and its ports are those of its pods.
    fn is_on(&self, port: u16) -> bool {
        let is_it = |selector: &Value| {
            let mode = selector["mode"].as_str().unwrap_or("UNDEFINED");
            let ports = list(selector, "/ports");
            matches!(mode, "CLIENT" | "CLIENT_AND_SERVER" | "UNDEFINED")
                && (ports.is_empty() || ports.iter().any(|item| item["number"].as_u64() == Some(port.into())))
        };
        self.matches.is_empty() || self.matches.iter().any(is_it)
    }

    fn filter(&self) -> HttpFilter {
        let type_urls = ["wasm.v3.Wasm", "rbac.v3.RBAC"];
        let source = ExtensionConfigSource {
            config_source: Some(ads(seconds(0))),
            type_urls: type_urls.map(|end| format!("type.googleapis.com/envoy.extensions.filters.http.{end}")).to_vec(),
            ..ExtensionConfigSource::default()
        };
        HttpFilter {
            name: self.name.clone(),
            config_type: Some(ConfigType::ConfigDiscovery(source)),
            ..HttpFilter::default()
        }
    }

    fn ecds(&self) -> Result<TypedExtensionConfig> {
        let url = text(self.wasm, "/url")?;
        let code = match url.strip_prefix("file://") {
            Some(path) => {
                DataSource { specifier: Some(DataSpecifier::Filename(path.to_owned())), ..DataSource::default() }
            }
            // The agent fetches the module and replaces the URL by the path of its copy.
            None => bail!("{url} can't be fetched here"),
        };
        let failure_policy = match self.wasm["failStrategy"].as_str() {
            None | Some("FAIL_CLOSE") => FailurePolicy::FailClosed,
            Some("FAIL_OPEN") => FailurePolicy::FailOpen,
            Some("FAIL_RELOAD") => FailurePolicy::FailReload,
            Some(other) => bail!("failStrategy {other}"),
        };
        let configuration = self.wasm["pluginConfig"].as_object().context("no pluginConfig")?;
        // Variables that the agent removes when it fetches a module stay for a file.
        let environment = EnvironmentVariables {
            key_values: [("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION".to_owned(), "1".to_owned())].into(),
            ..EnvironmentVariables::default()
        };
        let vm = VmConfig {
            runtime: "envoy.wasm.runtime.v8".to_owned(),
            code: Some(AsyncDataSource { specifier: Some(Specifier::Local(code)) }),
            environment_variables: Some(environment),
            ..VmConfig::default()
        };
        let config = PluginConfig {
            name: self.short.clone(),
            root_id: self.wasm["pluginName"].as_str().unwrap_or_default().to_owned(),
            configuration: Some(pack_any(StringValue { value: serde_json::to_string(configuration)? })),
            failure_policy: failure_policy.into(),
            vm: Some(Vm::VmConfig(vm)),
            ..PluginConfig::default()
        };
        Ok(TypedExtensionConfig {
            name: self.name.clone(),
            typed_config: Some(pack_any(Wasm { config: Some(config) })),
        })
    }
}

fn listeners(gateway: &Value, objects: &Objects, proxy: &Proxy, extensions: &[Extension<'_>]) -> Result<Vec<Resource>> {
    let namespace = text(gateway, "/metadata/namespace")?;
    let gateway_name = text(gateway, "/metadata/name")?;
    let mut resources = Vec::new();
    let mut chains: Vec<(u16, FilterChain)> = Vec::new();
    for server in list(gateway, "/spec/servers") {
        let number = server.pointer("/port/number").and_then(Value::as_u64).context("a server has a port")?;
        let port = proxy.ports.iter().find(|(service, _)| u64::from(*service) == number);
        let (_, port) = *port.with_context(|| format!("the gateway's Service has no port {number}"))?;
        let hosts = texts(server, "/hosts");
        ensure!(!hosts.is_empty(), "a server needs hosts: {server}");
        let is_tls = text(server, "/port/protocol")? == "HTTPS";
        let name = text(server, "/port/name")?;
        let route = match is_tls {
            true => format!("https.{number}.{name}.{gateway_name}.{namespace}"),
            false => format!("http.{port}"),
        };
        let redirects = !is_tls && server.pointer("/tls/httpsRedirect") == Some(&Value::Bool(true));
        resources.push(Resource::routes(routes(&route, &hosts, port, redirects, gateway, objects)?));
        let is_on = |extension: &&Extension<'_>| extension.is_on(port);
        let first: Vec<&Extension<'_>> = extensions.iter().filter(is_on).collect();
        let mut chain =
            FilterChain { filters: vec![pieces::manager(manager(port, &route, &first)?)], ..FilterChain::default() };
        if is_tls {
            chain.filter_chain_match =
                Some(FilterChainMatch { server_names: server_names(&hosts), ..FilterChainMatch::default() });
            chain.transport_socket = pieces::downstream_tls(tls(server, proxy)?);
        }
        chains.push((port, chain));
    }
    let mut ports: Vec<u16> = chains.iter().map(|(port, _)| *port).collect();
    ports.sort_unstable();
    ports.dedup();
    for port in ports {
        let of_port: Vec<FilterChain> =
            chains.iter().filter(|(at, _)| *at == port).map(|(_, chain)| chain.clone()).collect();
        let needs_names = of_port.iter().any(|chain| chain.filter_chain_match.is_some());
        resources.push(Resource::listener(Listener {
            name: format!("0.0.0.0_{port}"),
            address: Some(pieces::named_socket("0.0.0.0", port)),
            filter_chains: of_port,
            listener_filters: if needs_names { vec![pieces::tls_inspector()] } else { Vec::new() },
            traffic_direction: 2,
            max_connections_to_accept_per_socket_event: Some(UInt32Value { value: 1 }),
            ..Listener::default()
        }));
    }
    Ok(resources)
}

/// `*` matches all names without another match.
fn server_names(hosts: &[String]) -> Vec<String> {
    hosts.iter().filter(|host| *host != "*").cloned().collect()
}

fn manager(port: u16, route: &str, extensions: &[&Extension<'_>]) -> Result<HttpConnectionManager> {
    let mut http_filters = Vec::new();
    for phase in ["AUTHN", "AUTHZ", "STATS", "UNSPECIFIED"] {
        let mut of_phase: Vec<_> = extensions.iter().filter(|extension| extension.phase == phase).collect();
        of_phase.dedup_by_key(|extension| &extension.name);
        http_filters.extend(of_phase.into_iter().map(|extension| extension.filter()));
    }
    http_filters.push(pieces::http_filter(
        "envoy.filters.http.grpc_stats",
        false,
        GrpcStats { emit_filter_state: true, ..GrpcStats::default() },
    ));
    http_filters.push(pieces::http_filter("envoy.filters.http.fault", false, HttpFault::default()));
    http_filters.push(pieces::http_filter("envoy.filters.http.cors", false, Cors {}));
    http_filters.push(pieces::http_filter("envoy.filters.http.router", false, Router::default()));
    Ok(HttpConnectionManager {
        stat_prefix: format!("outbound_0.0.0.0_{port}"),
        route_specifier: pieces::rds(route),
        http_filters,
        use_remote_address: Some(BoolValue { value: true }),
        normalize_path: Some(BoolValue { value: true }),
        forward_client_cert_details: ForwardClientCertDetails::SanitizeSet.into(),
        set_current_client_cert_details: Some(SetCurrentClientCertDetails {
            subject: Some(BoolValue { value: true }),
            cert: true,
            dns: true,
            uri: true,
            ..SetCurrentClientCertDetails::default()
        }),
        upgrade_configs: vec![UpgradeConfig { upgrade_type: "websocket".to_owned(), ..UpgradeConfig::default() }],
        stream_idle_timeout: seconds(0),
        ..HttpConnectionManager::default()
    })
}

fn routes(
    name: &str,
    hosts: &[String],
    port: u16,
    redirects: bool,
    gateway: &Value,
    objects: &Objects,
) -> Result<RouteConfiguration> {
    let mut virtual_hosts = Vec::new();
    for host in hosts {
        let routes = virtual_service(host, gateway, objects)?;
        if routes.is_empty() && !redirects {
            continue;
        }
        virtual_hosts.push(VirtualHost {
            name: format!("{host}:{port}"),
            domains: vec![host.clone()],
            routes,
            require_tls: if redirects { TlsRequirementType::All.into() } else { 0 },
            ..VirtualHost::default()
        });
    }
    if virtual_hosts.is_empty() {
        let domains = vec!["*".to_owned()];
        virtual_hosts.push(VirtualHost { name: format!("blackhole:{port}"), domains, ..VirtualHost::default() });
    }
    Ok(RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts,
        validate_clusters: Some(BoolValue { value: false }),
        ignore_port_in_host_matching: true,
        ..RouteConfiguration::default()
    })
}

/// The routes of VirtualServices for a host; direct responses suffice here.
fn virtual_service(host: &str, gateway: &Value, objects: &Objects) -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    for service in objects.of(NETWORKING, "VirtualService") {
        let names_gateway = texts(service, "/spec/gateways").iter().any(|name| gateway["metadata"]["name"] == *name);
        if !names_gateway || !texts(service, "/spec/hosts").iter().any(|name| name == host) {
            continue;
        }
        for http in list(service, "/spec/http") {
            let status = http.pointer("/directResponse/status").and_then(Value::as_u64).context("a direct response")?;
            let body = http.pointer("/directResponse/body/string").and_then(Value::as_str);
            let action = Action::DirectResponse(pieces::direct_response(u32::try_from(status)?, body));
            let everything = PathSpecifier::Prefix("/".to_owned());
            routes.push(Route {
                r#match: Some(RouteMatch { path_specifier: Some(everything), ..RouteMatch::default() }),
                action: Some(action),
                ..Route::default()
            });
        }
    }
    Ok(routes)
}

fn tls(server: &Value, proxy: &Proxy) -> Result<DownstreamTlsContext> {
    ensure!(text(server, "/tls/mode")? == "SIMPLE", "this knows SIMPLE only: {server}");
    let secret = credential(text(server, "/tls/credentialName")?, proxy)?;
    let common = CommonTlsContext {
        alpn_protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
        tls_certificate_sds_secret_configs: vec![secret],
        ..CommonTlsContext::default()
    };
    Ok(DownstreamTlsContext {
        common_tls_context: Some(common),
        require_client_certificate: Some(BoolValue { value: false }),
        ..DownstreamTlsContext::default()
    })
}

/// The three kinds of credential names, in the order in which istiod tries them.
fn credential(name: &str, proxy: &Proxy) -> Result<SdsSecretConfig> {
    let Some(bare) = name.strip_prefix("sds://") else { return Ok(of_kubernetes(name)) };
    if proxy.credential_socket.is_some() {
        return Ok(SdsSecretConfig { name: name.to_owned(), sds_config: Some(sds(SDS_EXTERNAL, "")) });
    }
    if let Some((service, port)) = &proxy.sds_provider {
        let source = sds(&outbound(service, *port), service);
        return Ok(SdsSecretConfig { name: bare.to_owned(), sds_config: Some(source) });
    }
    Ok(of_kubernetes(bare))
}

fn of_kubernetes(name: &str) -> SdsSecretConfig {
    let name = match name.contains("://") {
        true => name.to_owned(),
        false => format!("kubernetes://{name}"),
    };
    SdsSecretConfig { name, sds_config: Some(ads(None)) }
}

/// SDS in its state-of-the-world form, without a token: Istio has none to send.
fn sds(cluster: &str, authority: &str) -> ConfigSource {
    let api = ApiConfigSource {
        api_type: ApiType::Grpc.into(),
        transport_api_version: ApiVersion::V3.into(),
        set_node_on_first_message_only: true,
        grpc_services: vec![pieces::grpc(cluster, authority)],
        ..ApiConfigSource::default()
    };
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::ApiConfigSource(api)),
        ..ConfigSource::default()
    }
}

fn outbound(host: &str, port: u16) -> String {
    format!("outbound|{port}||{host}")
}

fn clusters(objects: &Objects, proxy: &Proxy) -> Result<Vec<Resource>> {
    let mut resources = Vec::new();
    for entry in objects.of(NETWORKING, "ServiceEntry") {
        for port in list(entry, "/spec/ports") {
            for host in texts(entry, "/spec/hosts") {
                resources.extend(service(entry, &host, port, objects)?);
            }
        }
    }
    if let Some(socket) = &proxy.credential_socket {
        resources.push(Resource::cluster(Cluster {
            name: SDS_EXTERNAL.to_owned(),
            cluster_discovery_type: pieces::discovery(DiscoveryType::Static),
            connect_timeout: seconds(10),
            load_assignment: Some(pieces::assignment(SDS_EXTERNAL, pieces::pipe(socket))),
            typed_extension_protocol_options: pieces::http2(),
            ..Cluster::default()
        }));
    }
    Ok(resources)
}

/// The cluster of a port of a ServiceEntry, with its endpoints, and the secret of Istio's agent that the cluster needs.
fn service(entry: &Value, host: &str, port: &Value, objects: &Objects) -> Result<Vec<Resource>> {
    let number = u16::try_from(port["number"].as_u64().context("a port has a number")?)?;
    let name = outbound(host, number);
    let mut cluster = Cluster { name: name.clone(), connect_timeout: seconds(10), ..Cluster::default() };
    let mut resources = Vec::new();
    match text(entry, "/spec/resolution")? {
        "DNS" => {
            cluster.cluster_discovery_type = pieces::discovery(DiscoveryType::StrictDns);
            cluster.dns_lookup_family = DnsLookupFamily::V4Only.into();
            cluster.load_assignment = Some(pieces::assignment(&name, pieces::named_socket(host, number)));
        }
        "STATIC" => {
            let endpoints = list(entry, "/spec/endpoints");
            let [endpoint] = endpoints else { bail!("{} endpoints of {host}", endpoints.len()) };
            let address = text(endpoint, "/address")?;
            let address = match address.strip_prefix("unix://") {
                Some(path) => {
                    ensure!(endpoint["ports"].is_null(), "unix endpoint {address} must not include ports");
                    let ports = list(entry, "/spec/ports");
                    ensure!(ports.len() == 1, "exactly 1 service port required for unix endpoints");
                    pieces::pipe(Path::new(path))
                }
                None => pieces::named_socket(address, number),
            };
            cluster.cluster_discovery_type = pieces::discovery(DiscoveryType::Eds);
            cluster.eds_cluster_config =
                Some(EdsClusterConfig { eds_config: Some(ads(seconds(0))), service_name: name.clone() });
            resources.push(Resource::endpoints(pieces::assignment(&name, address)));
        }
        other => bail!("resolution {other}"),
    }
    if matches!(text(port, "/protocol")?, "GRPC" | "HTTP2") {
        cluster.typed_extension_protocol_options = pieces::http2();
    }
    let rule = objects.of(NETWORKING, "DestinationRule").find(|rule| rule["spec"]["host"] == host);
    if let Some(settings) = rule.and_then(|rule| rule.pointer("/spec/trafficPolicy/tls")) {
        let roots = settings["caCertificates"].as_str().unwrap_or("system");
        cluster.transport_socket = pieces::tls_socket(upstream(settings, roots)?);
        resources.push(agents_roots(roots)?);
    }
    resources.push(Resource::cluster(cluster));
    Ok(resources)
}

fn upstream(settings: &Value, roots: &str) -> Result<UpstreamTlsContext> {
    ensure!(text(settings, "/mode")? == "SIMPLE", "this knows SIMPLE only: {settings}");
    ensure!(settings["insecureSkipVerify"].is_null(), "the CA must be verified");
    let exact = |name: String| StringMatcher { match_pattern: Some(MatchPattern::Exact(name)), ignore_case: false };
    let names: Vec<StringMatcher> = texts(settings, "/subjectAltNames").into_iter().map(exact).collect();
    #[expect(deprecated, reason = "Istio's own field")]
    let default = CertificateValidationContext { match_subject_alt_names: names, ..Default::default() };
    let combined = CombinedCertificateValidationContext {
        default_validation_context: Some(default),
        validation_context_sds_secret_config: Some(SdsSecretConfig {
            name: format!("file-root:{roots}"),
            sds_config: Some(sds("sds-grpc", "")),
        }),
        ..CombinedCertificateValidationContext::default()
    };
    Ok(UpstreamTlsContext {
        sni: settings["sni"].as_str().unwrap_or_default().to_owned(),
        common_tls_context: Some(CommonTlsContext {
            validation_context_type: Some(ValidationContextType::CombinedValidationContext(combined)),
            ..CommonTlsContext::default()
        }),
        ..UpstreamTlsContext::default()
    })
}

/// Roots in a file of the proxy's container, which Istio's agent serves by SDS.
fn agents_roots(path: &str) -> Result<Resource> {
    let pem = std::fs::read_to_string(path).with_context(|| format!("the agent can't read {path}"))?;
    let context = CertificateValidationContext {
        trusted_ca: pieces::inline_bytes(&pem),
        ..CertificateValidationContext::default()
    };
    Ok(Resource::secret(Secret {
        name: format!("file-root:{path}"),
        r#type: Some(SecretType::ValidationContext(context)),
    }))
}
