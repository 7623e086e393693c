//! Bootstraps as users have them, with what is added to them.

#![allow(clippy::unwrap_used)]

use serde_json::Value;

use super::*;
use crate::check::{Finding, envoy as check};
use crate::envoy::limits::{ANSWERS, MONITOR, runtime_key};
use crate::{Quick, Sources};

const FRONT_PROXY: &str = include_str!("../../../../tests/e2e/into/front-proxy.yaml");
const SNI: &str = include_str!("../../../../tests/e2e/into/sni-chains.yaml");
const AUTH: &str = include_str!("../../../../tests/e2e/into/ext-authz.yaml");

fn setup(certificates: &[Vec<String>]) -> Setup {
    let quick = Quick {
        domains: certificates.iter().map(|names| names.join(",")).collect(),
        upstream: Some("127.0.0.1:9".into()),
        email: Some("a@b.example".into()),
        ..Quick::default()
    };
    crate::read(&Sources { quick: Some(quick), ..Sources::default() }).unwrap().setup
}

fn added(text: &str) -> (Inferred, Added) {
    let inferred = infer("envoy.yaml", text).unwrap();
    let added = add("envoy.yaml", text, &setup(&inferred.certificates), &Options::default()).unwrap();
    (inferred, added)
}

fn mistakes(text: &str) -> Vec<String> {
    check(&Document::all("envoy.yaml", text).unwrap()).mistakes.iter().map(Finding::to_string).collect()
}

/// Everything of the first value is in the second one, in the same order.
fn is_in(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(key, value)| new.get(key).is_some_and(|new| is_in(value, new)))
        }
        (Value::Array(old), Value::Array(new)) => {
            let mut left = new.iter();
            old.iter().all(|item| left.any(|new| is_in(item, new)))
        }
        (old, new) => old == new,
    }
}

#[test]
fn each_bootstrap_is_right_afterwards_and_keeps_what_it_had() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let (_, added) = added(text);
        assert_eq!(mistakes(&added.text), [""; 0]);
        let value = |text| crate::located::read(text).unwrap().remove(0).value().unwrap();
        assert!(is_in(&value(text), &value(&added.text)));
        let comments =
            |text: &str| text.lines().filter(|line| line.contains('#')).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(comments(text), comments(&added.text));
        assert_eq!(added.unplaced, [""; 0]);
    }
}

#[test]
fn a_second_time_there_is_nothing_to_add() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let (_, once) = added(text);
        let (_, twice) = added(&once.text);
        assert_eq!(twice.text, once.text);
        assert!(twice.notes.contains(&"nothing is missing".to_owned()), "{:?}", twice.notes);
    }
}

#[test]
fn a_bootstrap_without_a_limit_of_connections_gets_one_that_leaves_the_ca_and_the_administrator_in() {
    let text = include_str!("../../../../examples/lets-encrypt/envoy.yaml");
    let without = text.replace("envoy.resource_monitors.global_downstream_max_connections", "a.monitor");
    let (_, told) = added(&without);
    assert!(told.unplaced.iter().any(|line| line.starts_with("overload_manager: add envoy.resource_monitors.")));
    let (_, told) = added(FRONT_PROXY);
    let new: Value = serde_saphyr::from_str(&told.text).unwrap();
    let monitor = &new["overload_manager"]["resource_monitors"][0];
    assert_eq!(monitor["name"], MONITOR);
    assert_eq!(monitor["typed_config"]["max_active_downstream_connections"], 7500);
    assert_eq!(new["admin"]["ignore_global_conn_limit"], true);
    let listeners = new["static_resources"]["listeners"].as_array().unwrap();
    let ignoring: Vec<&Value> = listeners.iter().filter(|one| one["ignore_global_conn_limit"] == true).collect();
    let [challenged] = ignoring[..] else { panic!("{ignoring:?}") };
    let key = runtime_key(challenged["name"].as_str().unwrap());
    assert_eq!(new["layered_runtime"]["layers"][0]["static_layer"][&key], 5625);
}

#[test]
fn names_come_from_virtual_hosts_or_from_what_a_filter_chain_matches() {
    let names = |text| infer("", text).unwrap().certificates.iter().map(|names| names.join(" ")).collect::<Vec<_>>();
    assert_eq!(names(FRONT_PROXY), ["example.com www.example.com", "api.example.com"]);
    assert_eq!(names(SNI), ["a.example.com", "b.example.com c.example.com"]);
    let notes = infer("", FRONT_PROXY).unwrap().notes;
    assert!(
        notes.iter().any(|note| note.starts_with("*.preview.example.com: left out, a wildcard needs DNS-01")),
        "{notes:?}"
    );
    assert!(
        notes.iter().any(|note| note.starts_with("example.com, www.example.com: virtual host site of listener https")),
        "{notes:?}"
    );
}

#[test]
fn where_tls_listeners_name_nothing_the_plaintext_ones_do() {
    let text = FRONT_PROXY.replace("domains: [example.com, www.example.com, 'example.com:443']", "domains: ['*']");
    let text = text.replace("domains: [api.example.com, '*.preview.example.com']", "domains: ['**']");
    let text = text.replace("domains: ['*'] # plain", "domains: [old.example.com]");
    let names = infer("", &text).unwrap().certificates;
    assert_eq!(names, [["old.example.com"]]);
}

#[test]
fn a_chain_gets_the_secrets_of_its_own_names_and_certificates_of_the_users_stay() {
    let (_, added) = added(SNI);
    let documents = Document::all("", &added.text).unwrap();
    let listeners = documents[0].top().list("static_resources.listeners");
    let secrets: Vec<Vec<String>> = listeners[1]
        .list("filter_chains")
        .iter()
        .map(|chain| {
            let secrets =
                chain.list("transport_socket.typed_config.common_tls_context.tls_certificate_sds_secret_configs");
            secrets.iter().filter_map(|secret| secret.text_of("name").map(str::to_owned)).collect()
        })
        .collect();
    assert_eq!(secrets, [vec!["a.example.com".to_owned()], vec!["b.example.com".to_owned()], vec![], vec![]]);
    assert!(added.notes.iter().any(|note| note.contains("has its own certificates (tls_certificates), which stay")));
}

#[test]
fn what_has_no_place_is_said() {
    let unplaced = |text: &str| {
        let setup = setup(&[vec!["a.example.com".to_owned()]]);
        add("", text, &setup, &Options::default()).unwrap().unplaced.join("\n")
    };
    let nothing = unplaced("static_resources: { clusters: [] }");
    assert!(nothing.contains("no listener here speaks HTTP without TLS; add one on port 80"), "{nothing}");
    assert!(nothing.contains("no listener here does TLS"), "{nothing}");
    let port = unplaced(&FRONT_PROXY.replace("port_value: 80 ", "port_value: 8080 "));
    assert!(port.contains("has port 8080: CAs ask on port 80"), "{port}");
    let taken = unplaced(&FRONT_PROXY.replace("name: site_backend\n", "name: envoy-autocert-sds\n"));
    assert!(taken.contains("cluster envoy-autocert-sds: there is one of this name already"), "{taken}");
}

#[test]
fn what_is_no_bootstrap_is_refused() {
    for text in ["", "a: 1", "a: [", "- static_resources: {}", "a: 1\n---\nstatic_resources: {}"] {
        assert!(infer("x.yaml", text).is_err(), "{text}");
    }
}

/// The same with `tlsChallenge` beside what the flags come to.
fn setup_with_tls_challenge(certificates: &[Vec<String>]) -> Setup {
    let mut setup = setup(certificates);
    for resolver in &mut setup.resolvers {
        resolver.tls_challenge = Some(Default::default());
    }
    for (_, resolver) in &mut setup.resolver_options {
        resolver["acme"]["tlsChallenge"] = serde_json::json!({});
    }
    setup
}

#[test]
fn the_chain_of_tls_alpn_01_stands_beside_the_users_and_once() {
    for text in [FRONT_PROXY, SNI, AUTH] {
        let inferred = infer("envoy.yaml", text).unwrap();
        let setup = setup_with_tls_challenge(&inferred.certificates);
        let added = add("envoy.yaml", text, &setup, &Options::default()).unwrap();
        assert_eq!(mistakes(&added.text), [""; 0]);
        assert!(added.text.contains("value: tls-alpn-01"));
        let again = infer("envoy.yaml", &added.text).unwrap();
        let twice = add("envoy.yaml", &added.text, &setup_with_tls_challenge(&again.certificates), &Options::default());
        assert_eq!(twice.unwrap().text, added.text);
    }
}

#[test]
fn names_of_the_users_own_certificates_and_servers_are_left_to_them() {
    let inferred = infer("envoy.yaml", SNI).unwrap();
    let added = add("envoy.yaml", SNI, &setup_with_tls_challenge(&inferred.certificates), &Options::default()).unwrap();
    let documents = Document::all("", &added.text).unwrap();
    let listeners = documents[0].top().list("static_resources.listeners");
    let mut names = Vec::new();
    for chain in listeners[1].list("filter_chains").iter().filter(|chain| crate::check::tls_alpn01::offers(chain)) {
        let own = chain.list("filter_chain_match.server_names");
        names.push(own.iter().filter_map(|name| name.text().map(str::to_owned)).collect::<Vec<_>>());
    }
    assert_eq!(names, [vec![], vec!["a.example.com".to_owned(), "b.example.com".into(), "c.example.com".into()]]);
}

#[test]
fn answers_are_bounded_unless_the_user_bounds_them_or_fetches_large_ones() {
    let value = |text: &str| crate::located::read(text).unwrap().remove(0).value().unwrap();
    let bounds = |text: &str| {
        let layers = value(text)["layered_runtime"]["layers"].as_array().cloned().unwrap_or_default();
        layers.iter().filter_map(|layer| layer["static_layer"].get(ANSWERS).cloned()).collect::<Vec<_>>()
    };
    let (_, once) = added(FRONT_PROXY);
    assert_eq!(bounds(&once.text), [acme::MAX_ANSWER]);
    assert_eq!(added(&once.text).1.text, once.text, "nothing is missing");
    // One of before, with a limit of connections.
    let line = once.text.lines().find(|line| line.contains(ANSWERS)).unwrap();
    let older = once.text.replace(&format!("{line}\n"), "");
    assert_eq!(bounds(&added(&older).1.text), [acme::MAX_ANSWER]);
    let own = FRONT_PROXY.to_owned()
        + &format!("\nlayered_runtime:\n  layers:\n  - {{ name: own, static_layer: {{ {ANSWERS}: 9 }} }}\n");
    assert_eq!(bounds(&added(&own).1.text), [9]);
    let fetches = FRONT_PROXY.to_owned()
        + "\nbootstrap_extensions:\n- name: other\n  typed_config: { config: { vm_config: { code: { remote: { http_uri: { uri: x } } } } } }\n";
    let (_, fetches) = added(&fetches);
    assert_eq!(bounds(&fetches.text), [0; 0]);
    assert!(fetches.unplaced.iter().any(|line| line.contains("remote.http_uri")), "{:?}", fetches.unplaced);
}
