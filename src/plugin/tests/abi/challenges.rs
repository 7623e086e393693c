//! The challenges that the sidecar answers, through the ABI: what it is told, that it is asked until it is ready, and what
//! happens when it can't.

use serde_json::{Value, json};

use crate::world::{World, configuration};

/// The reference configuration for this name, with these challenges.
fn configured(name: &str, challenges: &Value) -> Vec<u8> {
    let mut all: Value = serde_json::from_slice(&configuration("auto", &[name])).unwrap();
    let acme = all["certificatesResolvers"]["le"]["acme"].as_object_mut().unwrap();
    acme.remove("httpChallenge");
    acme.extend(challenges.as_object().unwrap().clone());
    let domains = json!([{"main": name}]);
    all["routers"] = json!({"a": {"rule": "HostRegexp(`.*`)", "tls": {"certResolver": "le", "domains": domains}}});
    all.to_string().into_bytes()
}

/// A world that has run until the certificate was there.
fn issued(name: &str, challenges: &Value) -> World {
    let mut world = World::with_filter(&configured(name, challenges));
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    world
}

#[test]
fn tls_alpn_01_is_the_sidecars_to_answer_and_is_withdrawn() {
    let world = issued("a.example", &json!({"tlsChallenge": {}}));
    let [answer] = &world.sidecar.answers[..] else { panic!("not one answer") };
    let token = answer["token"].as_str().unwrap();
    assert_eq!(answer["host"], "a.example");
    assert!(answer["keyAuthorization"].as_str().unwrap().starts_with(&format!("{token}.")));
    assert_eq!(world.sidecar.withdrawn, [format!("/v1/challenges/tls-alpn-01/{token}")]);
    assert_eq!(world.process.logged(" ms by tls-alpn-01, serial "), 1);
}

#[test]
fn an_engine_without_any_responder_proves_names_on_port_443_after_a_moment() {
    let mut world = World::new();
    let mut all: Value = serde_json::from_slice(&configured("a.example", &json!({"tlsChallenge": {}}))).unwrap();
    all["role"] = json!("engine");
    world.add(all.to_string().as_bytes());
    world.run_until(6_000, |world| !world.sidecar.certificates.is_empty());
    assert!(world.process.with(|process| process.now) >= 3_000, "Envoy's listeners may open a little later");
}

#[test]
fn dns_01_is_told_all_that_is_configured() {
    let dns = json!({"dnsChallenge": {
        "provider": "rfc2136", "resolvers": ["192.0.2.53"],
        "propagation": {"delayBeforeChecks": "1.5s", "requireAllRNS": true, "disableANSChecks": true}
    }});
    let world = issued("*.a.example", &dns);
    let [answer] = &world.sidecar.answers[..] else { panic!("not one answer") };
    assert_eq!(answer["domain"], "a.example");
    assert_eq!(answer["resolver"], "le");
    assert_eq!(answer["provider"], "rfc2136");
    let checks = json!({
        "resolvers": ["192.0.2.53:53"], "delayMillis": 1500, "disableChecks": false, "requireAllRNS": true,
        "disableANSChecks": true
    });
    assert_eq!(answer["checks"], checks);
    assert_eq!(world.sidecar.withdrawn.len(), 1);
}

#[test]
fn dns_persist_01_names_the_account_and_is_never_withdrawn() {
    let world = issued("*.a.example", &json!({"dnsPersistChallenge": {"resolvers": ["192.0.2.53"]}}));
    let [answer] = &world.sidecar.answers[..] else { panic!("not one answer") };
    assert_eq!((&answer["domain"], &answer["wildcard"]), (&json!("a.example"), &json!(true)));
    assert_eq!(answer["issuerDomainNames"], json!(["ca.example"]));
    assert!(answer["accountUri"].as_str().unwrap().starts_with("https://ca.example/account/"));
    assert!(world.sidecar.withdrawn.is_empty());
}

#[test]
fn an_answer_is_asked_for_until_it_is_ready() {
    let mut world = World::with_filter(&configured("a.example", &json!({"dnsChallenge": {"provider": "exec"}})));
    world.sidecar.not_ready = 5;
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    let answers = &world.sidecar.answers;
    assert_eq!(answers.len(), 6);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "each time the same");
    assert_eq!(world.ca.asked("/challenge/"), 1, "the CA is told once, when it is ready");
}

#[test]
fn an_answer_that_cannot_be_made_is_told_to_the_user_and_not_to_the_ca() {
    let mut world = World::with_filter(&configured("a.example", &json!({"dnsChallenge": {"provider": "exec"}})));
    world.sidecar.refuses_answers = true;
    world.run_until(10_000, |world| world.process.logged("failed (challenge") > 0);
    assert_eq!(
        world.process.logged("a.example: no answer to dns-01: the sidecar, PUT /v1/challenges/dns-01: Problem"),
        1
    );
    assert_eq!(world.ca.asked("/challenge/"), 0);
    assert_eq!(world.sidecar.orders.len(), 1, "it can be gone on with");
}

#[test]
fn another_way_is_gone_at_once_when_one_fails() {
    let mut world = World::with_filter(&configured(
        "a.example",
        &json!({"tlsChallenge": {}, "httpChallenge": {"entryPoint": "web"}}),
    ));
    world.ca.settings.unreachable.push(("tls-alpn-01", "a.example"));
    world.run_until(10_000, |world| !world.sidecar.certificates.is_empty());
    assert_eq!(world.process.logged("trying another challenge type: the CA gave up order"), 1);
    assert_eq!(world.process.logged(" ms by http-01, serial "), 1);
    assert_eq!(world.ca.order_count(), 2);
}
