//! The resolver's options, from the configuration to what the CA sees: whole engines against a scripted CA.

use std::time::Duration;

use crate::world::Scene;
use acme::Response;
use acme::scripted::{Entry, Fault, Faults, Settings};
use config::{Eab, HttpChallenge};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A CA that knows two customers.
fn customers() -> Settings {
    Settings { customers: vec![("one", b"key of one"), ("two", b"key of two")], ..Settings::default() }
}

/// Names the external account, and gives the keeper its MAC key.
fn bind(scene: &mut Scene, kid: &str, key: &'static str) {
    scene.config.resolvers[0].eab = Some(Eab { kid: kid.into() });
    scene.keeper.mac_key.set(Some(key));
}

fn scene(seed: u64, settings: Settings) -> Scene {
    Scene::new(seed, settings, &[&["a.example"]])
}

/// The class and reason of each failure, as they are told.
fn failures(scene: &Scene) -> Vec<String> {
    let lines = scene.notes.lines.borrow();
    lines.iter().filter(|line| line.starts_with("Failed")).cloned().collect()
}

fn new_orders(scene: &Scene) -> Vec<Entry> {
    scene.ca().journal.iter().filter(|entry| entry.url.ends_with("/new-order")).cloned().collect()
}

#[test]
fn an_account_is_bound_once_for_all_orders_and_restarts() {
    let mut scene = Scene::new(1, customers(), &[&["a.example"], &["b.example"], &["c.example"]]);
    bind(&mut scene, "one", "key of one");
    for _ in 0..3 {
        scene.run(MINUTE);
    }
    assert_eq!((scene.published().len(), scene.keeper.bound.get(), scene.ca().account_count()), (3, 1, 1));
}

/// The words on the terms of service that were told.
fn terms(scene: &Scene) -> Vec<String> {
    scene.notes.lines.borrow().iter().filter(|line| line.starts_with("TermsAgreed")).cloned().collect()
}

#[test]
fn the_terms_of_service_are_told_whenever_an_account_is_registered_and_at_no_other_time() {
    let scene = scene(9, Settings { lifetime: 3600, ..Settings::default() });
    scene.run(MINUTE);
    scene.run(HOUR * 5);
    assert_eq!(terms(&scene), ["TermsAgreed { resolver: \"le\", url: \"https://ca.example/terms\" }"]);
    scene.network.ca.borrow_mut().forget_everything();
    scene.run(HOUR);
    assert_eq!(terms(&scene).len(), 2);
}

#[test]
fn terms_of_service_are_told_on_one_line_or_not_at_all() {
    for (url, told) in [(None, 0), (Some("https://ca.example/\r\nx\u{1b}[1m".to_owned()), 1)] {
        let scene = scene(10, Settings { terms: url, ..Settings::default() });
        scene.run(MINUTE);
        assert_eq!(scene.published().len(), 1);
        let terms = terms(&scene);
        assert_eq!(terms.len(), told);
        assert!(terms.iter().all(|line| line.contains(r"https://ca.example/\\r\\nx\\u{1b}[1m")), "{terms:?}");
    }
}

#[test]
fn an_answer_lost_at_registration_makes_no_second_account() {
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::Stall, Fault::answer(500, "")] {
        let mut scene = scene(2, customers()).faults(Faults::once("newAccount", fault));
        bind(&mut scene, "one", "key of one");
        scene.run(HOUR);
        assert_eq!((scene.published().len(), scene.ca().account_count()), (1, 1));
    }
}

#[test]
fn a_missing_or_wrong_external_account_is_permanent_and_orders_nothing() {
    for (external, reason) in [
        (None, "set eab.kid and eab.hmacEncoded"),
        (Some(("three", "key of one")), "newAccount refused: unauthorized: no such customer"),
        (Some(("one", "key of two")), "newAccount refused: unauthorized: the MAC is wrong"),
    ] {
        let mut scene = scene(3, customers());
        if let Some((kid, key)) = external {
            bind(&mut scene, kid, key);
        }
        scene.run(MINUTE * 50);
        let failures = failures(&scene);
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].contains("class: \"permanent\"") && failures[0].contains(reason), "{failures:?}");
        assert!(!failures[0].contains("key of"));
        assert_eq!((new_orders(&scene).len(), scene.ca().account_count()), (0, 0));
    }
}

#[test]
fn a_mac_key_that_is_gone_is_tried_again_soon() {
    let mut scene = scene(4, customers());
    bind(&mut scene, "one", "key of one");
    scene.keeper.mac_key.set(None);
    scene.run(MINUTE / 2);
    let told = failures(&scene);
    assert!(told[0].contains("class: \"sidecar\"") && told[0].contains("no usable MAC key"), "{told:?}");
    bind(&mut scene, "one", "key of one");
    scene.run(MINUTE * 2);
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn a_changed_kid_registers_a_new_account_and_the_old_one_is_found_again() {
    let mut scene = scene(5, Settings { lifetime: 3600, ..customers() });
    for (kid, key, accounts) in
        [("one", "key of one", 1), ("two", "key of two", 2), ("one", "key of one", 2), ("two", "wrong by now", 2)]
    {
        bind(&mut scene, kid, key);
        scene.run(HOUR);
        assert_eq!(scene.ca().account_count(), accounts, "with {kid}");
    }
    assert_eq!(scene.keeper.bound.get(), 2);
    assert!(failures(&scene).is_empty(), "{:?}", failures(&scene));
}

#[test]
fn a_kid_added_to_an_account_registers_anew_and_one_taken_away_changes_nothing() {
    let mut scene = scene(6, Settings { lifetime: 3600, ..Settings::default() });
    scene.run(MINUTE);
    scene.network.ca.borrow_mut().settings.customers = vec![("one", b"key of one")];
    bind(&mut scene, "one", "key of one");
    scene.run(HOUR);
    assert_eq!(scene.ca().account_count(), 2);
    scene.config.resolvers[0].eab = None;
    scene.run(HOUR * 3);
    assert_eq!((scene.ca().account_count(), failures(&scene).len()), (2, 0));
    assert!(scene.published()["a.example"] >= 4);
}

#[test]
fn an_account_that_the_ca_lost_is_bound_again() {
    let mut scene = scene(7, Settings { lifetime: 3600, ..customers() });
    bind(&mut scene, "one", "key of one");
    scene.run(MINUTE);
    scene.network.ca.borrow_mut().forget_everything();
    scene.run(HOUR);
    assert_eq!((scene.ca().account_count(), scene.keeper.bound.get()), (1, 2));
    assert!(failures(&scene).is_empty());
}

#[test]
fn the_preferred_chain_is_taken_and_without_it_the_default_one_with_a_word() {
    for (preferred, expected, is_told) in [
        (None, "Root A", false),
        (Some("Root A"), "Root A", false),
        (Some("Root B"), "Root B", false),
        (Some("Root C"), "Root A", true),
        (Some("root b"), "Root A", true),
    ] {
        let mut scene = scene(8, Settings { issuers: vec!["Root A", "Root B"], ..Settings::default() });
        scene.config.resolvers[0].preferred_chain = preferred.map(str::to_owned);
        scene.run(MINUTE);
        assert_eq!(scene.keeper.publications.borrow()[0].issuer, expected);
        let lines = scene.notes.lines.borrow();
        let told: Vec<_> = lines.iter().filter(|line| line.starts_with("DefaultChain")).collect();
        assert_eq!(told.len(), usize::from(is_told), "{told:?}");
        assert!(told.iter().all(|line| line.contains(r#"offered: ["Root A", "Root B"]"#)), "{told:?}");
    }
}

#[test]
fn a_chain_that_can_not_be_downloaded_delays_nothing_and_is_told() {
    let broken = Faults::by(|request, _| request.url.ends_with("/certificate/0/1").then(|| Fault::answer(500, "")));
    let mut scene = scene(9, Settings { issuers: vec!["Root A", "Root B"], ..Settings::default() }).faults(broken);
    scene.config.resolvers[0].preferred_chain = Some("Root B".into());
    scene.run(MINUTE);
    assert_eq!(scene.keeper.publications.borrow()[0].issuer, "Root A");
    let lines = scene.notes.lines.borrow();
    let told = lines.iter().find(|line| line.starts_with("DefaultChain")).unwrap();
    assert!(told.contains("certificate refused: HTTP status 500"), "{told}");
    assert!(failures(&scene).is_empty());
}

#[test]
fn a_profile_is_named_in_every_order_and_one_that_disappears_is_told() {
    let mut scene = scene(10, Settings { profiles: vec!["short", "long"], lifetime: 3600, ..Settings::default() });
    scene.config.resolvers[0].profile = Some("short".into());
    let (config, feed) = (&scene.config, &scene.feed);
    let engine = engine::run(config, &scene.network, &scene.keeper, feed, &scene.notes);
    let mut engine = std::pin::pin!(engine);
    scene.world.run_for(HOUR * 2, engine.as_mut());
    let orders = new_orders(&scene);
    assert!(orders.len() >= 3 && orders.iter().all(|order| order.payload["profile"] == "short"));
    // The directory that is known still lists it.
    scene.network.ca.borrow_mut().settings.profiles = vec!["long"];
    scene.world.run_for(HOUR * 3, engine.as_mut());
    let told = failures(&scene);
    assert!(told[0].contains("newOrder refused: invalidProfile") && told[0].contains("permanent"), "{told:?}");
    assert!(told[1].contains("the CA has no profile short, only long"), "{told:?}");
}

#[test]
fn a_profile_that_appears_is_asked_for_without_a_restart() {
    let mut scene = scene(11, Settings::default());
    scene.config.resolvers[0].profile = Some("short".into());
    let (config, feed) = (&scene.config, &scene.feed);
    let engine = engine::run(config, &scene.network, &scene.keeper, feed, &scene.notes);
    let mut engine = std::pin::pin!(engine);
    scene.world.run_for(MINUTE, engine.as_mut());
    assert!(failures(&scene)[0].contains("the CA has no profile short; it has none at all"));
    scene.network.ca.borrow_mut().settings.profiles = vec!["short"];
    scene.world.run_for(HOUR * 2, engine.as_mut());
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn without_a_responder_at_the_entry_point_no_order_is_started() {
    let scene = scene(12, Settings::default());
    *scene.keeper.entry_points.borrow_mut() = vec!["internal".into(), "ad\nmin".into()];
    scene.run(MINUTE);
    let told = failures(&scene);
    let expected = "httpChallenge.entryPoint is web, and responders run for internal, ad\\\\nmin only";
    assert!(told[0].contains(expected) && told[0].contains("transient"), "{told:?}");
    assert_eq!(scene.ca().order_count(), 0);
    scene.keeper.entry_points.borrow_mut().push("web".into());
    scene.run(MINUTE * 10);
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn an_order_under_way_is_gone_on_with_whatever_responders_there_are() {
    let scene = scene(13, Settings::default());
    while scene.keeper.stored.borrow().orders.is_empty() {
        scene.run(Duration::from_millis(150));
    }
    *scene.keeper.entry_points.borrow_mut() = vec!["internal".into()];
    scene.run(MINUTE * 2);
    assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 1));
}

#[test]
fn the_ca_is_told_of_a_challenge_after_the_delay() {
    let mut scene = scene(14, Settings::default());
    let delay = Duration::from_secs(90);
    scene.config.resolvers[0].http_challenge = Some(HttpChallenge { entry_point: "web".into(), delay });
    scene.run(Duration::from_secs(89));
    assert_eq!((scene.ca().asked("/challenge/"), scene.keeper.web.borrow().len()), (0, 1));
    scene.run(Duration::from_secs(100));
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn a_duration_decides_when_to_renew_within_the_real_lifetime() {
    for (hours, lifetime_days, renewed_after_days) in
        [(2160, 90, 60..=63), (720, 90, 75..=77), (8760, 30, 20..=21), (2160, 6, 3..=4)]
    {
        let mut scene = scene(15, Settings { lifetime: lifetime_days * 86_400, ..Settings::default() });
        scene.config.resolvers[0].certificates_duration = Some(HOUR * hours);
        scene.run(DAY * 80);
        for pair in scene.ca().certificates.windows(2) {
            let days = (pair[1].not_before - pair[0].not_before) / 86_400;
            assert!(renewed_after_days.contains(&days), "{hours} h, {lifetime_days} days: after {days}");
        }
        assert!(scene.ca().certificates.len() > 1);
    }
}

#[test]
fn with_all_options_and_a_tenth_of_all_requests_failing_everything_is_issued() {
    for seed in 0..10 {
        let settings =
            Settings { profiles: vec!["short"], issuers: vec!["Root A", "Root B"], refused_nonces: 20, ..customers() };
        let wants: &[&[&str]] = &[&["a.example", "b.example"], &["c.example"]];
        let mut scene = Scene::new(seed, settings, wants).faults(Faults::some(10));
        bind(&mut scene, "one", "key of one");
        let resolver = &mut scene.config.resolvers[0];
        resolver.profile = Some("short".into());
        resolver.preferred_chain = Some("Root B".into());
        resolver.http_challenge = Some(HttpChallenge { entry_point: "web".into(), delay: Duration::from_secs(3) });
        scene.run(HOUR * 12);
        assert_eq!(scene.published().len(), 2, "seed {seed}: {:#?}", scene.notes.lines.borrow());
        assert_eq!(scene.ca().account_count(), 1);
    }
}

#[test]
fn a_mended_binding_is_tried_at_once_and_then_left_alone() {
    let mut scene = scene(20, customers());
    bind(&mut scene, "one", "key of two");
    scene.run(MINUTE);
    assert_eq!(failures(&scene).len(), 1);
    // Still wrong, but otherwise: the second failure in a row. Restarts try again, but less and less often.
    bind(&mut scene, "three", "key of one");
    for _ in 0..10 {
        scene.run(MINUTE);
    }
    let told = failures(&scene);
    assert!((2..=4).contains(&told.len()) && told[1].contains("failures: 2"), "{told:?}");
    bind(&mut scene, "one", "key of one");
    scene.run(MINUTE);
    assert_eq!((scene.published().len(), failures(&scene).len()), (1, told.len()));
}

#[test]
fn another_entry_point_is_tried_at_once() {
    let mut scene = scene(21, Settings::default());
    scene.config.engine.retry_min = HOUR;
    scene.keeper.entry_points.replace(vec!["http".into()]);
    scene.run(MINUTE);
    assert_eq!((failures(&scene).len(), scene.ca().order_count()), (1, 0));
    scene.config.resolvers[0].http_challenge =
        Some(HttpChallenge { entry_point: "http".into(), delay: Duration::ZERO });
    scene.run(MINUTE);
    assert_eq!(scene.published().len(), 1);
}

#[test]
fn a_rate_limit_holds_whatever_is_mended() {
    let limited = Response {
        status: 429,
        headers: vec![("retry-after".into(), "36000".into())],
        body: br#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}"#.to_vec(),
    };
    let mut scene = scene(22, Settings::default()).faults(Faults::once("newOrder", Fault::Answer(limited)));
    scene.run(MINUTE);
    assert!(failures(&scene)[0].contains("rate_limited"), "{:?}", failures(&scene));
    scene.config.resolvers[0].preferred_chain = Some("Other Root".into());
    scene.run(HOUR * 9);
    assert!(scene.published().is_empty());
    scene.run(HOUR);
    assert_eq!(scene.published().len(), 1);
}
