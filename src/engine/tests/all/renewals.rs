//! When certificates are renewed: by what their CA suggests, what the sidecar finds wrong, and what nothing wants.

use std::pin::pin;
use std::time::Duration;

use crate::world::{Scene, id};
use acme::scripted::{Fault, Faults, Renewals, Settings, renewal_id};
use protocol::Replacement;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const SECONDS_A_DAY: i64 = 86_400;

fn scene(renewals: Renewals) -> Scene {
    Scene::new(21, Settings { renewals, ..Settings::default() }, &[&["a.example"]])
}

fn issued(scene: &Scene) -> usize {
    scene.published().values().sum()
}

#[test]
fn a_certificate_is_renewed_at_a_moment_within_its_cas_window() {
    // From day 18 to day 27 of 90.
    let scene = scene(Renewals { usual: Some((200, 300)), ..Renewals::default() });
    scene.run(DAY * 17);
    assert_eq!(issued(&scene), 1);
    scene.run(DAY * 11);
    assert_eq!(issued(&scene), 2);
    assert_eq!(scene.ca().replaced(), [renewal_id(1)]);
    let line = "why: Suggested";
    assert!(scene.notes.lines.borrow().iter().any(|noted| noted.contains(line)), "{:#?}", scene.notes.lines.borrow());
}

#[test]
fn the_moment_is_kept_over_restarts_and_differs_between_certificates() {
    let wants: Vec<Vec<String>> = (0..20).map(|i| vec![format!("n{i}.example")]).collect();
    let wants: Vec<Vec<&str>> = wants.iter().map(|names| names.iter().map(String::as_str).collect()).collect();
    let wants: Vec<&[&str]> = wants.iter().map(Vec::as_slice).collect();
    let renewals = Renewals { usual: Some((200, 300)), ..Renewals::default() };
    let scene = Scene::new(22, Settings { renewals, ..Settings::default() }, &wants);
    let moments = |scene: &Scene| {
        let stored = scene.keeper.stored.borrow();
        let mut moments: Vec<i64> =
            stored.renewals.iter().map(|renewal| renewal.suggestion.as_ref().unwrap().renew_at).collect();
        moments.sort_unstable();
        moments
    };
    scene.run(HOUR);
    let chosen = moments(&scene);
    assert_eq!(chosen.len(), 20);
    assert!(chosen[19] - chosen[0] > 3 * SECONDS_A_DAY, "{chosen:?}");
    for _ in 0..10 {
        scene.run(HOUR * 7);
    }
    assert_eq!(moments(&scene), chosen);
}

#[test]
fn the_ca_is_asked_at_its_own_pace_also_over_restarts() {
    let renewals = Renewals { usual: Some((600, 700)), retry_after: Some("7200".into()), ..Renewals::default() };
    let scene = scene(renewals);
    scene.run(DAY);
    let asked = scene.ca().renewals_asked.len();
    assert!((12..=13).contains(&asked), "{asked} times in a day");
    // A crash loop: an engine lives for a second.
    for _ in 0..600 {
        scene.run(Duration::from_secs(1));
    }
    let more = scene.ca().renewals_asked.len() - asked;
    assert!(more <= 1, "{more} more");
}

#[test]
fn a_window_in_the_past_renews_at_once() {
    let scene = scene(Renewals { usual: Some((600, 700)), retry_after: Some("60".into()), ..Renewals::default() });
    scene.run(DAY);
    assert_eq!(issued(&scene), 1);
    let start = scene.ca().certificates[0].not_before;
    scene.network.ca.borrow_mut().settings.renewals.windows.insert(1, (start - 2, start - 1));
    scene.run(MINUTE * 3);
    assert_eq!(issued(&scene), 2);
    scene.run(DAY * 20);
    assert_eq!(issued(&scene), 2);
}

#[test]
fn a_ca_that_finds_fault_with_every_new_certificate_is_not_followed_without_end() {
    let scene = scene(Renewals { usual: Some((-2, -1)), retry_after: Some("60".into()), ..Renewals::default() });
    scene.run(HOUR);
    // At once, and then after 1, 2, 4, … minutes.
    assert!((4..=8).contains(&issued(&scene)), "{} in an hour", issued(&scene));
    scene.run(DAY * 3);
    assert!(issued(&scene) <= 8 + 4 + 3 * 4, "{} in three days", issued(&scene));
}

#[test]
fn absurd_malformed_and_missing_answers_leave_it_to_the_lifetime() {
    for instead in [
        (404, "{}"),
        (500, "oops"),
        (200, "<html>"),
        (200, r#"{"suggestedWindow": {"start": "9999-01-01T00:00:00Z", "end": "9999-01-02T00:00:00Z"}}"#),
        (200, r#"{"suggestedWindow": {"start": "2026-02-02T00:00:00Z", "end": "2026-02-01T00:00:00Z"}}"#),
    ] {
        let scene = scene(Renewals { instead: Some(instead), ..Renewals::default() });
        scene.run(DAY * 59);
        assert_eq!(issued(&scene), 1, "{instead:?}");
        scene.run(DAY * 5);
        assert_eq!(issued(&scene), 2, "{instead:?}");
    }
}

#[test]
fn the_cas_window_can_not_postpone_into_the_last_twentieth() {
    let scene = scene(Renewals { usual: Some((995, 999)), ..Renewals::default() });
    scene.run(DAY * 85);
    assert_eq!(issued(&scene), 1);
    scene.run(DAY);
    assert_eq!(issued(&scene), 2);
}

#[test]
fn what_was_replaced_already_is_renewed_all_the_same() {
    let scene = scene(Renewals { usual: Some((200, 210)), once: true, ..Renewals::default() });
    scene.run(DAY);
    // Somebody else with this account has replaced it.
    let directory = scene.ca().directory_url();
    let other = Scene { config: config::Config { wants: vec![id(&["b.example"])], ..scene.config.clone() }, ..scene };
    other.keeper.stored.borrow_mut().certificates[0].names = id(&["b.example"]).names;
    other.keeper.stored.borrow_mut().renewals.clear();
    other.run(DAY * 30);
    assert!(other.ca().certificates.len() >= 2, "{directory}");
}

#[test]
fn a_certificate_that_is_no_good_is_replaced_at_once_and_only_once() {
    let scene = scene(Renewals::default());
    scene.run(HOUR);
    let no_good =
        |serial: &str| Replacement { certificate: id(&["a.example"]), serial: serial.into(), reason: "revoked".into() };
    scene.feed.replace(Vec::new(), vec![no_good("1")]);
    scene.run(MINUTE);
    assert_eq!(issued(&scene), 2);
    scene.run(DAY);
    assert_eq!(issued(&scene), 2);
    // Again: an Envoy that takes none must not cost the CA one after the other.
    scene.feed.replace(Vec::new(), vec![no_good("2")]);
    scene.run(DAY);
    assert_eq!(issued(&scene), 3);
}

#[test]
fn what_nothing_wants_is_renewed_for_thirty_days_and_then_given_up_once() {
    let mut scene = Scene::new(23, Settings { lifetime: 6 * SECONDS_A_DAY, ..Settings::default() }, &[&["a.example"]]);
    scene.run(DAY);
    scene.config.wants.clear();
    let given_up = |scene: &Scene| scene.notes.lines.borrow().iter().filter(|line| line.contains("GivenUp")).count();
    scene.run(DAY * 28);
    let kept = issued(&scene);
    assert!(kept >= 8, "{kept} in 29 days");
    assert_eq!(given_up(&scene), 0);
    scene.run(DAY * 3);
    let last = issued(&scene);
    for _ in 0..3 {
        scene.run(DAY * 10);
    }
    assert_eq!((issued(&scene), given_up(&scene)), (last, 1));
    // Its router comes back.
    scene.config.wants = vec![id(&["a.example"])];
    scene.run(HOUR);
    assert_eq!(issued(&scene), last + 1);
    assert_eq!(scene.keeper.stored.borrow().unwanted[0].since, None);
}

#[test]
fn what_others_that_are_wanted_cover_is_not_kept_up() {
    let mut scene = Scene::new(24, Settings::default(), &[&["a.example"], &["b.example"]]);
    scene.run(DAY);
    scene.config.wants = vec![id(&["a.example", "b.example", "c.example"])];
    scene.run(DAY * 80);
    let published = scene.keeper.publications.borrow();
    let alone = published.iter().filter(|certificate| certificate.names.len() == 1).count();
    assert_eq!(alone, 2, "the two from before");
}

#[test]
fn a_clock_that_was_ahead_for_a_while_does_not_silence_the_questions() {
    let scene = scene(Renewals { usual: Some((600, 700)), ..Renewals::default() });
    scene.run(HOUR);
    scene.world.jump(3650 * SECONDS_A_DAY * 1000);
    scene.run(HOUR);
    scene.world.jump(-3650 * SECONDS_A_DAY * 1000);
    scene.run(HOUR);
    let asked = scene.ca().renewals_asked.len();
    scene.run(DAY);
    assert!(scene.ca().renewals_asked.len() >= asked + 3, "{:?}", scene.ca().renewals_asked);
}

#[test]
fn what_is_renewed_while_its_ca_is_asked_is_asked_about_too() {
    let scene = scene(Renewals { usual: Some((600, 700)), retry_after: Some("90".into()), ..Renewals::default() });
    let mut questions = 0;
    let scene = scene.faults(Faults::by(move |request, _| {
        questions += i32::from(request.endpoint == "renewalInfo");
        (request.endpoint == "renewalInfo" && questions == 2).then_some(Fault::Stall)
    }));
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = pin!(engine);
    assert!(scene.world.run_for(Duration::from_secs(95), engine.as_mut()).is_none());
    let no_good = Replacement { certificate: id(&["a.example"]), serial: "1".into(), reason: "revoked".into() };
    scene.feed.replace(Vec::new(), vec![no_good]);
    assert!(scene.world.run_for(HOUR, engine.as_mut()).is_none());
    assert_eq!(issued(&scene), 2);
    let asked = scene.ca().renewals_asked.iter().filter(|(asked, _)| *asked == renewal_id(2)).count();
    assert!(asked > 0, "{:?}", scene.ca().renewals_asked);
}

/// Makes what is stored look as if it came from this directory and issuer.
fn made_at(scene: &Scene, ca_server: Option<&str>, issuer: &str) {
    let mut stored = scene.keeper.stored.borrow_mut();
    stored.certificates[0].issuer = issuer.to_owned();
    stored.renewals[0].ca_server = ca_server.map(str::to_owned);
}

const STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

#[test]
fn what_a_test_system_issued_is_replaced_at_once_and_once_when_the_ca_is_another() {
    // With the directory, and as a storage of yesterday or another tool's has it: without.
    for (ca_server, issuer) in [(Some(STAGING), "R12"), (None, "(STAGING) Riddling Rhubarb R12")] {
        let scene = scene(Renewals::default());
        scene.run(HOUR);
        made_at(&scene, ca_server, issuer);
        scene.run(MINUTE);
        assert_eq!(issued(&scene), 2, "{ca_server:?}");
        assert_eq!(scene.ca().replaced(), Vec::<String>::new());
        scene.run(DAY);
        scene.run(DAY * 50);
        assert_eq!(issued(&scene), 2, "{ca_server:?}");
        let lines = scene.notes.lines.borrow();
        let told = lines.iter().filter(|line| line.contains("OtherCa") && line.contains("tests: 1, kept: 0"));
        assert_eq!(told.count(), 1, "{lines:#?}");
    }
}

#[test]
fn what_another_ca_issued_stays_until_it_is_due_and_that_ca_is_not_asked() {
    let scene = scene(Renewals { usual: Some((200, 300)), ..Renewals::default() });
    scene.run(HOUR);
    let asked = scene.ca().renewals_asked.len();
    // Also the real one when a test system is chosen by now.
    made_at(&scene, Some("https://acme-v02.api.letsencrypt.org/directory"), "R12");
    scene.keeper.stored.borrow_mut().renewals[0].suggestion = None;
    scene.run(DAY * 58);
    assert_eq!((issued(&scene), scene.ca().renewals_asked.len()), (1, asked));
    let other_ca = scene.keeper.stored.borrow().renewals[0].other_ca.clone();
    assert_eq!(other_ca.map(|other| (other.ca_server, other.at_once)), Some((scene.ca().directory_url(), false)));
    scene.run(DAY * 5);
    assert_eq!(issued(&scene), 2);
    assert_eq!(scene.ca().replaced(), Vec::<String>::new());
    assert!(scene.notes.lines.borrow().iter().any(|line| line.contains("tests: 0, kept: 1")));
}
