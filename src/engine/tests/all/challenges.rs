//! How names are proved: which challenge is answered, what happens when it fails, and that slow ones hold up no other.

use std::time::Duration;

use crate::world::Scene;
use acme::ChallengeType::{Dns01, TlsAlpn01};
use acme::scripted::Settings;
use config::{DnsChallenge, DnsPersistChallenge, TlsChallenge};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);

/// A world whose resolver has tlsChallenge, httpChallenge and dnsChallenge.
fn scene(unreachable: &[(&'static str, &'static str)], wants: &[&[&str]]) -> Scene {
    let settings = Settings { unreachable: unreachable.to_vec(), ..Settings::default() };
    let mut scene = Scene::new(71, settings, wants);
    let resolver = &mut scene.config.resolvers[0];
    resolver.tls_challenge = Some(TlsChallenge::default());
    let (provider, resolvers) = ("exec".to_owned(), Vec::new());
    resolver.dns_challenge = Some(DnsChallenge { provider, resolvers, propagation: Default::default() });
    scene
}

fn answered(scene: &Scene) -> Vec<String> {
    scene.keeper.answered.borrow().clone()
}

fn note(scene: &Scene, part: &str) -> String {
    let lines = scene.notes.lines.borrow();
    lines.iter().find(|line| line.contains(part)).unwrap_or_else(|| panic!("no {part} in {lines:#?}")).clone()
}

#[test]
fn the_most_preferred_way_is_gone_first_and_told() {
    let scene = scene(&[], &[&["a.example", "*.a.example"]]);
    scene.run(MINUTE);
    let mut answered = answered(&scene);
    answered.sort();
    assert_eq!(answered, ["*.a.example by dns-01", "a.example by tls-alpn-01"]);
    assert!(note(&scene, "Issued").contains("challenges: [TlsAlpn01, Dns01]"));
}

#[test]
fn a_way_that_fails_for_a_name_is_followed_by_the_next_at_once_and_not_gone_again() {
    let unreachable = [("tls-alpn-01", "a.example"), ("http-01", "a.example")];
    let mut scene = scene(&unreachable, &[&["a.example"], &["b.example"]]);
    scene.network.ca.borrow_mut().settings.lifetime = 86_400;
    scene.config.engine.max_orders = 1;
    scene.run(MINUTE);
    let expected =
        ["a.example by tls-alpn-01", "a.example by http-01", "a.example by dns-01", "b.example by tls-alpn-01"];
    assert_eq!(answered(&scene), expected);
    assert!(note(&scene, "ChallengeSwitched").contains("a.example: tls-alpn-01: unauthorized"));
    assert!(note(&scene, "Issued").contains("challenges: [Dns01]"), "those that failed have proved nothing");
    assert!(scene.keeper.attempts.borrow().is_empty(), "nothing counts as a failure while a way is left");
    scene.keeper.answered.borrow_mut().clear();
    // Another engine renews it.
    scene.run(24 * 60 * MINUTE);
    let again = answered(&scene);
    assert!(
        again.len() >= 2
            && !again.contains(&"a.example by tls-alpn-01".to_owned())
            && !again.contains(&"a.example by http-01".to_owned()),
        "renewed: {again:?}"
    );
}

#[test]
fn a_way_that_failed_is_remembered_by_the_next_engine() {
    let scene = scene(&[("tls-alpn-01", "a.example")], &[&["a.example"]]);
    // Each engine is dropped wherever it is, and the last of these has just placed the second order.
    for _ in 0..100 {
        if scene.ca().order_count() == 2 {
            break;
        }
        scene.run(Duration::from_millis(300));
    }
    assert_eq!((scene.ca().order_count(), scene.published().len()), (2, 0));
    scene.run(MINUTE);
    let answered = answered(&scene);
    assert_eq!(answered.iter().filter(|answer| answer.ends_with("tls-alpn-01")).count(), 1, "{answered:?}");
    assert_eq!(scene.published().get("a.example"), Some(&1));
}

#[test]
fn when_all_ways_have_failed_it_waits_and_goes_them_in_turns() {
    let all = [("tls-alpn-01", "a.example"), ("http-01", "a.example"), ("dns-01", "a.example")];
    let scene = scene(&all, &[&["a.example"]]);
    scene.run(MINUTE / 2);
    assert_eq!(answered(&scene).len(), 3);
    assert_eq!(scene.keeper.attempts.borrow().len(), 1);
    scene.run(4 * MINUTE);
    let answered = answered(&scene);
    assert_eq!(answered[3], "a.example by tls-alpn-01");
    assert_eq!(answered.len(), 3 + scene.keeper.attempts.borrow().len() - 1, "one of them a try: {answered:?}");
}

#[test]
fn an_answer_that_cannot_be_made_gives_way_to_the_next_in_the_same_order() {
    let scene = scene(&[], &[&["a.example"]]);
    scene.keeper.refuses_answers.borrow_mut().push(TlsAlpn01);
    scene.run(MINUTE);
    assert_eq!(answered(&scene), ["a.example by tls-alpn-01", "a.example by http-01"]);
    assert_eq!(scene.ca().order_count(), 1);
}

#[test]
fn an_answer_that_cannot_be_made_at_all_is_told_and_the_order_is_gone_on_with() {
    let scene = scene(&[], &[&["*.a.example"]]);
    scene.keeper.refuses_answers.borrow_mut().push(Dns01);
    scene.run(5 * MINUTE);
    assert!(note(&scene, "Failed").contains("*.a.example: no answer to dns-01: no such zone"));
    assert!(note(&scene, "Failed").contains("class: \"challenge\""));
    scene.keeper.refuses_answers.borrow_mut().clear();
    scene.run(10 * MINUTE);
    assert_eq!((scene.ca().order_count(), scene.published().len()), (1, 1));
}

#[test]
fn dns_that_takes_an_hour_holds_up_no_other_certificate() {
    let wants: Vec<Vec<String>> = (0..30).map(|number| vec![format!("*.{number}.example")]).collect();
    let mut wants: Vec<Vec<&str>> = wants.iter().map(|names| names.iter().map(String::as_str).collect()).collect();
    wants.push(vec!["a.example"]);
    let wants: Vec<&[&str]> = wants.iter().map(Vec::as_slice).collect();
    let scene = scene(&[], &wants);
    scene.keeper.dns_latency.set(60 * MINUTE);
    scene.run(MINUTE);
    assert_eq!(scene.published().into_keys().collect::<Vec<_>>(), ["a.example"]);
    scene.run(62 * MINUTE);
    assert_eq!(scene.published().len(), 31);
}

#[test]
fn a_record_that_stays_needs_no_answer_each_time() {
    let mut scene = scene(&[], &[&["*.a.example"]]);
    scene.config.resolvers[0].dns_challenge = None;
    scene.config.resolvers[0].dns_persist_challenge = Some(DnsPersistChallenge::default());
    scene.run(MINUTE);
    assert_eq!(answered(&scene), ["*.a.example by dns-persist-01"]);
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn a_name_that_nothing_configured_proves_is_not_ordered() {
    let mut scene = scene(&[], &[&["*.a.example"]]);
    scene.config.resolvers[0].dns_challenge = None;
    scene.run(MINUTE);
    assert!(note(&scene, "Failed").contains("*.a.example: none of the resolver's challenges proves it"));
    assert_eq!(scene.ca().order_count(), 0);
}

#[test]
fn an_entry_point_that_nobody_serves_is_no_way_while_another_is_left() {
    let scene = scene(&[("tls-alpn-01", "a.example")], &[&["a.example"]]);
    scene.keeper.entry_points.borrow_mut().push("elsewhere".into());
    scene.run(MINUTE);
    assert_eq!(answered(&scene), ["a.example by tls-alpn-01", "a.example by dns-01"]);
}
