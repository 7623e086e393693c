//! What is rendered, whole: a change of it shows in the files under `rendered/`.
//!
//! `RENDER=1 cargo test -p setup --test rendered` writes them anew.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "the expected texts are files")]

mod common;

use std::fs;

use common::{file, flags, read, yaml};
use setup::Sources;
use setup::envoy::istio::IstioOptions;
use setup::envoy::{Options, bootstrap, filter, istio};
use setup::model::Setup;

fn setup_of(names: &[&str]) -> Setup {
    read(&Sources { files: names.iter().map(|name| file(name)).collect(), ..Sources::default() }).setup
}

fn rendered(setup: &Setup) -> String {
    bootstrap::bootstrap(setup, &Options::default()).unwrap().text
}

/// Compares with the file, or writes it.
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
    let options = Options::default();
    compare("example.filter.yaml", &filter::filter(&setup, &options).unwrap().text);
    compare("example.istio.yaml", &istio::istio(&setup, &options, &IstioOptions::default()).unwrap().text);
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
