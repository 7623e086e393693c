//! The reference configuration is correct; each of these changes makes one mistake in it.

#![allow(clippy::panic, clippy::unwrap_used)]

use super::*;
use protocol::tokens::{API, SDS};

const REFERENCE: &str = include_str!("../../../../envoy/envoy.yaml");

/// The findings, with the tokens filled in.
fn of(text: &str) -> Report {
    envoy(&Document::all("envoy.yaml", &filled_in(text)).unwrap())
}

/// Fills in the tokens as `envsubst` does.
pub(super) fn filled_in(text: &str) -> String {
    text.replace(API, "the-token-of-the-tests").replace(SDS, "the-token-of-the-tests")
}

/// The reference with some of its text replaced; `line` is the line of the first replacement.
fn changed(changes: &[(&str, &str)]) -> String {
    changes.iter().fold(REFERENCE.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "the reference has no {from:?}");
        text.replacen(from, to, 1)
    })
}

fn lines(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(Finding::to_string).collect()
}

#[test]
fn the_reference_and_the_example_are_right() {
    let example = include_str!("../../../../examples/lets-encrypt/envoy.yaml");
    let filter = include_str!("../../../../envoy/filter.yaml");
    for text in [REFERENCE, example] {
        let Report { mistakes, warnings } = envoy(&Document::all("envoy.yaml", text).unwrap());
        assert_eq!(mistakes, []);
        let told: Vec<_> = warnings.iter().map(|warning| (warning.line, warning.found.as_str())).collect();
        let line = |word: &str| {
            text.lines().position(|line| line.contains(word) && !line.starts_with('#')).map(|index| index + 1)
        };
        let expected = [SDS, API].map(|placeholder| (line(placeholder), "a placeholder"));
        assert_eq!(told, expected, "each kind of token once");
        assert!(warnings.iter().all(|warning| warning.expected.contains("`envsubst` fills it in")), "{warnings:#?}");
        assert_eq!(of(text), Report::default());
    }
    // Alone it has no clusters that could be checked.
    let report = of(filter);
    assert_eq!(report.mistakes, []);
    assert_eq!(report.warnings.len(), 2, "{:?}", lines(&report.warnings));
}

#[test]
fn a_test_system_without_a_cluster_is_no_mistake_and_one_in_plain_text_is() {
    let production = "caServer: https://acme-v02.api.letsencrypt.org/directory";
    let staging = "caServer: https://acme-staging-v02.api.letsencrypt.org/directory";
    let text = changed(&[(staging, production), ("- name: acme-staging-v02", "- name: acme-v02")]);
    assert_eq!(of(&text).mistakes, []);
    let unsafe_cluster = "  - name: acme-staging-v02.api.letsencrypt.org\n  # The CA";
    let text = text.replace("  # The CA", unsafe_cluster);
    assert!(text.contains(unsafe_cluster));
    let [mistake] = &lines(&of(&text).mistakes)[..] else { panic!("{:?}", lines(&of(&text).mistakes)) };
    assert!(mistake.contains("found plain text to the CA"), "{mistake}");
}

const VALIDATION: &str = "validation_context: { trusted_ca: { filename: /etc/ssl/certs/ca-certificates.crt } }";
const AUTH: &str = "          - name: auth\n            typed_config: { \"@type\": \
                    type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthz }\n";
const FIRST: &str = "          # Before every other filter";

const SECRETS: &str = "            tls_certificate_sds_secret_configs:\n            - name: demo.example\n              sds_config: &sds\n";
const SHOP: &str = "            - name: sds://shop.example\n              sds_config: *sds\n";
const NAMELESS: &str = "            - name: sds://shop.example\n              sds_config: *sds\n            \
                        - name: edge/shop.example\n              sds_config: *sds\n";
/// The validation context of a CA by SDS; its SDS configuration is that of the certificates, which is anchored before.
const CA_OF_SDS: &str = "            combined_validation_context:\n              validation_context_sds_secret_config:\n                \
                         name: demo.example-cacert\n                sds_config:\n                  api_config_source:\n                    \
                         grpc_services:\n                    - envoy_grpc: { cluster_name: envoy-autocert-sds }\n                      \
                         initial_metadata: [{ key: x-envoy-autocert-token, value: \"${ENVOY_AUTOCERT_SDS_TOKEN}\" }]\n            \
                         tls_certificate_sds_secret_configs:\n            - name: demo.example\n              sds_config: &sds\n";

/// The changes, and the beginning and end of the only mistake.
type Case<'c> = (&'c [(&'c str, &'c str)], &'c str, &'c str);

#[test]
fn each_mistake_is_one_line_with_its_place_and_what_to_write() {
    let before_ours = format!("{AUTH}{FIRST}");
    let cases: &[Case<'_>] = &[
        (
            &[("cluster: envoy-autocert-api, token", "cluster: envoy-autocert-apo, token")],
            "bootstrap_extensions[0].typed_config.config.configuration.value.sidecar.cluster: found the \
             cluster \"envoy-autocert-apo\", which does not exist",
            "did you mean envoy-autocert-api?",
        ),
        (
            &[("- name: acme-staging-v02", "- name: acme-v02")],
            "bootstrap_extensions[0].typed_config.config.configuration.value.certificatesResolvers.le.acme.\
             caServer: found the cluster \"acme-staging-v02.api.letsencrypt.org\", which does not exist",
            "did you mean acme-v02.api.letsencrypt.org?",
        ),
        (
            &[("keyType: EC256", "keyTipe: EC256")],
            "bootstrap_extensions[0].typed_config.config.configuration.value.certificatesResolvers.le.acme.\
             keyTipe: found an unknown key",
            "did you mean keyType?",
        ),
        (
            &[("auto_host_sni: true", "sni: ''"), ("sni: ''", "#")],
            "static_resources.clusters[0].transport_socket.typed_config.sni: found nothing",
            "`auto_host_sni: true`",
        ),
        (
            &[("auto_sni_san_validation: true", "auto_sni_san_validation: false")],
            "static_resources.clusters[0].transport_socket.typed_config.auto_sni_san_validation: found \
             nothing, expected `auto_sni_san_validation: true`",
            "any certificate of these roots is taken",
        ),
        (
            &[(VALIDATION, "validation_context: {}")],
            "static_resources.clusters[0].transport_socket.typed_config.common_tls_context.\
             validation_context.trusted_ca: found nothing, expected the roots",
            "ca-certificates.crt }`",
        ),
        (
            &[(VALIDATION, "alpn_protocols: [http/1.1]")],
            "static_resources.clusters[0].transport_socket.typed_config.common_tls_context.\
             validation_context.trusted_ca: found nothing, expected the roots",
            "ca-certificates.crt }`",
        ),
        (
            &[("{ trusted_ca: {", "{ trust_chain_verification: ACCEPT_UNTRUSTED, trusted_ca: {")],
            "static_resources.clusters[0].transport_socket.typed_config.common_tls_context.\
             validation_context.trust_chain_verification: found ACCEPT_UNTRUSTED",
            "VERIFY_TRUST_CHAIN, or no such key",
        ),
        (
            &[(
                "    transport_socket:\n      name: envoy.transport_sockets.tls\n      typed_config:\n        \"@type\": \
                type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Up",
                "    metadata:\n      x: y\n      \
                filter_metadata:\n        \"@type\": Up",
            )],
            "static_resources.clusters[0].transport_socket: found plain text to the CA",
            "as `envoy-autocert render` writes it",
        ),
        (
            &[("tls.v3.UpstreamTlsContext", "raw_buffer.v3.RawBuffer")],
            "static_resources.clusters[0].transport_socket: found a transport socket that is not TLS",
            "as `envoy-autocert render` writes it",
        ),
        (
            &[(FIRST, &before_ours)],
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0]: found \
             the filter auth before the plugin",
            "may refuse or redirect the CA's request",
        ),
        (
            &[("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_CLOSED")],
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].\
             typed_config.extension_config.typed_config.config.failure_policy: found \"FAIL_CLOSED\", expected FAIL_RELOAD",
            "until Envoy restarts",
        ),
        (
            &[("                    failure_policy: FAIL_RELOAD\n", "")],
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].\
             typed_config.extension_config.typed_config.config.failure_policy: found nothing, expected FAIL_RELOAD",
            "until Envoy restarts",
        ),
        (
            &[("                      vm_id: envoy-autocert", "                      vm_id: other")],
            "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].\
             typed_config.extension_config.typed_config.config.vm_config.vm_id: found \"other\", expected envoy-autocert, \
             as in bootstrap_extensions[0].typed_config.config",
            "share what they know by it",
        ),
        (
            &[("singleton: true", "singleton: false")],
            "bootstrap_extensions[0].typed_config.config: found a service on every thread",
            "not one for each worker",
        ),
        (
            &[("StringValue, value: engine", "StringValue, value: filter")],
            "bootstrap_extensions[0].typed_config.config.vm_config.configuration.value: found \"filter\"",
            "apart from the filter's",
        ),
        (
            &[("            proxy_http_call: {}\n", "")],
            "bootstrap_extensions[0].typed_config.config.vm_config.capability_restriction_config.\
             allowed_capabilities: found a list without what the plugin needs",
            "also proxy_http_call",
        ),
        (
            &[(
                "cluster_name: envoy-autocert-sds\n                      #",
                "cluster_name: envoy-autocert-api\n           #",
            )],
            "static_resources.clusters[1].typed_extension_protocol_options: found nothing",
            "SDS is gRPC",
        ),
        (
            &[(
                "cluster_name: envoy-autocert-sds\n                      #",
                "cluster_name: autocert-sds\n           #",
            )],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.api_config_source.grpc_services[0].\
             envoy_grpc.cluster_name: found the cluster \"autocert-sds\", which does not exist",
            "did you mean envoy-autocert-sds?",
        ),
        (
            &[(
                "\n                    initial_metadata: [{ key: x-envoy-autocert-token, value:",
                "\n                    # [{",
            )],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.api_config_source.grpc_services[0].\
             initial_metadata: found nothing, expected `{ key: x-envoy-autocert-token, value: TOKEN }`",
            "--sds-token-file: without it the sidecar serves no secret",
        ),
        (
            &[("key: x-envoy-autocert-token", "key: x-token")],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.api_config_source.grpc_services[0].\
             initial_metadata: found no x-envoy-autocert-token, expected `{ key: x-envoy-autocert-token, value: TOKEN }`",
            "without it the sidecar serves no secret",
        ),
        (
            &[("${ENVOY_AUTOCERT_SDS_TOKEN}\" }]", "%ENVIRONMENT(TOKEN)%\" }]")],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.api_config_source.grpc_services[0].\
             initial_metadata[0].value: found a text with %",
            "Envoy replaces nothing in it",
        ),
        (
            &[(", token: \"${ENVOY_AUTOCERT_API_TOKEN}\"", "")],
            "bootstrap_extensions[0].typed_config.config.configuration.value.sidecar.token: found nothing",
            "without it the sidecar answers nothing, and shared data is not signed",
        ),
        (
            &[("max_requests: 100000", "max_requests: 1")],
            "static_resources.clusters[2].circuit_breakers: found at most 1 requests at once for 2 secrets",
            "a request that never ends",
        ),
        (
            &[("initial_fetch_timeout: 5s", "initial_fetch_timeout: 0s")],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.initial_fetch_timeout: found 0",
            "all listeners wait, port 80 too",
        ),
        (
            &[("api_type: DELTA_GRPC", "api_type: REST")],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.\
             common_tls_context.tls_certificate_sds_secret_configs[0].sds_config.api_config_source.api_type: found REST",
            "the sidecar speaks gRPC",
        ),
        (
            &[("- name: shop.example\n", "- name: sds://shop.example\n"), (SHOP, NAMELESS)],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.common_tls_context.\
             tls_certificate_sds_secret_configs[2].name: found \"edge/shop.example\", which is no name",
            "for another the sidecar has nothing",
        ),
        (
            &[("- name: shop.example\n", "- name: kubernetes://edge/shop.example\n"), (SECRETS, CA_OF_SDS)],
            "static_resources.listeners[1].filter_chains[0].transport_socket.typed_config.common_tls_context.\
             combined_validation_context.validation_context_sds_secret_config: found CA certificates from the sidecar \
             (\"demo.example-cacert\")",
            "by which Envoy verifies nobody",
        ),
        (
            &[("            - name: shop.example\n              sds_config: *sds\n", "")],
            "bootstrap_extensions[0].typed_config.config.configuration.value.routers: found no secret for \
             shop.example",
            "of a TLS listener",
        ),
    ];
    let mut missed = Vec::new();
    for (changes, start, end) in cases {
        let report = of(&changed(changes));
        let mistakes = lines(&report.mistakes);
        let rest = |line: &str| line.splitn(3, ':').nth(2).unwrap().trim_start().to_owned();
        let is_said = |line: &String| rest(line).starts_with(start) && line.ends_with(end);
        if mistakes.len() != 1 || !mistakes.iter().all(is_said) {
            missed.push(format!("{start}…{end}\n{mistakes:#?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_mistake_has_the_line_of_what_is_wrong_or_of_where_it_is_missing() {
    for (from, to, marker) in [
        ("keyType: EC256", "keyTipe: EC256", "keyTipe"),
        ("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN", "FAIL_OPEN"),
        (VALIDATION, "validation_context: {}", "validation_context: {}"),
        ("api_type: DELTA_GRPC", "api_type: REST", "REST"),
        ("singleton: true", "singleton: false", "    config:"),
    ] {
        let text = changed(&[(from, to)]);
        let line = text.lines().position(|line| line.contains(marker)).map(|index| index + 1);
        assert_eq!(of(&text).mistakes.first().map(|mistake| mistake.line), Some(line), "{to}");
    }
}

/// The changes, and texts within each mistake and each warning, in order.
type Changed<'c> = (&'c [(&'c str, &'c str)], &'c [&'c str], &'c [&'c str]);

#[test]
fn challenges_come_to_port_80_without_tls_and_under_the_name_of_the_entry_point() {
    const FILTER_CONFIG: &str = "                    configuration: *configuration\n";
    let own_config = "                    configuration:\n                      \"@type\": \
                      type.googleapis.com/google.protobuf.Struct\n                      value: { role: responder, \
                      entryPoint: wab, sidecar: { cluster: envoy-autocert-api, token: the-token-of-the-tests } }\n";
    let cases: &[Changed<'_>] = &[
        (&[("port_value: 80 ", "port_value: 8080 ")], &[], &["found port 8080, expected port 80"]),
        (&[("- name: web\n", "- name: wep\n")], &[], &["listeners[0].name: found the name \"wep\", expected web"]),
        (&[(FILTER_CONFIG, own_config)], &["entryPoint: found the entry point \"wab\", expected web"], &[]),
        (
            &[(
                "    filter_chains:\n    - filters:",
                "    filter_chains:\n    - transport_socket: { name: tls }\n      filters:",
            )],
            &["found the plugin behind TLS only"],
            &[],
        ),
        (
            &[("filters.http.wasm.v3.Wasm", "filters.http.buffer.v3.Buffer")],
            &[
                "found no filter that answers challenges, expected the plugin first in http_filters of the listener \"web\"",
            ],
            &[],
        ),
        (
            &[(
                "static_resources:\n",
                "dynamic_resources: { lds_config: { path_config_source: { path: lds.yaml } } }\nstatic_resources:\n",
            )],
            &[],
            &["found listeners from the file lds.yaml, expected nothing"],
        ),
        (
            &[("- name: shop.example\n              sds", "- name: shop.exmple\n              sds")],
            &["found no secret for shop.example"],
            &["found the secret \"shop.exmple\", which no router wants"],
        ),
        (
            &[("  - name: envoy-autocert-sds\n    type", "  - name: envoy-autocert-api\n    type")],
            &["found a second cluster", "the cluster \"envoy-autocert-sds\", which does not exist"],
            &[],
        ),
        (
            &[("  clusters:\n", "  clusters: []\n  none:\n")],
            &["does not exist", "does not exist", "does not exist"],
            &[],
        ),
        (&[("auto_host_sni: true", "sni: other.example")], &[], &["found \"other.example\", expected acme-staging"]),
    ];
    for (changes, mistakes, warnings) in cases {
        let report = of(&changed(changes));
        for (found, expected) in [(&report.mistakes, mistakes), (&report.warnings, warnings)] {
            let found = lines(found);
            let is_said = found.len() == expected.len() && found.iter().zip(*expected).all(|(f, e)| f.contains(e));
            assert!(is_said, "{changes:?}\n{found:#?}\n{expected:#?}");
        }
    }
}

/// The address counts as a cluster's name does: the secrets requested there are checked all the same.
#[test]
fn secrets_by_grpcs_own_client_are_looked_at_as_well() {
    const ENVOYS: &str = "envoy_grpc:\n                      cluster_name: envoy-autocert-sds\n";
    const RETRY: &str = "                      # After a restart of the sidecar: back within a second, not half a minute.\n                      \
                         retry_policy: { retry_back_off: { base_interval: 0.05s, max_interval: 1s } }\n";
    const GOOGLES: &str = "google_grpc: { target_uri: \"unix:/run/envoy-autocert/sds.sock\", stat_prefix: sds }\n";
    let google = [(ENVOYS, GOOGLES), (RETRY, "")];
    assert_eq!(of(&changed(&google)), Report::default());
    let token = "initial_metadata: [{ key: x-envoy-autocert-token, value: \"${ENVOY_AUTOCERT_SDS_TOKEN}\" }]";
    for (change, mistake) in [
        ((token, ""), "without it the sidecar serves no secret"),
        (
            ("- name: shop.example\n              sds", "- name: shop.exmple\n              sds"),
            "found no secret for shop",
        ),
    ] {
        let mistakes = lines(&of(&changed(&[&google[..], &[change]].concat())).mistakes);
        assert!(mistakes.len() == 1 && mistakes[0].contains(mistake), "{mistakes:#?}");
    }
}

#[test]
fn listeners_and_clusters_of_files_count_as_if_they_stood_in_the_bootstrap() {
    let (head, resources) = REFERENCE.split_once("static_resources:\n  listeners:\n").unwrap();
    let (listeners, rest) = resources.split_once("\n  clusters:\n").unwrap();
    let (clusters, tail) = rest.split_once("\n# The plugin's metrics").unwrap();
    // Anchors don't reach from file to file, so the filter is a responder only.
    let responder = "{ \"@type\": type.googleapis.com/google.protobuf.Struct, value: { role: responder, sidecar: { cluster: \
                     envoy-autocert-api, token: the-token-of-the-tests } } }";
    let listeners =
        listeners.replace("*configuration", responder).replace("*code", "{}").replace("*capabilities", "{}");
    let resource = |kind: &str, text: &str| {
        let kind = format!("  - \"@type\": type.googleapis.com/envoy.config.{kind}\n    name:");
        format!("resources:\n{}", text.replace("\n  - name:", &format!("\n{kind}")))
    };
    let dynamic = "dynamic_resources:\n  lds_config: { path_config_source: { path: lds.yaml } }\n  cds_config: { \
                   pathConfigSource: { path: cds.yaml } }\n";
    let texts = [
        ("envoy.yaml", filled_in(&format!("{head}{dynamic}\n# {tail}"))),
        ("lds.yaml", filled_in(&resource("listener.v3.Listener", &listeners))),
        ("cds.yaml", resource("cluster.v3.Cluster", clusters)),
    ];
    let documents: Vec<Document> = texts.iter().flat_map(|(name, text)| Document::all(name, text).unwrap()).collect();
    assert_eq!(documents[0].files(), ["lds.yaml", "cds.yaml"]);
    let report = envoy(&documents);
    assert_eq!(lines(&report.mistakes), [""; 0]);
    assert_eq!(lines(&report.warnings), [""; 0]);
    let broken: Vec<Document> = documents.into_iter().filter(|document| document.source != "cds.yaml").collect();
    assert!(lines(&envoy(&broken).warnings)[0].contains("clusters from the file cds.yaml"));
}

#[test]
fn a_configuration_as_json_text_is_read_as_well() {
    let start = REFERENCE.find("        \"@type\": type.googleapis.com/google.protobuf.Struct").unwrap();
    let end = REFERENCE.find("      vm_config:").unwrap();
    let json = r#"        { "@type": type.googleapis.com/google.protobuf.StringValue, value: '{"role": "engin"}' }"#;
    let text = format!("{}{json}\n{}", &REFERENCE[..start], &REFERENCE[end..]);
    let mistakes = lines(&of(&text).mistakes);
    assert!(mistakes.iter().any(|line| line.contains("value.role: found \"engin\"")), "{mistakes:#?}");
}

#[test]
fn what_can_not_be_a_token_is_a_mistake_that_does_not_show_it() {
    const STANDS: &str = "value: \"${ENVOY_AUTOCERT_SDS_TOKEN}\"";
    let two = "0123456789abcdef 0123456789abcdef";
    let long = "x".repeat(4097);
    for wrong in ["short", two, "0123456789abcdef\u{e9}", "0123456789abcde%f", " 0123456789abcdef", &long] {
        let report = of(&changed(&[(STANDS, &format!("value: \"{wrong}\""))]));
        let [mistake] = &report.mistakes[..] else { panic!("{:?}", lines(&report.mistakes)) };
        assert!(mistake.path.ends_with("initial_metadata[0].value"), "{mistake}");
        assert!(!mistake.to_string().contains(wrong), "{mistake}");
        assert!(mistake.line.is_some() && mistake.expected.contains("--sds-token-file"), "{mistake}");
    }
    assert_eq!(of(&changed(&[(STANDS, &format!("value: {}", "x".repeat(16)))])), Report::default());
}

const ISTIO: &str = "apiVersion: networking.istio.io/v1
kind: ServiceEntry
spec: { hosts: [ca.example], ports: [{ number: 443 }] }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
spec: { host: ca.example, trafficPolicy: { tls: { mode: SIMPLE, sni: ca.example, subjectAltNames: [ca.example] } } }
---
apiVersion: extensions.istio.io/v1alpha1
kind: WasmPlugin
spec:
  url: oci://registry.example/envoy_autocert:1
  phase: AUTHN
  failStrategy: FAIL_RELOAD
  pluginConfig:
    certificatesResolvers:
      le: { acme: { email: a@b.example, caServer: 'https://ca.example/dir', httpChallenge: { entryPoint: web } } }
    sidecar: { cluster: x, token: the-token-of-the-tests }
    caClusters: { ca.example: outbound|443||ca.example }
";

#[test]
fn of_istio_the_plugin_and_the_way_to_the_ca_are_checked() {
    let of = |from: &str, to: &str| kubernetes(&Document::all("istio.yaml", &ISTIO.replace(from, to)).unwrap());
    assert_eq!(of("", ""), Report::default());
    for (from, to, said) in [
        ("FAIL_RELOAD", "FAIL_OPEN", "istio.yaml:14: spec.failStrategy: found \"FAIL_OPEN\", expected FAIL_RELOAD"),
        (
            ", token: the-token-of-the-tests",
            "",
            "spec.pluginConfig.sidecar.token: found nothing, expected one of the tokens",
        ),
        ("AUTHN", "STATS", "spec.phase: found \"STATS\", expected AUTHN"),
        (
            "entryPoint: web",
            "entryPont: web",
            "istio.yaml:17: spec.pluginConfig.certificatesResolvers.le.acme.httpChallenge",
        ),
        ("    caClusters: { ca.example: outbound|443||ca.example }\n", "", "expected `caClusters: { \"ca.example\":"),
        ("mode: SIMPLE", "mode: DISABLE", "istio.yaml:7: spec.trafficPolicy.tls: found no TLS to the CA"),
        ("sni: ca.example, ", "", "spec.trafficPolicy.tls.sni: found nothing, expected `sni: ca.example`"),
        ("subjectAltNames: [ca.example]", "", "spec.trafficPolicy.tls.subjectAltNames: found nothing"),
    ] {
        let mistakes = lines(&of(from, to).mistakes);
        assert!(mistakes.iter().any(|line| line.contains(said)), "{said}\n{mistakes:#?}");
    }
    let warnings = lines(&of("host: ca.example", "host: other.example").warnings);
    assert!(warnings[0].contains("no DestinationRule for ca.example"), "{warnings:#?}");
}

#[test]
fn a_traffic_extension_is_checked_as_a_wasm_plugin_is() {
    let rendered = include_str!("../../tests/rendered/example.istio.yaml");
    let of = |from: &str, to: &str| {
        assert!(rendered.contains(from), "{from}");
        lines(&kubernetes(&Document::all("istio.yaml", &rendered.replace(from, to)).unwrap()).mistakes)
    };
    assert_eq!(of("kind", "kind"), Vec::<String>::new());
    for (from, to, said) in [
        ("failStrategy: FAIL_RELOAD", "failStrategy: FAIL_OPEN", "spec.wasm.failStrategy: found \"FAIL_OPEN\""),
        ("phase: AUTHN", "phase: STATS", "spec.phase: found \"STATS\""),
        ("match: [{ ports", "match: [{ mode: SERVER, ports", "spec.match[0].mode: found SERVER, expected no mode"),
        ("entryPoint: web", "entryPont: web", "spec.wasm.pluginConfig.certificatesResolvers.le.acme.httpChallenge"),
    ] {
        let mistakes = of(from, to);
        assert!(mistakes.iter().any(|line| line.contains(said)), "{said}\n{mistakes:#?}");
    }
}

#[test]
fn of_envoy_gateway_the_plugin_its_routes_and_the_bootstrap_are_checked() {
    let rendered = include_str!("../../tests/rendered/example.envoy-gateway.yaml");
    let of = |from: &str, to: &str| {
        assert!(rendered.contains(from), "{from}");
        lines(&kubernetes(&Document::all("eg.yaml", &rendered.replace(from, to)).unwrap()).mistakes)
    };
    assert_eq!(of("kind", "kind"), Vec::<String>::new());
    for (from, to, said) in [
        ("entryPoint: web", "entryPont: web", "wasm[0].config.certificatesResolvers.le.acme.httpChallenge"),
        (
            "hostnames: [docs.example.com, ",
            "hostnames: [",
            "spec.hostnames: found no \"docs.example.com\", expected it",
        ),
        ("      - name: envoy-autocert-api\n", "      - name: another\n", "found no cluster \"envoy-autocert-api\""),
        (", token: \"${ENVOY_AUTOCERT_API_TOKEN}\"", "", "config.sidecar.token: found nothing"),
        ("kind: EnvoyExtensionPolicy", "kind: Other", "no EnvoyExtensionPolicy with the plugin"),
    ] {
        let mistakes = of(from, to);
        assert!(mistakes.iter().any(|line| line.contains(said)), "{said}\n{mistakes:#?}");
    }
}

#[test]
fn missing_limits_for_strangers_are_reported_once() {
    let warned = |changes: &[(&str, &str)]| lines(&of(&changed(changes)).warnings);
    let limit = ("envoy.resource_monitors.global_downstream_max_connections", "envoy.resource_monitors.fixed_heap");
    let [no_limit] = &warned(&[limit])[..] else { panic!("{:?}", warned(&[limit])) };
    assert!(no_limit.contains("found no limit of connections, expected overload_manager with"), "{no_limit}");
    let by_runtime = [
        limit,
        (
            "      # The most connections of each",
            "      overload.global_downstream_max_connections: 9\n      # Of each",
        ),
    ];
    assert_eq!(warned(&by_runtime), Vec::<String>::new());
    for (field, what) in [
        ("          request_timeout: 60s\n", "the head and the body of a request"),
        ("          request_headers_timeout: 10s\n", "the head and the body of a request"),
    ] {
        let [endless] = &warned(&[(field, "")])[..] else { panic!("{:?}", warned(&[(field, "")])) };
        assert!(endless.contains(&format!("found no end for {what}")), "{endless}");
    }
    let handshake = ("    - transport_socket_connect_timeout: 10s\n      transport_socket:", "    - transport_socket:");
    let [endless] = &warned(&[handshake])[..] else { panic!("{:?}", warned(&[handshake])) };
    assert!(endless.contains("found no end for a TLS handshake"), "{endless}");
    let inside: Vec<(&str, &str)> =
        vec![limit, ("address: 0.0.0.0", "address: 127.0.0.1"), ("address: 0.0.0.0", "address: \"::1\"")];
    assert_eq!(warned(&inside), Vec::<String>::new(), "strangers do not reach these");
}

#[test]
fn pieces_to_merge_are_checked_beside_each_other() {
    let quick = crate::Quick {
        domains: vec!["a.example.com".into()],
        upstream: Some(":8080".into()),
        email: Some("a@b.example".into()),
        ..crate::Quick::default()
    };
    let setup = crate::read(&crate::Sources { quick: Some(quick), ..crate::Sources::default() }).unwrap().setup;
    let pieces = crate::envoy::filter::filter(&setup, &crate::envoy::Options::default()).unwrap().text;
    assert_eq!(kind(&Document::all("x", &pieces).unwrap()[0].top()), DocumentKind::Pieces);
    assert_eq!(of(&pieces), Report::default());
    let broken = of(&pieces.replace("failure_policy: FAIL_RELOAD", "failure_policy: FAIL_OPEN"));
    assert_eq!(broken.mistakes.len(), 1, "{:#?}", lines(&broken.mistakes));
}

#[test]
fn a_configuration_without_the_plugin_is_reported() {
    let report = of("static_resources: { listeners: [] }");
    assert!(lines(&report.mistakes)[0].contains("no filter or service with the plugin"), "{report:?}");
}

/// Values of another kind in any position cause findings, and no panic.
#[test]
fn no_value_in_the_wrong_place_makes_it_panic() {
    let mut count = 0;
    for (index, line) in REFERENCE.lines().enumerate() {
        let Some((key, _)) = line.split_once(": ") else { continue };
        for wrong in ["7", "[]", "{}", "~", "[[{ name: [] }]]", "{ '@type': x, name: 1, value: ~ }", "'\u{1}'"] {
            let mut lines: Vec<&str> = REFERENCE.lines().collect();
            let line = format!("{key}: {wrong}");
            lines[index] = &line;
            if let Ok(documents) = Document::all("x", &lines.join("\n")) {
                let report = envoy(&documents);
                count += report.mistakes.len();
            }
        }
    }
    assert!(count > 100, "{count}");
}

/// Correct and wrong configurations alike: ten times the routers take about ten times as long, never a hundred times.
#[test]
fn the_time_grows_with_the_number_of_routers_and_not_with_its_square() {
    let text = |routers: usize, secret: &str| {
        let mut router = String::new();
        let mut secrets = String::new();
        for n in 0..routers {
            let line = format!("            r{n}: {{ rule: 'Host(`h{n}.example`)', tls: {{ certResolver: le }} }}\n");
            router.push_str(&line);
            secrets.push_str(&format!("            - {{ name: {secret}{n}.example, sds_config: *sds }}\n"));
        }
        changed(&[
            ("            shop:\n", &format!("{router}            shop:\n")),
            ("            - name: shop.example\n", &format!("{secrets}            - name: shop.example\n")),
        ])
    };
    for (secret, mistakes) in [("h", 0), ("x", 1)] {
        let timed = |routers: usize| {
            let text = text(routers, secret);
            let start = on_processor();
            let report = of(&text);
            assert_eq!(report.mistakes.len(), mistakes * routers);
            on_processor() - start
        };
        let (few, many) = (timed(500), timed(5_000));
        assert!(many < few * 40, "{few} ns, {many} ns");
    }
}

/// CPU time of this thread, in nanoseconds: others use the machine too.
#[expect(clippy::disallowed_methods, reason = "a test measures")]
fn on_processor() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

const CHALLENGE_CHAIN: &str = include_str!("../../../../envoy/tls-alpn-01.yaml");
const ORDINARY_CHAIN: &str = "    - transport_socket_connect_timeout: 10s\n";
const CHALLENGE_MATCH: &str = "filter_chain_match: { application_protocols: [acme-tls/1] }";

/// The mistakes in the reference with `tlsChallenge` and its chain, changed.
fn with_chain(changes: &[(&str, &str)]) -> Vec<String> {
    let chain: String = CHALLENGE_CHAIN.lines().map(|line| format!("    {line}\n")).collect();
    let http = "httpChallenge: { entryPoint: web }";
    let both = format!("{http}\n                tlsChallenge: {{}}");
    let text = changed(&[(http, &both), ("\n  clusters:\n", &format!("\n{chain}\n  clusters:\n"))]);
    let text = changes.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from:?} is not there");
        text.replacen(from, to, 1)
    });
    lines(&of(&text).mistakes)
}

#[test]
fn the_chain_of_tls_alpn_01_is_right_beside_the_reference() {
    assert_eq!(with_chain(&[]), [""; 0]);
}

#[test]
fn a_resolver_with_tls_challenge_needs_the_chain() {
    let text = changed(&[("keyType: EC256", "keyType: EC256\n                tlsChallenge: {}")]);
    let mistakes = lines(&of(&text).mistakes);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    let expected = "static_resources.listeners[1]: found no filter chain for acme-tls/1, by which the resolver \"le\"";
    assert!(mistakes[0].contains(expected), "{}", mistakes[0]);
}

#[test]
fn a_chain_that_shows_no_challenge_is_a_mistake() {
    let token = "{ key: x-envoy-autocert-token, value: \"${ENVOY_AUTOCERT_SDS_TOKEN}\" }";
    let scope = "- { key: x-sds-scope, value: tls-alpn-01 }";
    for (from, to, place) in [
        (scope, "", "grpc_services[0].initial_metadata: found nothing"),
        (scope, "- { key: x-sds-scope, value: tls-alpn }", "initial_metadata[1]: found \"tls-alpn\""),
        (token, "{ key: x-other, value: y }", "grpc_services[0].initial_metadata: found no x-envoy-autocert-token"),
        ("alpn_protocols: [acme-tls/1]", "alpn_protocols: [h2]", "common_tls_context.alpn_protocols: found nothing"),
        (
            "api_type: DELTA_GRPC\n                    transport",
            "api_type: GRPC\n                    transport",
            "found GRPC",
        ),
        ("custom_tls_certificate_selector:", "other:", "custom_tls_certificate_selector: found nothing"),
    ] {
        let mistakes = with_chain(&[(from, to)]);
        assert!(mistakes.len() == 1 && mistakes[0].contains(place), "{from}: {mistakes:?}");
    }
}

#[test]
fn the_chain_matches_what_the_others_match_and_no_more() {
    let named = format!(
        "    - filter_chain_match: {{ server_names: [demo.example, '*.example'] }}\n      {}",
        &ORDINARY_CHAIN[6..]
    );
    let over_tls = format!("    - filter_chain_match: {{ transport_protocol: tls }}\n      {}", &ORDINARY_CHAIN[6..]);
    let ordinary = |matching: &str| (ORDINARY_CHAIN, matching.to_owned());
    let challenge = |matching: &str| {
        (CHALLENGE_MATCH, format!("filter_chain_match: {{ application_protocols: [acme-tls/1], {matching} }}"))
    };
    let mistakes = |changes: &[(&str, String)]| {
        with_chain(&changes.iter().map(|(from, to)| (*from, to.as_str())).collect::<Vec<_>>())
    };
    let both = "server_names: ['*.EXAMPLE', demo.example]";
    assert_eq!(mistakes(&[ordinary(&named), challenge(both)]), [""; 0]);
    assert_eq!(mistakes(&[ordinary(&over_tls), challenge("transport_protocol: tls")]), [""; 0]);

    let missing = mistakes(&[ordinary(&named), challenge("server_names: [demo.example]")]);
    assert!(
        missing.len() == 1 && missing[0].contains("found a filter chain for \"*.example\", which no chain"),
        "{missing:?}"
    );
    let unreached = mistakes(&[ordinary(&over_tls)]);
    assert!(unreached.len() == 1 && unreached[0].contains("every name over tls, which no chain for"), "{unreached:?}");
    let shadowing = mistakes(&[challenge("transport_protocol: tls")]);
    assert_eq!(shadowing.len(), 2, "{shadowing:?}");
    assert!(shadowing[1].contains("found every name over tls, which no other chain matches"), "{shadowing:?}");
}

/// M4.
#[test]
fn the_tokens_of_a_configuration_are_known_wherever_they_stand() {
    let filled = REFERENCE.replace("${ENVOY_AUTOCERT_API_TOKEN}", "0123456789abcdef-api");
    let filled = filled.replace("${ENVOY_AUTOCERT_SDS_TOKEN}", "0123456789abcdef-sds");
    let found = known_tokens(&Document::all("envoy.yaml", &filled).unwrap());
    for token in ["0123456789abcdef-api", "0123456789abcdef-sds"] {
        assert!(found.iter().any(|found| found.expose() == token), "{token}");
    }
}

/// A11.
#[test]
fn a_manager_without_filters_answers_nobody() {
    let text = "static_resources: { listeners: [{ name: a, address: { socket_address: { address: 0.0.0.0, port_value: 80 } }, filter_chains: \
                [{ filters: [{ typed_config: { '@type': x/a.v3.HttpConnectionManager } }] }] }] }";
    let mistakes = lines(&of(text).mistakes);
    let [manager, _plugin] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
    assert!(
        manager.contains("http_filters: found nothing, expected filters, the last one envoy.filters.http.router"),
        "{manager}"
    );
}

/// A11.
#[test]
fn a_listener_without_a_name_is_found_without_one() {
    let report = of(&changed(&[("- name: web\n", "- traffic_direction: INBOUND\n")]));
    assert_eq!(report, Report::default());
}

/// A11.
#[test]
fn without_port_80_the_challenge_that_needs_none_is_suggested() {
    let of_tls = changed(&[
        ("port_value: 80 ", "port_value: 443 "),
        ("filters.http.wasm.v3.Wasm", "filters.http.buffer.v3.Buffer"),
    ]);
    for text in ["static_resources: { listeners: [] }", &of_tls] {
        let mistakes = lines(&of(text).mistakes);
        assert!(mistakes.iter().any(|mistake| mistake.contains("or tlsChallenge")), "{mistakes:#?}");
    }
}

/// A10.
#[test]
fn an_old_api_is_not_reported_to_lack_the_plugin() {
    let text = "static_resources: { listeners: [{ filter_chains: [{ filters: [{ name: envoy.http_connection_manager, config: {} }] }] }] }";
    let mistakes = lines(&of(text).mistakes);
    assert!(matches!(&*mistakes, [mistake] if mistake.contains("Envoy's v2 API")), "{mistakes:#?}");
    let v1 = of(r#"{ "listeners": [{ "address": "tcp://0.0.0.0:80" }], "cluster_manager": { "clusters": [] } }"#);
    assert!(matches!(&*lines(&v1.mistakes), [mistake] if mistake.contains("Envoy's v1 API")), "{v1:#?}");
}

/// A11.
#[test]
fn a_file_of_listeners_alone_is_named_as_that() {
    let lds = "resources: [{ '@type': type.googleapis.com/envoy.config.listener.v3.Listener, name: a }]";
    let mistakes = lines(&of(lds).mistakes);
    assert!(matches!(&*mistakes, [mistake] if mistake.contains("found a file of listeners (LDS)")), "{mistakes:#?}");
    let bootstrap = "dynamic_resources: { lds_config: { path_config_source: { path: lds.yaml } } }";
    let mut documents = Document::all("envoy.yaml", bootstrap).unwrap();
    documents.extend(Document::all("lds.yaml", lds).unwrap());
    let mistakes = lines(&envoy(&documents).mistakes);
    let expected = "in lds.yaml: `envoy-autocert render --format filter` prints it";
    assert!(matches!(&*mistakes, [mistake] if mistake.contains(expected)), "{mistakes:#?}");
}

#[test]
fn a_configuration_in_a_config_map_has_the_lines_of_that() {
    let text = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: edge }}\ndata:\n  envoy.yaml: |\n{}",
        filled_in(&changed(&[("keyType: EC256", "keyTipe: EC256")]))
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect::<String>(),
    );
    let documents = Document::all("map.yaml", &text).unwrap();
    let [embedded] = Embedded::all(&documents[0], &text, &mut Report::default()).try_into().unwrap();
    let report = embedded.placed(envoy(&embedded.documents));
    let line = text.lines().position(|line| line.contains("keyTipe")).map(|index| index + 1);
    let [mistake] = report.mistakes.as_slice() else { panic!("{report:#?}") };
    assert_eq!((mistake.source.as_str(), mistake.line), ("map.yaml", line));
    assert!(mistake.path.starts_with("data.envoy.yaml: bootstrap_extensions[0]."), "{mistake}");
}

#[test]
fn a_plugin_that_routes_enable_is_enabled_on_every_host_and_before_every_redirect() {
    let rendered = include_str!("../../tests/rendered/routing.bootstrap.yaml");
    let told = |text: &str| {
        let is_of_plugin = |line: &String| line.contains("enables the plugin");
        lines(&of(text).warnings).into_iter().filter(is_of_plugin).collect::<Vec<_>>()
    };
    assert_eq!((of(rendered).mistakes, told(rendered)), (vec![], vec![]));
    let host = "            - name: redirection\n              domains: [\"*\"]\n";
    assert!(rendered.contains(host));
    let required = rendered.replacen(host, &format!("{host}              require_tls: ALL\n"), 1);
    let [mistake] = &lines(&of(&required).mistakes)[..] else { panic!("{:?}", lines(&of(&required).mistakes)) };
    assert!(mistake.contains("found require_tls, whose redirect comes before every route"), "{mistake}");
    let own = "            - { name: own, domains: [own.example], routes: [{ match: { prefix: / }, redirect: {} }] }\n";
    let another = rendered.replacen(host, &format!("{own}{host}"), 1);
    assert_eq!(lines(&of(&another).mistakes), [""; 0]);
    let [warning] = &told(&another)[..] else { panic!("{:?}", told(&another)) };
    assert!(warning.contains("found a virtual host in which nothing enables the plugin"), "{warning}");
}

const CONFIGURED: &str = "          certificatesResolvers:\n";
const REDIRECTED: &str = "          redirect: certified\n          certificatesResolvers:\n";

#[test]
fn a_redirect_of_the_plugin_takes_a_filter_that_sees_the_requests() {
    let found = |changes: &[(&str, &str)]| lines(&of(&changed(changes)).mistakes);
    let filter = "          - name: envoy-autocert\n            typed_config:\n";
    let disabled = "          - name: envoy-autocert\n            disabled: true\n            typed_config:\n";
    let all = "routes: [{ match: { prefix: / }, redirect: { https_redirect: true } }]";
    let enabled = "typed_per_filter_config: { envoy-autocert: { \"@type\": \
                   type.googleapis.com/envoy.config.route.v3.FilterConfig, config: {} } }";
    let challenges = format!(
        "routes: [{{ match: {{ prefix: /.well-known/acme-challenge/ }}, direct_response: {{ status: 404 }}, {enabled} }}, \
         {{ match: {{ prefix: / }}, redirect: {{ https_redirect: true }} }}]"
    );
    let everything = format!("routes: [{{ match: {{ prefix: / }}, redirect: {{ https_redirect: true }}, {enabled} }}]");

    let [matcher] = &found(&[(CONFIGURED, REDIRECTED)])[..] else { panic!() };
    let path = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0]";
    let expected = format!("{path}.typed_config.xds_matcher: found a matcher that keeps all requests but challenges");
    assert!(matcher.contains(&expected), "{matcher}");

    let by_routes = found(&[(CONFIGURED, REDIRECTED), (filter, disabled), (all, &challenges)]);
    let is_told = |line: &String| line.contains("found a filter that routes enable for challenges alone");
    assert_eq!(by_routes.iter().filter(|line| is_told(line)).count(), 1, "{by_routes:#?}");
    let by_all = found(&[(CONFIGURED, REDIRECTED), (filter, disabled), (all, &everything)]);
    assert!(!by_all.iter().any(is_told), "{by_all:#?}");
    let not_asked_for = found(&[(filter, disabled), (all, &challenges)]);
    assert!(!not_asked_for.iter().any(is_told), "{not_asked_for:#?}");
}
