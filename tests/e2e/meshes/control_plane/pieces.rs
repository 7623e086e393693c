//! Envoy's messages, for both control planes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;

use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType};
use envoy_types::pb::envoy::config::core::v3::address::Address as AnyAddress;
use envoy_types::pb::envoy::config::core::v3::config_source::ConfigSourceSpecifier;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier as DataSpecifier;
use envoy_types::pb::envoy::config::core::v3::grpc_service::{EnvoyGrpc, TargetSpecifier};
use envoy_types::pb::envoy::config::core::v3::socket_address::PortSpecifier;
use envoy_types::pb::envoy::config::core::v3::transport_socket::ConfigType as SocketConfig;
use envoy_types::pb::envoy::config::core::v3::{
    Address, AggregatedConfigSource, ApiVersion, ConfigSource, DataSource, GrpcService, Http2ProtocolOptions, Pipe,
    SocketAddress, TransportSocket,
};
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints};
use envoy_types::pb::envoy::config::listener::v3::filter::ConfigType as FilterConfigType;
use envoy_types::pb::envoy::config::listener::v3::listener_filter::ConfigType as ListenerFilterConfigType;
use envoy_types::pb::envoy::config::listener::v3::{Filter, Listener, ListenerFilter};
use envoy_types::pb::envoy::config::route::v3::{DirectResponseAction, RouteConfiguration};
use envoy_types::pb::envoy::extensions::filters::listener::tls_inspector::v3::TlsInspector;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_connection_manager::RouteSpecifier;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::http_filter::ConfigType;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpConnectionManager, HttpFilter, Rds,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::{DownstreamTlsContext, Secret};
use envoy_types::pb::envoy::extensions::upstreams::http::v3::HttpProtocolOptions;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::explicit_http_config::ProtocolConfig;
use envoy_types::pb::envoy::extensions::upstreams::http::v3::http_protocol_options::{
    ExplicitHttpConfig, UpstreamProtocolOptions,
};
use envoy_types::pb::google::protobuf::{Any, Duration};
use envoy_types::util::pack_any;
use prost::{Message, Name};

/// The types in the order that xDS wants: referenced ones first.
pub(super) const ORDER: [&str; 6] = [
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
    "type.googleapis.com/envoy.config.listener.v3.Listener",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
    SECRET,
];

/// The type of secrets.
pub(super) const SECRET: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret";

/// A resource, served by its type and name.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) message: Any,
}

impl Resource {
    pub(super) fn new<M: Message + Name>(name: &str, message: M) -> Self {
        let message = pack_any(message);
        // Equal resources have equal versions, and no others.
        let version = message
            .value
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
        Self { kind: message.type_url.clone(), name: name.to_owned(), version: format!("{version:016x}"), message }
    }

    pub(super) fn cluster(cluster: Cluster) -> Self {
        Self::new(&cluster.name.clone(), cluster)
    }

    pub(super) fn listener(listener: Listener) -> Self {
        Self::new(&listener.name.clone(), listener)
    }

    pub(super) fn routes(routes: RouteConfiguration) -> Self {
        Self::new(&routes.name.clone(), routes)
    }

    pub(super) fn endpoints(endpoints: ClusterLoadAssignment) -> Self {
        Self::new(&endpoints.cluster_name.clone(), endpoints)
    }

    pub(super) fn secret(secret: Secret) -> Self {
        Self::new(&secret.name.clone(), secret)
    }
}

pub(super) fn seconds(seconds: i64) -> Option<Duration> {
    Some(Duration { seconds, nanos: 0 })
}

/// ADS; a resource may be waited for without end.
pub(super) fn ads(initial_fetch_timeout: Option<Duration>) -> ConfigSource {
    ConfigSource {
        initial_fetch_timeout,
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(ConfigSourceSpecifier::Ads(AggregatedConfigSource {})),
        ..ConfigSource::default()
    }
}

pub(super) fn grpc(cluster: &str, authority: &str) -> GrpcService {
    let envoy_grpc =
        EnvoyGrpc { cluster_name: cluster.to_owned(), authority: authority.to_owned(), ..EnvoyGrpc::default() };
    GrpcService { target_specifier: Some(TargetSpecifier::EnvoyGrpc(envoy_grpc)), ..GrpcService::default() }
}

pub(super) fn socket(address: SocketAddr) -> Address {
    named_socket(&address.ip().to_string(), address.port())
}

pub(super) fn named_socket(host: &str, port: u16) -> Address {
    let socket = SocketAddress {
        address: host.to_owned(),
        port_specifier: Some(PortSpecifier::PortValue(port.into())),
        ..SocketAddress::default()
    };
    Address { address: Some(AnyAddress::SocketAddress(socket)) }
}

pub(super) fn pipe(path: &Path) -> Address {
    Address { address: Some(AnyAddress::Pipe(Pipe { path: path.display().to_string(), mode: 0 })) }
}

pub(super) fn assignment(cluster: &str, address: Address) -> ClusterLoadAssignment {
    let endpoint = Endpoint { address: Some(address), ..Endpoint::default() };
    let endpoint = LbEndpoint { host_identifier: Some(HostIdentifier::Endpoint(endpoint)), ..LbEndpoint::default() };
    ClusterLoadAssignment {
        cluster_name: cluster.to_owned(),
        endpoints: vec![LocalityLbEndpoints { lb_endpoints: vec![endpoint], ..LocalityLbEndpoints::default() }],
        ..ClusterLoadAssignment::default()
    }
}

pub(super) fn discovery(kind: DiscoveryType) -> Option<ClusterDiscoveryType> {
    Some(ClusterDiscoveryType::Type(kind.into()))
}

/// The options of a cluster that speaks HTTP/2.
pub(super) fn http2() -> HashMap<String, Any> {
    let options = HttpProtocolOptions {
        upstream_protocol_options: Some(UpstreamProtocolOptions::ExplicitHttpConfig(ExplicitHttpConfig {
            protocol_config: Some(ProtocolConfig::Http2ProtocolOptions(Http2ProtocolOptions::default())),
        })),
        ..HttpProtocolOptions::default()
    };
    HashMap::from([("envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned(), pack_any(options))])
}

pub(super) fn tls_socket<M: Message + Name>(context: M) -> Option<TransportSocket> {
    Some(TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(SocketConfig::TypedConfig(pack_any(context))),
    })
}

pub(super) fn downstream_tls(context: DownstreamTlsContext) -> Option<TransportSocket> {
    tls_socket(context)
}

pub(super) fn manager(manager: HttpConnectionManager) -> Filter {
    Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(FilterConfigType::TypedConfig(pack_any(manager))),
    }
}

pub(super) fn rds(name: &str) -> Option<RouteSpecifier> {
    Some(RouteSpecifier::Rds(Rds { config_source: Some(ads(seconds(0))), route_config_name: name.to_owned() }))
}

pub(super) fn http_filter<M: Message + Name>(name: &str, disabled: bool, config: M) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        disabled,
        config_type: Some(ConfigType::TypedConfig(pack_any(config))),
        ..HttpFilter::default()
    }
}

pub(super) fn tls_inspector() -> ListenerFilter {
    ListenerFilter {
        name: "envoy.filters.listener.tls_inspector".to_owned(),
        config_type: Some(ListenerFilterConfigType::TypedConfig(pack_any(TlsInspector::default()))),
        ..ListenerFilter::default()
    }
}

pub(super) fn inline(text: &str) -> DataSource {
    DataSource { specifier: Some(DataSpecifier::InlineString(text.to_owned())), ..DataSource::default() }
}

pub(super) fn inline_bytes(text: &str) -> Option<DataSource> {
    let specifier = Some(DataSpecifier::InlineBytes(text.as_bytes().to_vec()));
    Some(DataSource { specifier, ..DataSource::default() })
}

pub(super) fn direct_response(status: u32, body: Option<&str>) -> DirectResponseAction {
    DirectResponseAction { status, body: body.map(inline), ..DirectResponseAction::default() }
}
