//! How fast, and never too fast; and where else a certificate comes from meanwhile.

use std::time::Duration;

use crate::world::Scene;
use acme::Response;
use acme::scripted::{Fault, Faults, Settings};
use protocol::Permit;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The CA limits orders, and says so with these headers.
fn limited(detail: &str, retry_after: Option<&str>) -> Fault {
    let body = format!(r#"{{"type":"urn:ietf:params:acme:error:rateLimited","detail":"{detail}"}}"#);
    let headers = retry_after.map(|value| ("retry-after".to_owned(), value.to_owned())).into_iter().collect();
    Fault::Answer(Response { status: 429, headers, body: body.into() })
}

fn lines(scene: &Scene, part: &str) -> usize {
    scene.notes.lines.borrow().iter().filter(|line| line.contains(part)).count()
}

/// Two resolvers of CAs that are told apart by their names alone; the first falls back to the second.
fn with_fallback(scene: Scene) -> Scene {
    let Scene { mut config, .. } = scene;
    let mut second = config.resolvers[0].clone();
    second.name = "second".into();
    config.resolvers[0].fallback = vec!["second".into()];
    config.resolvers.push(second);
    Scene { config, ..scene }
}

#[test]
fn an_order_that_would_be_refused_is_not_sent_and_waits_without_failing() {
    let scene = Scene::new(31, Settings::default(), &[&["a.example"]]);
    let until = scene.world.now_millis() / 1000 + 7200;
    *scene.keeper.allows.borrow_mut() = Box::new(move |_, _, now| {
        if now >= until {
            return Permit::granted();
        }
        Permit::refused(until, "50 certificates a week".into(), false)
    });
    scene.run(HOUR);
    assert_eq!(scene.ca().journal.len(), 0, "the CA is not asked at all");
    assert_eq!((lines(&scene, "Held"), lines(&scene, "Failed")), (1, 0), "{:#?}", scene.notes.lines.borrow());
    assert!(scene.keeper.permits.borrow().len() <= 3);
    scene.run(HOUR * 2);
    assert_eq!(scene.published()["a.example"], 1);
}

#[test]
fn a_limit_that_holds_for_longer_than_a_day_is_not_asked_for_without_end() {
    for whole_account in [false, true] {
        let scene = Scene::new(37, Settings::default(), &[&["a.example"]]);
        let until = scene.world.now_millis() / 1000 + 34 * 3600;
        *scene.keeper.allows.borrow_mut() = Box::new(move |_, _, now| {
            if now >= until {
                return Permit::granted();
            }
            Permit::refused(until, "5 certificates of these names a week".into(), whole_account)
        });
        scene.run(HOUR * 33);
        assert!(scene.keeper.permits.borrow().len() <= 5, "{} permits", scene.keeper.permits.borrow().len());
        scene.run(HOUR * 2);
        assert_eq!(scene.published()["a.example"], 1);
    }
}

#[test]
fn a_pause_that_was_noted_while_the_clock_was_ahead_holds_nothing_up_when_it_is_back() {
    let busy = || {
        let headers = vec![("retry-after".to_owned(), "3600".to_owned())];
        Fault::Answer(Response { status: 503, headers, body: b"{}".to_vec() })
    };
    let scene = Scene::new(38, Settings { lifetime: 6 * 86_400, ..Settings::default() }, &[&["a.example"]]);
    scene.network.ca.borrow_mut().settings.renewals.usual = Some((100, 200));
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = std::pin::pin!(engine);
    let decade = 3650 * 86_400_000;
    scene.world.jump(decade);
    *scene.network.faults.borrow_mut() = Faults::by(move |request, _| (request.endpoint == "newOrder").then(busy));
    scene.world.run_for(MINUTE, engine.as_mut());
    assert_eq!(scene.keeper.pauses.borrow().len(), 1);
    scene.world.jump(-decade);
    *scene.network.faults.borrow_mut() = Faults::none();
    scene.world.run_for(MINUTE * 5, engine.as_mut());
    assert_eq!(scene.published()["a.example"], 1);
    // The CA is asked about the renewal, and what it says is kept.
    scene.world.run_for(MINUTE * 5, engine.as_mut());
    assert!(!scene.ca().renewals_asked.is_empty());
    assert!(!scene.keeper.stored.borrow().renewals.is_empty());
    // Another pause counts again.
    let asked = scene.ca().journal.len();
    *scene.network.faults.borrow_mut() = Faults::by(move |request, _| (request.endpoint == "newOrder").then(busy));
    scene.world.run_for(DAY, engine.as_mut());
    assert!(scene.keeper.pauses.borrow().len() > 1);
    assert!(scene.keeper.pauses.borrow().len() <= 25, "{}", scene.keeper.pauses.borrow().len());
    assert!(scene.ca().journal.len() - asked < 10);
}

#[test]
fn an_account_that_has_used_up_its_orders_holds_all_its_certificates() {
    let wants: Vec<String> = (0..50).map(|i| format!("n{i}.example")).collect();
    let wants: Vec<[&str; 1]> = wants.iter().map(|name| [name.as_str()]).collect();
    let wants: Vec<&[&str]> = wants.iter().map(<[&str; 1]>::as_slice).collect();
    let scene = Scene::new(32, Settings::default(), &wants);
    // One order a minute.
    let last = std::cell::Cell::new(0);
    *scene.keeper.allows.borrow_mut() = Box::new(move |_, places_order, now| {
        if !places_order {
            return Permit::granted();
        }
        if now < last.get() + 60 {
            return Permit::refused(last.get() + 60, "one a minute".into(), true);
        }
        last.set(now);
        Permit::granted()
    });
    scene.run(MINUTE * 30);
    let issued = scene.published().len();
    assert!((29..=31).contains(&issued), "{issued} in half an hour");
    let asked = scene.keeper.permits.borrow().len();
    assert!(asked <= 30 * 25, "{asked} permits asked for");
}

#[test]
fn a_limit_of_the_account_pauses_its_other_certificates() {
    let scene = Scene::new(33, Settings::default(), &[&["a.example"], &["b.example"], &["c.example"]]);
    let mut scene = scene.faults(Faults::by({
        let mut left = 1;
        move |request, _| {
            let is_it = request.endpoint == "newOrder" && left > 0;
            left -= i32::from(is_it);
            is_it.then(|| limited("too many new orders from this account", Some("3600")))
        }
    }));
    scene.config.engine.max_orders = 1;
    scene.run(MINUTE * 59);
    assert_eq!(scene.ca().asked("/new-order"), 0, "the one that was sent met the limit");
    assert_eq!(scene.keeper.pauses.borrow().len(), 1);
    assert_eq!(scene.keeper.pauses.borrow()[0].names, Vec::<String>::new());
    scene.run(HOUR * 2);
    assert_eq!(scene.published().len(), 3);
}

#[test]
fn a_limit_of_one_domain_pauses_no_other() {
    let scene = Scene::new(34, Settings::default(), &[&["www.a.example"], &["b.example"]]);
    let scene = scene.faults(Faults::once("newOrder", limited(r"too many certificates for a.example", Some("3600"))));
    let mut scene = scene;
    scene.config.engine.max_orders = 1;
    scene.run(MINUTE * 30);
    assert_eq!(scene.published().into_keys().collect::<Vec<_>>(), ["b.example"]);
    assert_eq!(scene.keeper.pauses.borrow()[0].names, ["a.example"]);
}

#[test]
fn a_busy_ca_is_left_alone_for_as_long_as_it_asks() {
    for (value, least) in [("7200", 7200), ("Thu, 01 Jan 2026 02:00:00 GMT", 7200), ("18446744073709551616", 86_400)] {
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        let busy = Fault::Answer(Response { status: 503, headers, body: Vec::new() });
        let scene = Scene::new(35, Settings::default(), &[&["a.example"]]);
        let scene = scene.faults(Faults::by(move |request, _| (request.endpoint == "newOrder").then(|| busy.clone())));
        scene.run(Duration::from_secs(least - 60));
        assert_eq!(scene.keeper.attempts.borrow().len(), 1, "{value}");
        scene.run(MINUTE * 10);
        assert!(scene.keeper.attempts.borrow().len() >= 2, "{value}");
    }
}

#[test]
fn after_three_failures_the_next_ca_issues() {
    let scene = with_fallback(Scene::new(36, Settings::default(), &[&["a.example"]]));
    let scene = scene.faults(Faults::by({
        // Each try asks four times.
        let mut left = 12;
        move |request, _| {
            let is_it = request.endpoint == "newOrder" && left > 0;
            left -= i32::from(is_it);
            is_it.then(|| Fault::answer(500, "oops"))
        }
    }));
    scene.run(DAY);
    assert_eq!(scene.published()["a.example"], 1);
    let issuers: Vec<String> = scene.keeper.permits.borrow().iter().map(|(_, issuer, _)| issuer.clone()).collect();
    assert_eq!(issuers, ["le", "le", "le", "second"]);
    assert_eq!(lines(&scene, "FallsBack"), 1);
    assert_eq!(scene.ca().account_count(), 2, "each with its own account");
    let renewal = scene.keeper.stored.borrow().renewals[0].clone();
    assert_eq!(renewal.issued_by.as_deref(), Some("second"));
}

#[test]
fn a_ca_that_refuses_for_good_is_not_waited_for() {
    let scene = with_fallback(Scene::new(40, Settings::default(), &[&["a.example"]]));
    let refusal = Fault::answer(403, r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier"}"#);
    let scene = scene.faults(Faults::once("newOrder", refusal));
    scene.run(MINUTE);
    assert_eq!(scene.published()["a.example"], 1);
}

#[test]
fn a_renewal_returns_to_the_first_ca() {
    let settings = Settings { lifetime: 6 * 86_400, ..Settings::default() };
    let scene = with_fallback(Scene::new(37, settings, &[&["a.example"]]));
    let is_down = |issuer: &str, now: i64, until: i64| issuer == "le" && now < until;
    let until = scene.world.now_millis() / 1000 + 86_400;
    *scene.keeper.allows.borrow_mut() = Box::new(move |issuer, _, now| {
        if !is_down(issuer, now, until) {
            return Permit::granted();
        }
        Permit::refused(until, "a limit of hours".into(), true)
    });
    scene.run(HOUR);
    assert_eq!(scene.published()["a.example"], 1, "{:#?}", scene.notes.lines.borrow());
    assert_eq!(scene.keeper.permits.borrow().last().unwrap().1, "second");
    scene.run(DAY * 4);
    assert_eq!(scene.published()["a.example"], 2);
    assert_eq!(scene.keeper.permits.borrow().last().unwrap().1, "le");
    assert_eq!(scene.ca().replaced(), Vec::<&str>::new(), "the other CA's certificate means nothing to this one");
}

#[test]
fn what_keeps_failing_is_tried_with_the_test_system_first() {
    let settings = Settings { unreachable: vec![("http-01", "a.example")], ..Settings::default() };
    let mut scene = Scene::new(38, settings, &[&["a.example"]]);
    let staging = scene.ca().directory_url();
    // The same scripted CA plays its own test system, under another URL.
    scene.config.resolvers[0].staging_server = Some(format!("{staging}?staging"));
    let scene = scene;
    scene.run(HOUR * 2);
    let attempts = scene.keeper.attempts.borrow();
    let (before, after) = attempts.split_at(3);
    assert!(before.iter().all(|attempt| !attempt.reason.contains("test system")), "{attempts:#?}");
    assert!(
        after.iter().all(|attempt| attempt.reason.contains("in a trial with the CA's test system")),
        "{attempts:#?}"
    );
    assert!(!after.is_empty());
    assert!(after.iter().all(|attempt| attempt.refused.is_empty()), "the CA itself has refused nothing");
    let asked_before = scene.ca().asked("/finalize");
    assert_eq!(asked_before, 0);
    drop(attempts);
    scene.network.ca.borrow_mut().settings.unreachable.clear();
    scene.run(HOUR * 8);
    assert_eq!(scene.published()["a.example"], 1, "{:#?}", scene.notes.lines.borrow());
    assert_eq!(lines(&scene, "Rehearsed"), 1);
}

#[test]
fn names_that_could_not_be_validated_are_told_to_the_ledger() {
    let settings = Settings { unreachable: vec![("http-01", "b.example")], ..Settings::default() };
    let scene = Scene::new(39, settings, &[&["a.example", "b.example"]]);
    scene.run(MINUTE / 2);
    let attempts = scene.keeper.attempts.borrow();
    assert_eq!(attempts[0].refused, ["b.example"]);
    assert_eq!((attempts[0].issuer(), &attempts[0].ca_server), ("le", &scene.ca().directory_url()));
}

#[test]
fn ten_thousand_that_are_due_at_once_are_spread() {
    let schedule = engine::schedule::Schedule::default();
    let at = |serial: usize| {
        let certificate = protocol::StoredCertificate {
            resolver: "le".into(),
            names: vec!["a.example".into()],
            not_before: 0,
            not_after: 90 * 86_400,
            serial: format!("{serial:x}"),
            ..Default::default()
        };
        schedule.renewal_at(&certificate, None) / 3600
    };
    let mut hours = std::collections::BTreeMap::new();
    (0..10_000).for_each(|serial| *hours.entry(at(serial)).or_insert(0) += 1);
    let most = hours.values().max().unwrap();
    assert!(hours.len() >= 70 && *most <= 300, "{} hours, at most {most} in one", hours.len());
}
