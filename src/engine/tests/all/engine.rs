//! The engine against a scripted CA and a state store in memory: months in milliseconds.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::world::{Scene, id};
use acme::scripted::{Fault, Faults, Settings};
use engine::state_store::StateStoreError;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[test]
fn what_is_wanted_is_issued_and_then_left_alone() {
    let scene = Scene::new(1, Settings::default(), &[&["a.example", "www.a.example"], &["b.example"]]);
    assert_eq!(scene.run(DAY * 30), None);
    assert_eq!(scene.published(), [("a.example".into(), 1), ("b.example".into(), 1)].into());
    assert_eq!(scene.ca().account_count(), 1);
}

#[test]
fn certificates_are_renewed_in_their_last_third_for_ever() {
    let scene = Scene::new(2, Settings::default(), &[&["a.example"]]);
    assert_eq!(scene.run(DAY * 365), None);
    let certificates = scene.ca().certificates.clone();
    for pair in certificates.windows(2) {
        let age = pair[1].not_before - pair[0].not_before;
        assert!((60 * 86_400..=63 * 86_400 + 60).contains(&age), "renewed after {} days", age as f64 / 86_400.0);
    }
    assert!(certificates.len() >= 5);
}

#[test]
fn a_certificate_of_one_minute_is_renewed_in_time() {
    let scene = Scene::new(3, Settings { lifetime: 60, ..Settings::default() }, &[&["a.example"]]);
    assert_eq!(scene.run(HOUR), None);
    for pair in scene.ca().certificates.windows(2) {
        assert!(pair[1].not_before < pair[0].not_after, "a gap before serial {}", pair[1].serial);
    }
    let count = scene.ca().certificates.len();
    assert!((100..=120).contains(&count), "{count} certificates in an hour");
}

#[test]
fn a_blocked_name_does_not_hold_up_the_others() {
    let settings = Settings { blocked: vec!["blocked.example".into()], ..Settings::default() };
    let scene = Scene::new(4, settings, &[&["blocked.example"], &["a.example"], &["b.example"]]);
    scene.run(MINUTE);
    assert_eq!(scene.published(), [("a.example".into(), 1), ("b.example".into(), 1)].into());
    let stored = scene.keeper.stored.borrow();
    assert_eq!(stored.attempts.len(), 1);
    assert!(stored.attempts[0].reason.contains("rejectedIdentifier"), "{}", stored.attempts[0].reason);
}

#[test]
fn thirty_days_of_failure_never_shrink_the_wait() {
    let broken = Faults::by(|request, _| (request.endpoint == "newOrder").then(|| Fault::answer(500, "")));
    let scene = Scene::new(5, Settings::default(), &[&["a.example"]]).faults(broken);
    scene.run(DAY * 30);
    let attempts = scene.keeper.attempts.borrow();
    let times: Vec<i64> = attempts.iter().map(|attempt| attempt.retry_at).collect();
    let waits: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]), "{waits:?}");
    assert!((120..140).contains(&attempts.len()), "{} tries in 30 days", attempts.len());
}

#[test]
fn a_failure_that_was_noted_while_the_clock_was_ahead_holds_nothing_up_when_it_is_back() {
    for endpoint in ["directory", "newNonce", "newAccount", "newOrder"] {
        let broken = Faults::by(move |request, _| (request.endpoint == endpoint).then(|| Fault::answer(500, "")));
        let scene = Scene::new(23, Settings::default(), &[&["a.example"]]).faults(broken);
        let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
        let mut engine = std::pin::pin!(engine);
        scene.world.run_for(MINUTE / 2, engine.as_mut());
        let decade = 3650 * 86_400_000;
        scene.world.jump(decade);
        scene.world.run_for(MINUTE * 5, engine.as_mut());
        assert!(scene.keeper.attempts.borrow().len() > 1, "{endpoint}: it failed while the clock was ahead");
        scene.world.jump(-decade);
        *scene.network.faults.borrow_mut() = Faults::none();
        scene.world.run_for(HOUR, engine.as_mut());
        assert_eq!(scene.published(), [("a.example".into(), 1)].into(), "{endpoint}");
    }
}

#[test]
fn certificates_that_wait_for_one_connection_share_its_failure() {
    let asked = Rc::new(Cell::new(0));
    let counted = asked.clone();
    let broken = Faults::by(move |request, _| {
        let is_it = request.endpoint == "directory";
        counted.set(counted.get() + usize::from(is_it));
        is_it.then(|| Fault::answer(404, ""))
    });
    let wants: &[&[&str]] = &[&["a.example"], &["b.example"], &["c.example"]];
    let scene = Scene::new(24, Settings::default(), wants).faults(broken);
    scene.run(MINUTE / 2);
    assert_eq!((scene.keeper.attempts.borrow().len(), asked.get()), (3, 1));
}

#[test]
fn restarts_do_not_reach_the_ca_more_often() {
    let broken = || Faults::by(|request, _| (request.endpoint == "newOrder").then(|| Fault::answer(500, "")));
    let scene = Scene::new(6, Settings::default(), &[&["a.example"]]).faults(broken());
    for _ in 0..3600 {
        scene.run(Duration::from_secs(60));
    }
    let attempts = scene.keeper.attempts.borrow().len();
    assert!(attempts < 25, "{attempts} tries in 60 hours of restarting every minute");
}

#[test]
fn an_engine_killed_at_any_moment_is_followed_by_one_that_finishes_the_order() {
    for cut in (5..600).step_by(5) {
        let scene = Scene::new(7, Settings::default(), &[&["a.example", "b.example"]]);
        scene.run(Duration::from_millis(cut));
        let known = !scene.keeper.stored.borrow().orders.is_empty();
        scene.run(MINUTE * 2);
        assert_eq!(scene.published(), [("a.example".into(), 1)].into(), "cut at {cut} ms");
        let orders = scene.ca().order_count();
        assert!(orders == 1 || (orders == 2 && !known), "cut at {cut} ms: {orders} orders");
        assert_eq!(scene.ca().account_count(), 1);
    }
}

#[test]
fn a_ca_that_lost_its_state_gets_one_new_account_and_goes_on() {
    let wants: &[&[&str]] = &[&["a.example"], &["b.example"], &["c.example"], &["d.example"]];
    let scene = Scene::new(8, Settings { lifetime: 3600, ..Settings::default() }, wants);
    scene.run(MINUTE * 20);
    scene.network.ca.borrow_mut().forget_everything();
    scene.run(MINUTE * 30);
    assert_eq!(scene.ca().account_count(), 1);
    assert!(scene.published().values().all(|count| *count == 2), "{:?}", scene.published());
    assert!(scene.keeper.attempts.borrow().is_empty(), "{:?}", scene.notes.lines.borrow());
}

#[test]
fn no_more_orders_run_at_once_than_the_configuration_allows() {
    let names: Vec<String> = (0..60).map(|i| format!("n{i}.example")).collect();
    let wants: Vec<[&str; 1]> = names.iter().map(|name| [name.as_str()]).collect();
    let wants: Vec<&[&str]> = wants.iter().map(|names| names.as_slice()).collect();
    let mut scene = Scene::new(9, Settings::default(), &wants);
    scene.config.engine.max_orders = 7;
    scene.run(MINUTE);
    assert_eq!(scene.published().len(), 60);
    assert_eq!(scene.notes.most_running.get(), 7);
}

#[test]
fn wants_that_come_while_it_runs_are_issued_at_once() {
    let scene = Scene::new(10, Settings::default(), &[&["a.example"]]);
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = std::pin::pin!(engine);
    scene.world.run_for(HOUR, engine.as_mut());
    let unknown = protocol::CertificateId { resolver: "nobody".into(), names: vec!["c.example".into()] };
    scene.feed.replace(vec![id(&["b.example"]), id(&["a.example"]), unknown], Vec::new());
    scene.world.run_for(Duration::from_secs(5), engine.as_mut());
    assert_eq!(scene.published(), [("a.example".into(), 1), ("b.example".into(), 1)].into());
}

#[test]
fn without_its_vault_the_engine_ends() {
    let scene = Scene::new(11, Settings::default(), &[&["a.example"]]);
    scene.keeper.away.set(true);
    assert_eq!(scene.run(HOUR), Some(StateStoreError::Unavailable("the sidecar is away".into())));
}

#[test]
fn a_refused_chain_is_tried_again_with_a_new_order_after_a_wait() {
    let scene = Scene::new(12, Settings::default(), &[&["a.example"]]);
    scene.keeper.refuses_chains.set(true);
    scene.run(Duration::from_secs(30));
    assert_eq!(scene.ca().order_count(), 1);
    scene.keeper.refuses_chains.set(false);
    scene.run(MINUTE * 2);
    assert_eq!(scene.published(), [("a.example".into(), 1)].into());
    assert_eq!(scene.ca().order_count(), 2);
}

#[test]
fn a_clock_that_jumps_ahead_renews_and_one_that_jumps_back_does_no_harm() {
    let scene = Scene::new(13, Settings::default(), &[&["a.example"]]);
    scene.run(HOUR);
    scene.world.jump(86_400_000 * 3650);
    scene.run(MINUTE * 5);
    assert_eq!(scene.published()["a.example"], 2);
    scene.world.jump(-86_400_000 * 3650);
    scene.run(DAY);
    assert!(scene.published()["a.example"] <= 3);
}

#[test]
fn a_changed_mail_address_is_told_to_the_ca_once() {
    let mut scene = Scene::new(14, Settings { lifetime: 3600, ..Settings::default() }, &[&["a.example"]]);
    scene.run(MINUTE);
    scene.config.resolvers[0].email = Some("new@example.com".into());
    scene.run(HOUR * 5);
    assert_eq!(scene.ca().contacts(), [[serde_json::json!("mailto:new@example.com")]]);
    assert_eq!(scene.ca().asked("/account/"), 1);
    scene.config.resolvers[0].email = None;
    scene.run(HOUR * 5);
    assert_eq!(scene.ca().contacts(), [[serde_json::Value::Null; 0]], "it is taken away");
    assert_eq!(scene.ca().asked("/account/"), 2);
}

#[test]
fn an_account_without_a_mail_address_is_one_too() {
    let mut scene = Scene::new(15, Settings { lifetime: 3600, ..Settings::default() }, &[&["a.example"]]);
    scene.config.resolvers[0].email = None;
    scene.run(HOUR * 5);
    assert!(scene.published()["a.example"] > 1, "{:?}", scene.published());
    assert_eq!((scene.ca().contacts(), scene.ca().asked("/account/")), (vec![Vec::new()], 0));
}

#[test]
fn with_a_tenth_of_all_requests_failing_everything_is_issued_within_hours() {
    for seed in 0..20 {
        let settings = Settings { refused_nonces: 20, ..Settings::default() };
        let wants: &[&[&str]] = &[&["a.example", "b.example"], &["c.example"], &["d.example"]];
        let scene = Scene::new(seed, settings, wants).faults(Faults::some(10));
        scene.run(HOUR * 12);
        assert_eq!(scene.published().len(), 3, "seed {seed}: {:#?}", scene.notes.lines.borrow());
    }
}

#[test]
fn other_wants_while_orders_are_under_way_start_none_of_them_again() {
    let mut scene = Scene::new(15, Settings::default(), &[&["a.example"], &["b.example"], &["c.example"]]);
    scene.config.wants.clear();
    let wanted = |names: &[&str]| names.iter().map(|name| id(&[name])).collect::<Vec<_>>();
    scene.feed.replace(wanted(&["a.example", "b.example", "c.example"]), Vec::new());
    // The first is there after a while; the others wait for their answers.
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = pin!(engine);
    for order in [["c.example", "a.example", "b.example"], ["b.example", "c.example", "a.example"]] {
        for _ in 0..40 {
            assert!(scene.world.run_for(Duration::from_millis(10), engine.as_mut()).is_none());
            scene.feed.replace(wanted(&order), Vec::new());
            scene.feed.replace(wanted(&["a.example", "b.example", "c.example"]), Vec::new());
        }
    }
    assert!(scene.world.run_for(MINUTE, engine.as_mut()).is_none());
    assert_eq!(scene.ca().order_count(), 3, "{:#?}", scene.notes.lines.borrow());
}

#[test]
fn what_others_have_stored_meanwhile_is_gone_on_with() {
    let scene = Scene::new(16, Settings::default(), &[&["a.example"]]);
    // A try that fails, and waits for long.
    let scene = scene.faults(Faults::once("directory", Fault::answer(404, "{}")));
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = pin!(engine);
    assert!(scene.world.run_for(MINUTE, engine.as_mut()).is_none());
    assert_eq!(scene.keeper.attempts.borrow().len(), 1);
    // Another engine leads for a moment, and places an order.
    scene.keeper.stored.borrow_mut().attempts.clear();
    let second = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut second = Box::pin(second);
    while scene.keeper.stored.borrow().orders.is_empty() {
        assert!(scene.world.run_for(Duration::from_millis(5), second.as_mut()).is_none());
    }
    drop(second);
    scene.feed.distrust();
    assert!(scene.world.run_for(HOUR, engine.as_mut()).is_none());
    assert_eq!(scene.ca().order_count(), 1, "{:#?}", scene.notes.lines.borrow());
    assert_eq!(scene.published()["a.example"], 1);
}

#[test]
fn a_try_that_waited_for_its_permit_while_another_engine_led_goes_on_with_what_that_one_stored() {
    let scene = Scene::new(17, Settings::default(), &[&["a.example"]]);
    scene.keeper.permit_takes.set(MINUTE);
    let engine = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut engine = pin!(engine);
    assert!(scene.world.run_for(Duration::from_secs(10), engine.as_mut()).is_none());
    scene.keeper.permit_takes.set(Duration::ZERO);
    let second = engine::run(&scene.config, &scene.network, &scene.keeper, &scene.feed, &scene.notes);
    let mut second = Box::pin(second);
    while scene.keeper.stored.borrow().orders.is_empty() {
        assert!(scene.world.run_for(Duration::from_millis(5), second.as_mut()).is_none());
    }
    drop(second);
    scene.keeper.tenure.set(1);
    assert!(scene.world.run_for(HOUR, engine.as_mut()).is_none());
    assert_eq!(scene.ca().order_count(), 1, "{:#?}", scene.notes.lines.borrow());
    assert_eq!(scene.published()["a.example"], 1);
    assert!(scene.keeper.attempts.borrow().is_empty(), "it is no failure");
}
