//! The choice among offered challenges, and the content of the responses, against the scripted CA on a virtual clock.

use crate::scene::{Scene, acme_error};
use acme::ChallengeType::{self, Dns01, DnsPersist01, Http01, TlsAlpn01};
use acme::scripted::{Fault, Faults, Settings};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn published(names: &[&str], ways: &[ChallengeType]) -> Vec<String> {
    let scene = Scene::new(61, Settings::default()).ways(ways);
    scene.issue(names, None).unwrap();
    assert!(scene.keeper.web.borrow().is_empty(), "every answer is withdrawn");
    let mut published = scene.keeper.published.borrow().clone();
    published.sort();
    published
}

#[test]
fn each_type_proves_what_it_can() {
    assert_eq!(published(&["a.example"], &[TlsAlpn01]), ["a.example by tls-alpn-01"]);
    assert_eq!(published(&["192.0.2.1"], &[TlsAlpn01]), ["192.0.2.1 by tls-alpn-01"]);
    assert_eq!(published(&["a.example"], &[Http01]), ["a.example by http-01"]);
    assert_eq!(published(&["*.a.example"], &[Dns01]), ["*.a.example by dns-01"]);
    assert_eq!(published(&["a.example"], &[DnsPersist01]), ["a.example by dns-persist-01"]);
}

#[test]
fn names_of_one_order_are_proved_each_in_its_own_way() {
    let names = ["a.example", "*.a.example", "192.0.2.1"];
    let expected = ["*.a.example by dns-01", "192.0.2.1 by tls-alpn-01", "a.example by tls-alpn-01"];
    assert_eq!(published(&names, &[TlsAlpn01, Dns01]), expected);
}

#[test]
fn a_wildcard_is_proved_by_no_other_way_than_dns() {
    let scene = Scene::new(62, Settings::default()).ways(&[TlsAlpn01, Http01]);
    let error = acme_error(scene.issue(&["*.a.example"], None)).to_string();
    assert!(error.starts_with("*.a.example: the CA offers no challenge that is configured"), "{error}");
    assert!(scene.keeper.published.borrow().is_empty());
}

#[test]
fn a_failed_challenge_is_told_with_its_name_and_type() {
    let unreachable = vec![("dns-01", "a.example"), ("tls-alpn-01", "b.example")];
    let scene = Scene::new(63, Settings { unreachable, ..Settings::default() }).ways(&[TlsAlpn01, Dns01]);
    let error = acme_error(scene.issue(&["*.a.example", "b.example"], None)).to_string();
    assert!(error.contains("; *.a.example: dns-01: unauthorized"), "{error}");
    assert!(error.contains("; b.example: tls-alpn-01: unauthorized"), "{error}");
}

#[test]
fn a_word_to_the_ca_whose_answer_was_lost_is_found_to_have_arrived() {
    for looks_until_done in [0, 3] {
        let settings = Settings { looks_until_done, ..Settings::default() };
        let scene = Scene::new(64, settings).faults(Faults::once("challenge", Fault::LostAnswer));
        scene.issue(&["a.example"], None).unwrap();
        assert_eq!(scene.ca().order_count(), 1);
    }
}

#[test]
fn a_word_that_the_ca_refuses_and_did_not_take_is_an_error() {
    let refusal = Fault::answer(403, r#"{"type":"urn:ietf:params:acme:error:unauthorized","detail":"not yours"}"#);
    let scene = Scene::new(65, Settings::default()).faults(Faults::once("challenge", refusal));
    let error = acme_error(scene.issue(&["a.example"], None)).to_string();
    assert_eq!(error, "challenge refused: unauthorized: not yours");
    assert!(scene.keeper.web.borrow().is_empty(), "the answer is withdrawn");
}

#[test]
fn challenges_that_can_not_be_read_hide_no_other() {
    let settings = Settings { offers: vec!["unheard-of-01", "unreadable-01", "http-01"], ..Settings::default() };
    let scene = Scene::new(66, settings);
    scene.issue(&["a.example"], None).unwrap();
    assert_eq!(*scene.keeper.published.borrow(), ["a.example by http-01"]);
}
