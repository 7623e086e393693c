//! Rendered configurations as a whole: changes show in the files under `rendered/`.
//!
//! `RENDER=1 cargo test -p setup --test all rendered` writes these files.

use std::fs;

use crate::common::{file, flags, read, yaml};
use setup::Sources;
use setup::envoy::envoy_gateway::{EnvoyGatewayOptions, envoy_gateway};
use setup::envoy::istio::{API_SOCKET, Credentials, IstioOptions, istio};
use setup::envoy::{Options, bootstrap, filter};
use setup::model::Setup;

fn setup_of(names: &[&str]) -> Setup {
    read(&Sources { files: names.iter().map(|name| file(name)).collect(), ..Sources::default() }).setup
}

fn rendered(setup: &Setup) -> String {
    bootstrap::bootstrap(setup, &Options::default()).unwrap().text
}

/// Compares a text with its file, or writes the file.
fn compare(name: &str, text: &str) {
    let path = format!("{}/tests/rendered/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("RENDER").is_some() {
        fs::write(&path, text).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(text == expected, "{path} is different; RENDER=1 writes it anew");
}

#[test]
fn rules_become_routes() {
    let rendered = bootstrap::bootstrap(&setup_of(&["rendered/routing.yml"]), &Options::default()).unwrap();
    assert_eq!(rendered.warnings, Vec::<String>::new());
    compare("routing.bootstrap.yaml", &rendered.text);
}

#[test]
fn a_challenge_over_tls_has_a_chain_beside_the_others() {
    let setup = setup_of(&["rendered/tls-alpn-01.yml"]);
    compare("tls-alpn-01.bootstrap.yaml", &rendered(&setup));
    let pieces = filter::filter(&setup, &Options::default()).unwrap().text;
    assert!(pieces.contains("\nfilter_chains:\n") && pieces.contains("any listener"), "{pieces}");
}

#[test]
fn pieces_to_merge() {
    let setup = setup_of(&["forms/traefik.yml", "forms/dynamic.yml"]);
    compare("example.filter.yaml", &filter::filter(&setup, &Options::default()).unwrap().text);
}

/// Two certificates, one of them for two names.
fn gateways() -> Setup {
    read(&yaml(
        "
entryPoints: {web: {address: ':80'}, websecure: {address: ':443'}}
certificatesResolvers: {le: {acme: {email: you@example.com, keyType: EC256, httpChallenge: {entryPoint: web}}}}
http:
  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:1'}]}}}
  routers:
    shop: {rule: Host(`example.com`) || Host(`www.example.com`), service: s, tls: {certResolver: le}}
    docs: {rule: Host(`docs.example.com`), service: s, tls: {certResolver: le}}
",
    ))
    .setup
}

#[test]
fn a_gateway_of_istios() {
    let options = Options { api_socket: API_SOCKET.to_owned(), ..Options::default() };
    let rendered = istio(&gateways(), &options, &IstioOptions::default()).unwrap();
    assert_eq!(rendered.warnings, Vec::<String>::new());
    compare("example.istio.yaml", &rendered.text);
    let of = |istio_options: IstioOptions| istio(&gateways(), &options, &istio_options).unwrap();
    let older = of(IstioOptions { version: "1.29".parse().unwrap(), ..IstioOptions::default() }).text;
    assert!(older.contains("kind: WasmPlugin") && !older.contains("kind: TrafficExtension"), "{older}");
    let provider = of(IstioOptions { credentials: Credentials::Provider, ..IstioOptions::default() });
    compare("provider.istio.yaml", &provider.text);
    let secret = of(IstioOptions { credentials: Credentials::Secret, ..IstioOptions::default() });
    assert!(secret.text.contains("credentialName: docs.example.com"), "{}", secret.text);
    assert!(secret.warnings[0].contains("envoy-autocert writes none yet"), "{:?}", secret.warnings);
    let of_gateway_api = of(IstioOptions { gateway_api: Some("edge".to_owned()), ..IstioOptions::default() });
    compare("gateway-api.istio.yaml", &of_gateway_api.text);
    let too_old = IstioOptions { version: "1.27".parse().unwrap(), ..IstioOptions::default() };
    assert!(istio(&gateways(), &options, &too_old).unwrap_err()[0].to_string().starts_with("--istio-version: found"));
}

#[test]
fn a_gateway_of_envoy_gateways() {
    let plugin = "oci://registry.example.com/envoy-autocert-plugin:1.0.0".to_owned();
    let options = Options { plugin, ..Options::default() };
    let rendered = envoy_gateway(&gateways(), &options, &EnvoyGatewayOptions::default()).unwrap();
    assert_eq!(rendered.warnings, Vec::<String>::new());
    compare("example.envoy-gateway.yaml", &rendered.text);
    let of_a_file = envoy_gateway(&gateways(), &Options::default(), &EnvoyGatewayOptions::default()).unwrap_err();
    assert!(of_a_file[0].to_string().starts_with("--plugin: found /usr/lib/"), "{}", of_a_file[0]);
}

/// Gateway API takes sixteen names per route, and a route with a name takes precedence over one without.
#[test]
fn challenges_of_many_hosts_have_several_routes() {
    let names: Vec<String> = (0..40).map(|index| format!("Host(`h{index}.example`)")).collect();
    let setup = read(&yaml(&format!(
        "
entryPoints: {{web: {{address: ':80'}}, websecure: {{address: ':443'}}}}
certificatesResolvers: {{le: {{acme: {{email: a@b.example, httpChallenge: {{entryPoint: web}}}}}}}}
http:
  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:1'}}]}}}}}}
  routers: {{all: {{rule: '{}', service: s, tls: {{certResolver: le}}}}}}
",
        names.join(" || ")
    )))
    .setup;
    let options = Options { plugin: "https://files.example.com/plugin.wasm".to_owned(), ..Options::default() };
    let text = envoy_gateway(&setup, &options, &EnvoyGatewayOptions::default()).unwrap().text;
    assert_eq!(text.matches("kind: HTTPRoute\n").count(), 3);
    assert_eq!(text.matches(", kind: HTTPRoute, group: ").count(), 3, "the plugin is on each of them");
}

#[test]
fn the_four_tabs_of_the_specification_are_rendered_alike() {
    let tabs = [
        Sources { files: vec![file("forms/traefik.yml")], ..Sources::default() },
        Sources { files: vec![file("forms/traefik.toml")], ..Sources::default() },
        Sources { flags: flags("forms/flags.txt"), ..Sources::default() },
        Sources { values: vec![file("forms/values.yaml")], ..Sources::default() },
    ];
    let texts: Vec<String> = tabs.iter().map(|tab| rendered(&read(tab).setup)).collect();
    assert!(texts.iter().all(|text| *text == texts[0]));
    compare("tabs.bootstrap.yaml", &texts[0]);
}

#[test]
fn ten_thousand_routers_share_what_is_the_same() {
    let mut text = String::from(
        "entryPoints: {web: {address: ':80'}, websecure: {address: ':443'}}\ncertificatesResolvers: {le: {acme: {email: \
         a@b.example, httpChallenge: {entryPoint: web}}}}\nhttp:\n  services: {s: {loadBalancer: {servers: [{url: \
         'http://127.0.0.1:1'}]}}}\n  routers:\n    ping: {rule: Path(`/ping`), priority: 99999, service: s, tls: {}}\n",
    );
    for index in 0..10_000 {
        text.push_str(&format!(
            "    r{index}: {{rule: Host(`h{index}.example`), service: s, entryPoints: [websecure], tls: {{certResolver: le}}}}\n"
        ));
    }
    let setup = read(&yaml(&text)).setup;
    let text = rendered(&setup);
    assert_eq!(text.matches("sds_config: *sds_config").count(), 10_001, "each certificate, and the default one of web");
}

#[test]
fn the_ca_is_not_kept_from_its_entry_point() {
    let setup = read(&yaml(
        "
entryPoints: {web: {address: ':80'}}
certificatesResolvers: {le: {acme: {email: a@b.example, httpChallenge: {entryPoint: web}}}}
tcp:
  routers: {all: {rule: HostSNI(`*`), entryPoints: [web], service: s}}
  services: {s: {loadBalancer: {servers: [{address: '127.0.0.1:1'}]}}}
",
    ))
    .setup;
    let mistakes = bootstrap::bootstrap(&setup, &Options::default()).unwrap_err();
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 1);
    assert!(lines[0].starts_with("tcp.routers.all.entryPoints: found web"), "{}", lines[0]);
}
