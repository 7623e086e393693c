//! When the CA suggests that a certificate is renewed (RFC 9773), and what an order says of the one it replaces.

use std::time::Duration;

use crate::scene::Scene;
use acme::directory::Ca;
use acme::issuance::{Beginning, rehearse};
use acme::renewal_info::{RenewalInfo, USUAL, ask};
use acme::scripted::{Fault, Faults, Renewals, Settings, renewal_id};
use acme::{Error, Identifier};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const DAY: i64 = 86_400;

fn scene(renewals: Renewals) -> Scene {
    Scene::new(1, Settings { renewals, ..Settings::default() })
}

/// A certificate, and what the CA then says of it.
fn asked(scene: &Scene, id: &str) -> Result<Option<RenewalInfo>, Error> {
    let url = scene.ca().directory_url();
    scene.world.run(async {
        let ca = Ca::find(&scene.network, &url, &scene.options).await?;
        ask(&scene.network, &ca, &scene.options, id).await
    })
}

#[test]
fn a_window_is_read_with_its_explanation_and_when_to_ask_again() {
    let explanation = Some("https://ca.example/why");
    let scene = scene(Renewals {
        usual: Some((500, 600)),
        retry_after: Some("21600".into()),
        explanation,
        ..Renewals::default()
    });
    scene.issue(&["a.example"], None).unwrap();
    let not_before = scene.ca().certificates[0].not_before;
    let told = asked(&scene, &renewal_id(1)).unwrap().unwrap();
    assert_eq!((told.start, told.end), (not_before + 45 * DAY, not_before + 54 * DAY));
    assert_eq!(told.explanation.as_deref(), explanation);
    assert_eq!(told.ask_again_in, Duration::from_secs(21_600));
}

#[test]
fn the_wait_is_from_a_minute_to_a_day_and_six_hours_where_none_is_named() {
    for (value, expected) in [
        (Some("0"), 60),
        (Some("59"), 60),
        (Some("61"), 61),
        (Some("18446744073709551616"), 86_400),
        (Some("soon"), 21_600),
        (Some("-5"), 21_600),
        (None, 21_600),
    ] {
        let retry_after = value.map(str::to_owned);
        let scene = scene(Renewals { usual: Some((500, 600)), retry_after, ..Renewals::default() });
        scene.issue(&["a.example"], None).unwrap();
        let told = asked(&scene, &renewal_id(1)).unwrap().unwrap();
        assert_eq!(told.ask_again_in.as_secs(), expected, "{value:?}");
    }
    assert_eq!(USUAL.as_secs(), 21_600);
}

/// The example of RFC 9773 §4.2, <https://www.rfc-editor.org/rfc/rfc9773#section-4.2>.
#[test]
fn reads_the_rfcs_example() {
    let body = r#"{
        "suggestedWindow": {"start": "2025-01-02T04:00:00Z", "end": "2025-01-03T04:00:00Z"},
        "explanationURL": "https://acme.example.com/docs/ari"
    }"#;
    let scene = scene(Renewals { instead: Some((200, body)), ..Renewals::default() });
    let told = asked(&scene, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE").unwrap().unwrap();
    assert_eq!((told.start, told.end), (1_735_790_400, 1_735_876_800));
    assert_eq!(told.explanation.as_deref(), Some("https://acme.example.com/docs/ari"));
    let asked = &scene.ca().renewals_asked[0].0;
    assert_eq!(asked, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE");
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error() {
    for (status, body) in [
        (404, "{}"),
        (200, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"suggestedWindow": {}}"#),
        (200, r#"{"suggestedWindow": {"start": 1, "end": 2}}"#),
        (200, r#"{"suggestedWindow": {"start": "soon", "end": "later"}}"#),
        (200, r#"{"suggestedWindow": {"start": "2025-13-02T04:00:00Z", "end": "2026-01-03T04:00:00Z"}}"#),
        (200, r#"{"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-02T04:00:00Z"}}"#),
        (200, r#"{"suggestedWindow": {"start": "2025-01-03T04:00:00Z", "end": "2025-01-03T04:00:00Z"}}"#),
    ] {
        let scene = scene(Renewals { instead: Some((status, body)), ..Renewals::default() });
        assert!(asked(&scene, "a.b").is_err(), "{status} {body}");
    }
}

#[test]
fn a_ca_that_tells_nothing_of_renewals_is_not_asked() {
    let directory = r#"{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a",
        "newOrder":"https://ca.example/o","renewalInfo":7}"#;
    let scene = scene(Renewals::default()).faults(Faults::once("directory", Fault::answer(200, directory)));
    assert_eq!(asked(&scene, "a.b"), Ok(None));
}

#[test]
fn a_foreign_address_is_not_asked() {
    let directory = r#"{"newNonce":"https://ca.example/n","newAccount":"https://ca.example/a",
        "newOrder":"https://ca.example/o","renewalInfo":"https://169.254.169.254/latest"}"#;
    let scene = scene(Renewals::default()).faults(Faults::once("directory", Fault::answer(200, directory)));
    assert!(matches!(asked(&scene, "a.b"), Err(Error::ForeignUrl { place: "directory.renewalInfo", .. })));
}

#[test]
fn an_order_names_the_certificate_that_it_replaces() {
    let scene = scene(Renewals { once: true, ..Renewals::default() });
    scene.begin(&["a.example"], Beginning::New(Some("a.b"))).unwrap();
    assert_eq!(scene.ca().replaced(), ["a.b"]);
}

#[test]
fn what_has_been_replaced_already_is_ordered_like_any_other() {
    let scene = scene(Renewals { once: true, ..Renewals::default() });
    for _ in 0..2 {
        scene.begin(&["a.example"], Beginning::New(Some("a.b"))).unwrap();
    }
    let ca = scene.ca();
    assert_eq!(ca.certificates.len(), 2);
    assert_eq!(ca.replaced(), ["a.b"]);
    assert_eq!(ca.asked("/new-order"), 3, "one without a replacement after the refusal");
}

#[test]
fn a_rehearsal_proves_the_names_and_asks_for_no_certificate() {
    let rehearsed = |settings: Settings| {
        let scene = Scene::new(1, settings);
        let names = [Identifier::of("a.example")];
        let result = scene.world.run(async { rehearse(&scene.client().await?, &scene.keeper, &names).await });
        assert_eq!(scene.ca().asked("/finalize"), 0);
        result
    };
    assert_eq!(rehearsed(Settings::default()), Ok(()));
    assert!(rehearsed(Settings { unreachable: vec![("http-01", "a.example")], ..Settings::default() }).is_err());
}
