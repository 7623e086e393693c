//! An Envoy whose TLS listener takes its certificates from the sidecar, and its visitors.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::http::{Endpoint, Reply};
use harness::tls::{Roots, Served, handshake};
use harness::tokens;
use harness::{Bootstrap, Envoy, EnvoyOptions, ports, until};
use serde_json::{Value, json};

use super::scene::Scene;

/// The variant of xDS that an Envoy speaks.
#[derive(Clone, Copy)]
pub enum Protocol {
    AdsDelta,
    AdsStateOfTheWorld,
    Delta,
    /// SDS by gRPC's own client, C-core, instead of Envoy's.
    Google,
    StateOfTheWorld,
}

/// The secrets of the listener.
#[derive(Clone, Copy)]
pub enum Mode<'a> {
    /// A list of names; Envoy selects by SNI.
    Classic(&'a [&'a str]),
    /// The same, but Envoy waits only a second.
    Impatient(&'a [&'a str]),
    /// The SNI of each handshake.
    OnDemand,
}

impl Protocol {
    pub const ALL: [Self; 4] = [Self::AdsDelta, Self::AdsStateOfTheWorld, Self::Delta, Self::StateOfTheWorld];

    pub fn name(self) -> &'static str {
        match self {
            Self::AdsDelta => "ads-delta",
            Self::AdsStateOfTheWorld => "ads-sotw",
            Self::Delta => "delta",
            Self::Google => "google",
            Self::StateOfTheWorld => "sotw",
        }
    }

    fn api(self, scene: &Scene) -> Value {
        let api_type = match self {
            Self::AdsDelta | Self::Delta => "DELTA_GRPC",
            Self::AdsStateOfTheWorld | Self::Google | Self::StateOfTheWorld => "GRPC",
        };
        // Without it, Envoy retries after up to 30 s.
        let retry = json!({ "retry_back_off": { "base_interval": "0.05s", "max_interval": "1s" } });
        let mut service = match self {
            Self::Google => {
                let target = format!("unix:{}", scene.socket().display());
                json!({ "google_grpc": { "target_uri": target, "stat_prefix": "sds" } })
            }
            _ => json!({ "envoy_grpc": { "cluster_name": "sds", "retry_policy": retry } }),
        };
        service["initial_metadata"] = json!([{ "key": tokens::METADATA, "value": tokens::SDS }]);
        json!({
            "api_type": api_type,
            "transport_api_version": "V3",
            "set_node_on_first_message_only": true,
            "grpc_services": [service],
        })
    }

    fn is_aggregated(self) -> bool {
        matches!(self, Self::AdsDelta | Self::AdsStateOfTheWorld)
    }

    fn source(self, scene: &Scene, patience: &str) -> Value {
        let (kind, api) =
            if self.is_aggregated() { ("ads", json!({})) } else { ("api_config_source", self.api(scene)) };
        json!({ "resource_api_version": "V3", "initial_fetch_timeout": patience, kind: api })
    }
}

/// A running Envoy.
pub struct Client {
    pub envoy: Envoy,
    plain: SocketAddr,
    tls: SocketAddr,
    roots: Roots,
}

impl Client {
    pub fn start(scene: &Scene, protocol: Protocol, mode: Mode<'_>) -> Result<Self> {
        let options = EnvoyOptions { name: protocol.name().to_owned(), ..EnvoyOptions::default() };
        Self::start_with(scene, protocol, mode, options)
    }

    pub fn start_with(scene: &Scene, protocol: Protocol, mode: Mode<'_>, options: EnvoyOptions) -> Result<Self> {
        let plain = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let tls = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let mut bootstrap = Bootstrap::shipped()?;
        *bootstrap.value() = configuration(scene, protocol, mode, plain, tls);
        let envoy = Envoy::start(&scene.place, &mut bootstrap, options)?;
        Ok(Self { envoy, plain, tls, roots: scene.roots.clone() })
    }

    pub fn handshake(&self, name: &str) -> Result<Served> {
        handshake(self.tls, name, &self.roots)
    }

    /// Waits until the certificate with this serial number is served for a name.
    pub fn serves(&self, name: &str, serial: &str, limit: Duration) -> Result<()> {
        until(&format!("certificate {serial} for {name}"), limit, || {
            let served = self.handshake(name)?;
            ensure!(served.serial == serial, "it has certificate {}", served.serial);
            Ok(())
        })
    }

    /// Waits until a certificate of the test's CA is served for a name.
    pub fn serves_any(&self, name: &str, limit: Duration) -> Result<()> {
        until(&format!("a certificate for {name}"), limit, || self.handshake(name).map(drop))
    }

    /// A request over TLS.
    pub fn get(&self, name: &str, path: &str) -> Result<Reply> {
        Endpoint::Tls { address: self.tls, name: name.to_owned(), roots: self.roots.clone() }.get(path)
    }

    /// A request to the listener without TLS.
    pub fn plain(&self, path: &str) -> Result<Reply> {
        Endpoint::Tcp(self.plain).get(path)
    }

    /// Fails unless there is a stream to the sidecar, or none, as wanted.
    pub fn is_connected(&self, wanted: bool) -> Result<()> {
        let streams = self.envoy.stat("cluster.sds.upstream_rq_active")?;
        ensure!((streams > 0) == wanted, "{streams} streams to the sidecar");
        Ok(())
    }
}

fn configuration(scene: &Scene, protocol: Protocol, mode: Mode<'_>, plain: SocketAddr, tls: SocketAddr) -> Value {
    let mut secure = json!({ "filters": [manager()] });
    secure["transport_socket"] = json!({ "name": "tls", "typed_config": tls_context(scene, protocol, mode) });
    let inspector =
        json!({ "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector" });
    let mut secure = listener("secure", tls, secure);
    secure["listener_filters"] = json!([{ "name": "tls_inspector", "typed_config": inspector }]);
    let listeners = json!([listener("plain", plain, json!({ "filters": [manager()] })), secure]);
    let mut configuration = json!({
        "node": { "id": protocol.name(), "cluster": "test" },
        "admin": { "address": address((Ipv4Addr::LOCALHOST, 0).into()) },
        "static_resources": { "listeners": listeners, "clusters": [cluster(scene)] },
    });
    if protocol.is_aggregated() {
        configuration["dynamic_resources"] = json!({ "ads_config": protocol.api(scene) });
    }
    configuration
}

fn tls_context(scene: &Scene, protocol: Protocol, mode: Mode<'_>) -> Value {
    let mut context = json!({
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": { "alpn_protocols": ["h2", "http/1.1"] },
    });
    let listed = |names: &[&str], patience: &str| -> Value {
        names.iter().map(|name| json!({ "name": name, "sds_config": protocol.source(scene, patience) })).collect()
    };
    let common = &mut context["common_tls_context"];
    match mode {
        Mode::Classic(names) => common["tls_certificate_sds_secret_configs"] = listed(names, "60s"),
        Mode::Impatient(names) => common["tls_certificate_sds_secret_configs"] = listed(names, "1s"),
        Mode::OnDemand => {
            common["custom_tls_certificate_selector"] = on_demand(scene, protocol);
            context["disable_stateless_session_resumption"] = json!(true);
            context["disable_stateful_session_resumption"] = json!(true);
        }
    }
    context
}

fn on_demand(scene: &Scene, protocol: Protocol) -> Value {
    let package = "type.googleapis.com/envoy.extensions.transport_sockets.tls";
    let mapper = json!({ "@type": format!("{package}.cert_mappers.sni.v3.SNI"), "default_value": "default" });
    let selector = json!({
        "@type": format!("{package}.cert_selectors.on_demand_secret.v3.Config"),
        "certificate_mapper": { "name": "sni", "typed_config": mapper },
        "config_source": protocol.source(scene, "15s"),
    });
    json!({ "name": "envoy.tls.certificate_selectors.on_demand_secret", "typed_config": selector })
}

fn listener(name: &str, at: SocketAddr, chain: Value) -> Value {
    json!({ "name": name, "address": address(at), "filter_chains": [chain] })
}

fn address(at: SocketAddr) -> Value {
    json!({ "socket_address": { "address": at.ip(), "port_value": at.port() } })
}

/// An HTTP connection manager that answers every request.
fn manager() -> Value {
    let package = "type.googleapis.com/envoy.extensions.filters";
    let route = json!({ "match": { "prefix": "/" }, "direct_response": { "status": 200 } });
    let router = json!({ "@type": format!("{package}.http.router.v3.Router") });
    let manager = json!({
        "@type": format!("{package}.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "test",
        "http_filters": [{ "name": "envoy.filters.http.router", "typed_config": router }],
        "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [route] }] },
    });
    json!({ "name": "envoy.filters.network.http_connection_manager", "typed_config": manager })
}

fn cluster(scene: &Scene) -> Value {
    let endpoint = json!({ "address": { "pipe": { "path": scene.socket() } } });
    let options = json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": { "http2_protocol_options": {} },
    });
    json!({
        "name": "sds",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": { "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options },
        "load_assignment": { "cluster_name": "sds", "endpoints": [{ "lb_endpoints": [{ "endpoint": endpoint }] }] },
    })
}
