//! Every form in which a configuration can lead a client to the sidecar or to the admin interface is reported with its
//! position; nothing else is.

#![allow(clippy::panic, clippy::unwrap_used)]

use crate::check::tests::filled_in;
use crate::check::{Document, Report, envoy, kubernetes};

const REFERENCE: &str = include_str!("../../../../../envoy/envoy.yaml");
const LISTENERS: &str = "static_resources:\n  listeners:\n";
const CLUSTERS: &str = "\n  clusters:\n";

/// A cluster of the user's own.
const BACKEND: &str = "  - { name: backend, type: STATIC, load_assignment: { cluster_name: backend, endpoints: [{ \
                       lb_endpoints: [{ endpoint: { address: { socket_address: { address: 10.0.0.1, port_value: 80 } } } \
                       }] }] } }\n";

/// The reference with a listener that has this network filter, and with these clusters.
fn with(filter: &str, clusters: &str) -> Report {
    let listener = format!(
        "  - name: other\n    address: {{ socket_address: {{ address: 0.0.0.0, port_value: 8080 }} }}\n    \
         filter_chains: [{{ filters: [{filter}] }}]\n"
    );
    let text = filled_in(REFERENCE).replacen(LISTENERS, &format!("{LISTENERS}{listener}"), 1).replacen(
        CLUSTERS,
        &format!("{CLUSTERS}{clusters}{BACKEND}"),
        1,
    );
    envoy(&Document::all("envoy.yaml", &text).unwrap())
}

fn typed(kind: &str, fields: &str) -> String {
    format!("{{ name: x, typed_config: {{ \"@type\": type.googleapis.com/envoy.extensions.{kind}, {fields} }} }}")
}

/// A connection manager with these fields.
fn manager(fields: &str) -> String {
    let router = format!("http_filters: [{}]", typed("filters.http.router.v3.Router", ""));
    let filters = if fields.contains("http_filters") { "" } else { &router };
    let fields = format!("stat_prefix: x, request_headers_timeout: 10s, request_timeout: 60s, {fields}, {filters}");
    typed("filters.network.http_connection_manager.v3.HttpConnectionManager", &fields)
}

/// A connection manager with these routes.
fn routes(routes: &str) -> String {
    manager(&format!("route_config: {{ virtual_hosts: [{{ name: v, domains: ['*'], routes: [{routes}] }}] }}"))
}

/// A connection manager with one route that has this action.
fn route(action: &str) -> String {
    routes(&format!("{{ match: {{ prefix: / }}, route: {{ {action} }} }}"))
}

/// A connection manager with this HTTP filter.
fn http_filter(kind: &str, fields: &str) -> String {
    manager(&format!("http_filters: [{}]", typed(&format!("filters.http.{kind}"), fields)))
}

/// A server of a cluster.
fn cluster(name: &str, address: &str) -> String {
    format!(
        "  - {{ name: {name}, type: STATIC, load_assignment: {{ cluster_name: {name}, endpoints: [{{ lb_endpoints: [{{ \
         endpoint: {{ address: {{ {address} }} }} }}] }}] }} }}\n"
    )
}

/// The only mistake, as a line.
fn mistake(report: &Report) -> String {
    assert_eq!(report.warnings, [], "{report:#?}");
    let [mistake] = &report.mistakes[..] else { panic!("{report:#?}") };
    mistake.to_string()
}

#[test]
fn whatever_names_the_sidecars_clusters_is_a_mistake() {
    let grpc = "grpc_service: { envoy_grpc: { cluster_name: envoy-autocert-api } }";
    let tcp = |fields: &str| typed("filters.network.tcp_proxy.v3.TcpProxy", fields);
    for (filter, path) in [
        (route("cluster: envoy-autocert-api"), "virtual_hosts[0].routes[0].route.cluster"),
        (
            route(
                "weighted_clusters: { clusters: [{ name: backend, weight: 1 }, { name: envoy-autocert-api, weight: 0 }] }",
            ),
            "route.weighted_clusters.clusters[1].name",
        ),
        (
            route("weightedClusters: { clusters: [{ name: envoy-autocert-api, weight: 1 }] }"),
            "route.weightedClusters.clusters[0].name",
        ),
        (
            route("cluster: backend, request_mirror_policies: [{ cluster: envoy-autocert-api }]"),
            "route.request_mirror_policies[0].cluster",
        ),
        (
            manager(
                "route_config: { request_mirror_policies: [{ cluster: envoy-autocert-api }], virtual_hosts: [{ name: v, \
                 domains: ['*'], routes: [{ match: { path: /stats }, route: { cluster: backend } }] }] }",
            ),
            "route_config.request_mirror_policies[0].cluster",
        ),
        (
            manager(
                "route_config: { virtual_hosts: [{ name: v, domains: ['*'], matcher: { matcher_tree: { exact_match_map: { \
                 map: { x: { action: { name: route, typed_config: { \"@type\": \
                 type.googleapis.com/envoy.config.route.v3.Route, match: { prefix: / }, route: { cluster: \
                 envoy-autocert-api } } } } } } } } }] }",
            ),
            "matcher.matcher_tree.exact_match_map.map.x.action.typed_config.route.cluster",
        ),
        (
            manager(
                "scoped_routes: { name: s, scoped_route_configurations_list: { scoped_route_configurations: [{ \
                 route_configuration: { virtual_hosts: [{ name: v, domains: ['*'], routes: [{ match: { prefix: / }, route: \
                 { cluster: envoy-autocert-api } }] }] } }] } }",
            ),
            "scoped_route_configurations[0].route_configuration.virtual_hosts[0].routes[0].route.cluster",
        ),
        (tcp("cluster: envoy-autocert-sds"), "typed_config.cluster"),
        (
            tcp("weighted_clusters: { clusters: [{ name: envoy-autocert-sds, weight: 1 }] }"),
            "weighted_clusters.clusters[0].name",
        ),
        (typed("filters.udp.udp_proxy.v3.UdpProxyConfig", "cluster: envoy-autocert-sds"), "typed_config.cluster"),
        (
            typed(
                "filters.network.redis_proxy.v3.RedisProxy",
                "prefix_routes: { catch_all_route: { cluster: envoy-autocert-api } }",
            ),
            "catch_all_route.cluster",
        ),
        (
            typed(
                "filters.network.set_filter_state.v3.Config",
                "on_new_connection: [{ object_key: envoy.tcp_proxy.cluster, format_string: { text_format_source: { \
                 inline_string: envoy-autocert-api } } }]",
            ),
            "inline_string",
        ),
        (http_filter("ext_authz.v3.ExtAuthz", grpc), "grpc_service.envoy_grpc.cluster_name"),
        (
            http_filter(
                "ext_authz.v3.ExtAuthz",
                "http_service: { server_uri: { uri: x, cluster: envoy-autocert-api } }",
            ),
            "http_service.server_uri.cluster",
        ),
        (http_filter("ext_proc.v3.ExternalProcessor", grpc), "grpc_service.envoy_grpc.cluster_name"),
        (
            http_filter(
                "ext_proc.v3.ExternalProcessor",
                "grpc_service: { google_grpc: { target_uri: 'unix:/run/envoy-autocert/api.sock' } }",
            ),
            "google_grpc.target_uri: found \"unix:/run/envoy-autocert/api.sock\", which is the sidecar's API",
        ),
        (
            http_filter("ratelimit.v3.RateLimit", &format!("rate_limit_service: {{ {grpc} }}")),
            "rate_limit_service.grpc_service.envoy_grpc.cluster_name",
        ),
        (
            http_filter(
                "jwt_authn.v3.JwtAuthentication",
                "providers: { p: { remote_jwks: { http_uri: { uri: x, cluster: envoy-autocert-api } } } }",
            ),
            "providers.p.remote_jwks.http_uri.cluster",
        ),
        (
            http_filter(
                "lua.v3.Lua",
                "default_source_code: { inline_string: \"handle:httpCall('envoy-autocert-api', {}, '', 1)\" }",
            ),
            "inline_string: found code that names the cluster \"envoy-autocert-api\"",
        ),
        (
            http_filter(
                "wasm.v3.Wasm",
                "config: { name: other, configuration: { \"@type\": type.googleapis.com/google.protobuf.StringValue, value: \
                 '{\"upstream\":\"envoy-autocert-sds\"}' } }",
            ),
            "configuration.value: found code that names the cluster \"envoy-autocert-sds\"",
        ),
        (
            http_filter(
                "wasm.v3.Wasm",
                "config: { name: other, configuration: { \"@type\": type.googleapis.com/google.protobuf.Struct, value: { \
                 upstream: envoy-autocert-sds } } }",
            ),
            "configuration.value.upstream: found code that names",
        ),
        (
            manager(&format!(
                "access_log: [{}]",
                typed("access_loggers.grpc.v3.HttpGrpcAccessLogConfig", &format!("common_config: {{ {grpc} }}"))
            )),
            "common_config.grpc_service.envoy_grpc.cluster_name",
        ),
        (
            manager(&format!(
                "tracing: {{ provider: {} }}",
                typed("trace.v3.ZipkinConfig", "collector_cluster: envoy-autocert-api")
            )),
            "provider.typed_config.collector_cluster",
        ),
    ] {
        let said = mistake(&with(&filter, ""));
        assert!(said.contains("static_resources.listeners[0].filter_chains[0].filters[0]"), "{said}");
        assert!(said.contains(path) && said.contains("the sidecar's"), "{path}\n{said}");
    }
}

#[test]
fn a_mistake_has_the_line_of_the_name() {
    let text = filled_in(REFERENCE).replacen(
        "redirect: { https_redirect: true }",
        "route: { cluster: envoy-autocert-api }",
        1,
    );
    assert_ne!(text, REFERENCE);
    let line = text.lines().position(|line| line.contains("route: { cluster: envoy-autocert-api }"));
    let report = envoy(&Document::all("envoy.yaml", &text).unwrap());
    assert_eq!(report.mistakes.first().and_then(|mistake| mistake.line), line.map(|index| index + 1), "{report:#?}");
}

#[test]
fn a_cluster_of_any_name_that_leads_to_the_sidecar_is_the_sidecars() {
    for address in
        ["pipe: { path: /run/envoy-autocert/api.sock }", "pipe: { path: /var/run/envoy-autocert//./sds.sock }"]
    {
        let said = mistake(&with(&route("cluster: mine"), &cluster("mine", address)));
        assert!(said.contains("the cluster \"mine\", which leads to the sidecar's"), "{said}");
        // The cluster exists, and no route leads to it.
        assert_eq!(with(&route("cluster: backend"), &cluster("mine", address)), Report::default());
    }
    let aggregate = "  - { name: all, cluster_type: { name: envoy.clusters.aggregate, typed_config: { \"@type\": \
                     type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig, clusters: [backend, \
                     envoy-autocert-api] } } }\n";
    let said = mistake(&with(&route("cluster: all"), aggregate));
    assert!(said.contains("cluster_type.typed_config.clusters[1]"), "{said}");
}

#[test]
fn endpoints_of_files_are_looked_at() {
    let mine = "  - { name: mine, type: EDS, eds_cluster_config: { eds_config: { path_config_source: { path: eds.yaml } } } }\n";
    let routes = routes("{ match: { prefix: / }, route: { cluster: mine } }");
    let listener = format!("  - {{ name: other, filter_chains: [{{ filters: [{routes}] }}] }}\n");
    let text = filled_in(REFERENCE).replacen(LISTENERS, &format!("{LISTENERS}{listener}"), 1).replacen(
        CLUSTERS,
        &format!("{CLUSTERS}{mine}"),
        1,
    );
    let mut documents = Document::all("envoy.yaml", &text).unwrap();
    assert_eq!(documents[0].files(), ["eds.yaml"]);
    assert_eq!(envoy(&documents), Report::default());
    let endpoints = "resources:\n- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n  \
                     cluster_name: mine\n  endpoints: [{ lb_endpoints: [{ endpoint: { address: { pipe: { path: \
                     /run/envoy-autocert/sds.sock } } } }] }]\n";
    documents.extend(Document::all("eds.yaml", endpoints).unwrap());
    assert!(mistake(&envoy(&documents)).contains("the cluster \"mine\", which leads to the sidecar's SDS"));
}

#[test]
fn the_api_over_tcp_is_the_sidecars_as_well() {
    let pipe = "{ pipe: { path: /run/envoy-autocert/api.sock } }";
    let tcp = "{ socket_address: { address: 127.0.0.1, port_value: 9971 } }";
    assert!(REFERENCE.contains(pipe));
    for (host, port, leads) in [("localhost", 9971, true), ("::1", 9971, true), ("127.0.0.1", 9972, false)] {
        let mine = cluster("mine", &format!("socket_address: {{ address: '{host}', port_value: {port} }}"));
        let text = REFERENCE
            .replacen(pipe, tcp, 1)
            .replacen("redirect: { https_redirect: true }", "route: { cluster: mine }", 1)
            .replacen(CLUSTERS, &format!("{CLUSTERS}{mine}"), 1);
        let report = envoy(&Document::all("envoy.yaml", &text).unwrap());
        assert_eq!(report.mistakes.len(), usize::from(leads), "{host}:{port}: {report:#?}");
    }
}

#[test]
fn a_client_that_chooses_the_cluster_is_warned_of() {
    let inline = "inline_cluster_specifier_plugin: { extension: { name: x, typed_config: { \"@type\": x } } }";
    let chosen = typed(
        "filters.network.set_filter_state.v3.Config",
        "on_new_connection: [{ object_key: envoy.tcp_proxy.cluster, format_string: { text_format_source: { inline_string: \
         '%REQUESTED_SERVER_NAME%' } } }]",
    );
    for (filter, path) in [
        (route("cluster_header: x-cluster"), "route.cluster_header: found a cluster that a header names"),
        (route("clusterHeader: x-cluster"), "route.clusterHeader"),
        (route("weighted_clusters: { clusters: [{ cluster_header: x, weight: 1 }] }"), "clusters[0].cluster_header"),
        (route("cluster: backend, request_mirror_policies: [{ cluster_header: x }]"), "[0].cluster_header"),
        (
            route("cluster_specifier_plugin: lua"),
            "route.cluster_specifier_plugin: found a cluster that a plugin chooses",
        ),
        (route(inline), "route.inline_cluster_specifier_plugin"),
        (chosen, "inline_string: found a cluster that depends on the client's request"),
        (
            typed("filters.network.sni_cluster.v3.SniCluster", "").replace(", }", " }"),
            "typed_config: found a cluster that the handshake's SNI names",
        ),
    ] {
        let report = with(&filter, "");
        assert_eq!(report.mistakes, [], "{path}");
        let [warning] = &report.warnings[..] else { panic!("{path}: {report:#?}") };
        assert!(warning.to_string().contains(path), "{path}: {warning}");
    }
}

#[test]
fn the_admin_interface_is_nobodys_server_but_for_what_monitoring_asks() {
    let page = |matched: &str, action: &str| {
        routes(&format!("{{ match: {{ {matched} }}, route: {{ cluster: a, {action} }} }}"))
    };
    for address in ["127.0.0.1", "localhost", "'::1'"] {
        let admin = cluster("a", &format!("socket_address: {{ address: {address}, port_value: 9901 }}"));
        let said = mistake(&with(&page("prefix: /", ""), &admin));
        assert!(
            said.contains("route.cluster: found the cluster \"a\", which leads to Envoy's admin interface"),
            "{said}"
        );
        for harmless in [page("path: /stats/prometheus", ""), page("path: /m", "prefix_rewrite: /stats/prometheus")] {
            assert_eq!(with(&harmless, &admin), Report::default());
        }
        let tcp = typed("filters.network.tcp_proxy.v3.TcpProxy", "cluster: a");
        assert!(mistake(&with(&tcp, &admin)).contains("typed_config.cluster"));
    }
    // The same action under two matches: an alias is visited under both.
    let admin = cluster("a", "socket_address: { address: 127.0.0.1, port_value: 9901 }");
    let both = routes("{ match: { path: /stats }, route: &to { cluster: a } }, { match: { prefix: / }, route: *to }");
    assert!(mistake(&with(&both, &admin)).contains("routes[1].route.cluster"));
}

#[test]
fn an_admin_interface_that_others_reach_is_warned_of() {
    for (address, told) in [
        ("socket_address: { address: 0.0.0.0, port_value: 9901 }", true),
        ("socket_address: { address: '::', port_value: 9901 }", true),
        ("socket_address: { address: 10.1.2.3, port_value: 9901 }", true),
        ("socket_address: { address: '::1', port_value: 9901 }", false),
        ("pipe: { path: /run/envoy/admin.sock }", false),
    ] {
        let text =
            filled_in(REFERENCE).replacen("socket_address: { address: 127.0.0.1, port_value: 9901 }", address, 1);
        let report = envoy(&Document::all("envoy.yaml", &text).unwrap());
        assert_eq!((report.mistakes.len(), report.warnings.len()), (0, usize::from(told)), "{address}: {report:#?}");
    }
}

#[test]
fn a_dynamic_forward_proxy_beside_an_admin_port_causes_a_warning() {
    let dynamic = "  - { name: any, cluster_type: { name: envoy.clusters.dynamic_forward_proxy, typed_config: { \"@type\": \
                   type.googleapis.com/envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig } } }\n";
    let original = |by_header: bool| {
        format!("  - {{ name: any, type: ORIGINAL_DST, original_dst_lb_config: {{ use_http_header: {by_header} }} }}\n")
    };
    for (cluster, told) in [(dynamic.to_owned(), 1), (original(true), 1), (original(false), 0)] {
        let report = with(&route("cluster: any"), &cluster);
        assert_eq!((report.mistakes.len(), report.warnings.len()), (0, told), "{cluster}: {report:#?}");
    }
}

#[test]
fn routes_of_files_are_checked_and_those_of_elsewhere_are_said_not_to_be() {
    let file = "rds: { route_config_name: r, config_source: { path_config_source: { path: rds.yaml } } }";
    let bootstrap = |fields: &str| {
        let listener = format!("  - {{ name: other, filter_chains: [{{ filters: [{}] }}] }}\n", manager(fields));
        filled_in(REFERENCE).replacen(LISTENERS, &format!("{LISTENERS}{listener}"), 1)
    };
    let routes = "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3.RouteConfiguration\n  virtual_hosts: [{ \
                  name: v, domains: ['*'], routes: [{ match: { prefix: / }, route: { cluster: envoy-autocert-api } }] }]\n";
    let mut documents = Document::all("envoy.yaml", &bootstrap(file)).unwrap();
    assert_eq!(documents[0].files(), ["rds.yaml"]);
    let report = envoy(&documents);
    assert_eq!(report.mistakes, []);
    assert!(report.warnings[0].to_string().contains("found routes from the file rds.yaml"), "{report:#?}");
    documents.extend(Document::all("rds.yaml", routes).unwrap());
    let said = mistake(&envoy(&documents));
    assert!(said.starts_with("rds.yaml:3: resources[0].virtual_hosts[0].routes[0].route.cluster"), "{said}");
    let elsewhere = "rds: { route_config_name: r, config_source: { ads: {} } }";
    let report = envoy(&Document::all("envoy.yaml", &bootstrap(elsewhere)).unwrap());
    assert!(report.warnings[0].to_string().contains("found routes from a management server"), "{report:#?}");
}

#[test]
fn names_that_lead_nobody_anywhere_are_no_finding() {
    let ordinary = manager(
        "access_log: [], route_config: { name: envoy-autocert-api, virtual_hosts: [{ name: envoy-autocert-api, domains: \
         [envoy-autocert-api], routes: [{ name: envoy-autocert-sds, match: { prefix: /envoy-autocert-api }, \
         response_headers_to_add: [{ header: { key: x, value: envoy-autocert-api } }], direct_response: { status: 200, \
         body: { inline_string: envoy-autocert-api } } }] }] }",
    );
    assert_eq!(with(&ordinary, ""), Report::default());
    let lua =
        http_filter("lua.v3.Lua", "default_source_code: { inline_string: \"httpCall('my-envoy-autocert-api2')\" }");
    assert_eq!(with(&lua, ""), Report::default());
    let text = filled_in(REFERENCE).replacen("cluster: edge", "cluster: envoy-autocert-api", 1);
    assert_eq!(envoy(&Document::all("envoy.yaml", &text).unwrap()), Report::default());
    let others = cluster("other", "pipe: { path: /run/other/api.sock }");
    assert_eq!(with(&route("cluster: other"), &others), Report::default());
}

#[test]
fn in_a_mesh_nobody_is_routed_to_the_sidecars_host() {
    let rendered = include_str!("../../../tests/rendered/example.istio.yaml");
    let of = |more: &str| kubernetes(&Document::all("istio.yaml", &format!("{rendered}---\n{more}")).unwrap());
    let service =
        |spec: &str| format!("apiVersion: networking.istio.io/v1\nkind: VirtualService\nspec: {{ {spec} }}\n");
    let fine = of(&service("http: [{ route: [{ destination: { host: shop } }] }]"));
    let host = "host: envoy-autocert.internal";
    let filter = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nspec: { configPatches: [{ patch: { value: { \
                  route: { cluster: 'outbound|80||envoy-autocert.internal' } } } }] }\n";
    let entry = "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nspec: { hosts: [mine], endpoints: [{ address: \
                 'unix:///run/envoy-autocert/api.sock' }] }\n---\n";
    for (more, path) in [
        (
            service(&format!("http: [{{ route: [{{ destination: {{ {host} }} }}] }}]")),
            "http[0].route[0].destination.host",
        ),
        (service(&format!("http: [{{ mirror: {{ {host} }} }}]")), "spec.http[0].mirror.host"),
        (
            service(&format!("tcp: [{{ route: [{{ destination: {{ {host} }} }}] }}]")),
            "tcp[0].route[0].destination.host",
        ),
        (format!("{entry}{}", service("tls: [{ route: [{ destination: { host: mine } }] }]")), "destination.host"),
        (filter.to_owned(), "spec.configPatches[0].patch.value.route.cluster"),
    ] {
        let report = of(&more);
        assert_eq!(report.mistakes.len(), fine.mistakes.len() + 1, "{more}: {report:#?}");
        let said: Vec<String> = report.mistakes.iter().map(ToString::to_string).collect();
        assert!(said.iter().any(|line| line.contains(path) && line.contains("the sidecar's API")), "{path}: {said:#?}");
    }
}
