//! Plans for small inventories.

#![allow(clippy::arithmetic_side_effects)]

use std::time::Duration;

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use super::*;
use crate::Why;
use protocol::{Attempt, Order, ProvidedCertificate, StoredCertificate};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

fn id(names: &[&str]) -> CertificateId {
    CertificateId { resolver: "le".into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

/// A certificate of 90 days that ends so many days from now.
fn stored(names: &[&str], days_left: i64) -> StoredCertificate {
    let not_after = NOW + days_left * DAY;
    let (not_before, serial) = (not_after - 90 * DAY, String::new());
    StoredCertificate {
        resolver: "le".into(),
        names: id(names).names,
        not_before,
        not_after,
        serial,
        ..StoredCertificate::default()
    }
}

fn attempt(names: &[&str], retry_at: i64) -> Attempt {
    Attempt { certificate: id(names), failures: 1, retry_at, ..Attempt::default() }
}

fn planned(wants: &[CertificateId], state: &State) -> Plan {
    plan(wants, state, &HashSet::new(), NOW, &Schedule::default(), &EngineOptions::default())
}

fn due(plan: &Plan) -> Vec<(&str, Why)> {
    plan.due.iter().map(|due| (due.id.names[0].as_str(), due.why)).collect()
}

#[test]
fn what_does_not_exist_is_due() {
    let plan = planned(&[id(&["a.example"])], &State::default());
    assert_eq!(due(&plan), [("a.example", Why::First)]);
    assert_eq!(plan.census, Census { missing: 1, ..Census::default() });
}

#[test]
fn a_valid_certificate_wakes_when_it_is_to_be_renewed() {
    let state = State { certificates: vec![stored(&["a.example"], 80)], ..State::default() };
    let plan = planned(&[id(&["a.example"])], &state);
    assert!(plan.due.is_empty());
    let wake = plan.next_wake.unwrap();
    assert!((NOW + 50 * DAY..=NOW + 53 * DAY).contains(&wake), "{wake}");
    assert_eq!(plan.census, Census { valid: 1, ..Census::default() });
}

#[test]
fn the_most_urgent_comes_first() {
    let certificates = vec![stored(&["b.example"], 5), stored(&["c.example"], -1), stored(&["a.example"], 20)];
    let state = State { certificates, ..State::default() };
    let wants = [id(&["a.example"]), id(&["b.example"]), id(&["c.example"]), id(&["new.example"])];
    let plan = planned(&wants, &state);
    let renewal = Why::Renewal;
    let expected =
        [("c.example", renewal), ("new.example", Why::First), ("b.example", renewal), ("a.example", renewal)];
    assert_eq!(due(&plan), expected);
    assert_eq!(plan.census, Census { due: 2, expired: 1, missing: 1, ..Census::default() });
}

#[test]
fn the_order_of_names_is_no_difference() {
    let state = State { certificates: vec![stored(&["b.example", "a.example"], 80)], ..State::default() };
    assert!(planned(&[id(&["a.example", "b.example"])], &state).due.is_empty());
}

#[test]
fn names_that_another_certificate_covers_are_not_ordered() {
    let state = State {
        certificates: vec![stored(&["a.example", "*.b.example"], 80)],
        provided: vec![ProvidedCertificate { names: vec!["c.example".into()], not_after: NOW }],
        ..State::default()
    };
    for covered in [&["a.example"][..], &["x.b.example", "a.example"], &["c.example"]] {
        let plan = planned(&[id(covered)], &state);
        assert!(plan.due.is_empty(), "{covered:?}");
        assert_eq!(plan.census.valid, 1);
    }
    for uncovered in [&["b.example"][..], &["x.y.b.example"], &["a.example", "d.example"]] {
        let plan = planned(&[id(uncovered)], &state);
        assert_eq!(plan.due.len(), 1, "{uncovered:?}");
        assert_eq!(plan.due[0].id, id(uncovered), "the whole list is ordered");
    }
}

#[test]
fn a_certificate_that_nothing_wants_covers_others_only_until_it_would_be_renewed() {
    let covering =
        |days_left| State { certificates: vec![stored(&["a.example", "gone.example"], days_left)], ..State::default() };
    let early = planned(&[id(&["a.example"])], &covering(35));
    assert!(early.due.is_empty());
    let wake = early.next_wake.unwrap();
    assert!((NOW + 5 * DAY..=NOW + 8 * DAY).contains(&wake), "{wake}");
    assert_eq!(due(&planned(&[id(&["a.example"])], &covering(26))), [("a.example", Why::First)]);
}

#[test]
fn a_wanted_certificate_covers_others_while_its_renewal_may_still_succeed() {
    let wants = [id(&["a.example", "b.example"]), id(&["a.example"])];
    let covering = |days_left| State {
        certificates: vec![stored(&["a.example", "b.example"], days_left)],
        attempts: vec![attempt(&["a.example", "b.example"], NOW + 300)],
        ..State::default()
    };
    assert!(planned(&wants, &covering(20)).due.is_empty());
    assert_eq!(due(&planned(&wants, &covering(10))), [("a.example", Why::First)]);
}

#[test]
fn a_half_done_order_makes_a_new_one_needless() {
    let order = Order {
        certificate: id(&["a.example", "b.example"]),
        url: "https://ca.example/order/1".into(),
        ca_server: "https://ca.example/directory".into(),
        created: NOW,
        ..Order::default()
    };
    let state = State { orders: vec![order], ..State::default() };
    let wants = [id(&["a.example"]), id(&["a.example", "b.example"])];
    let plan = planned(&wants, &state);
    assert_eq!(plan.due, [Due { id: wants[1].clone(), why: Why::Resume }]);
}

#[test]
fn the_same_certificate_wanted_twice_is_ordered_once() {
    let wants = [id(&["a.example", "b.example"]), id(&["b.example", "a.example"])];
    let plan = planned(&wants, &State::default());
    assert_eq!(plan.due.len(), 1);
    assert_eq!(plan.census, Census { missing: 1, ..Census::default() });
}

#[test]
fn an_expired_certificate_covers_nothing() {
    let state = State { certificates: vec![stored(&["a.example", "b.example"], -1)], ..State::default() };
    assert_eq!(due(&planned(&[id(&["a.example"])], &state)), [("a.example", Why::First)]);
}

#[test]
fn of_two_new_certificates_one_may_make_the_other_needless() {
    let wants = [id(&["a.example"]), id(&["b.example", "a.example"]), id(&["c.example"])];
    assert_eq!(due(&planned(&wants, &State::default())), [("b.example", Why::First), ("c.example", Why::First)]);
}

#[test]
fn of_new_lists_the_ones_within_others_wait_and_those_with_a_name_more_do_not() {
    let wants = [
        id(&["a.example", "b.example"]),
        id(&["c.example", "b.example", "a.example"]),
        id(&["a.example", "d.example"]),
        id(&["x.w.example", "c.example"]),
        id(&["*.w.example"]),
    ];
    let plan = planned(&wants, &State::default());
    assert_eq!(due(&plan), [("c.example", Why::First), ("a.example", Why::First), ("*.w.example", Why::First)]);
    assert_eq!(plan.due[1].id, wants[2], "the whole list is ordered");
    assert_eq!(plan.census.missing, 5);
    // One that failed may fail again: what it would cover is not left waiting for it.
    let failed = State { attempts: vec![attempt(&["a.example", "b.example", "c.example"], NOW)], ..State::default() };
    assert_eq!(due(&planned(&wants[..2], &failed)), [("a.example", Why::First), ("c.example", Why::Retry)]);
}

#[test]
fn what_is_in_flight_is_neither_due_nor_ordered_under_another_name() {
    let in_flight = HashSet::from([id(&["a.example", "b.example"])]);
    let wants = [id(&["b.example", "a.example"]), id(&["a.example"])];
    let plan = plan(&wants, &State::default(), &in_flight, NOW, &Schedule::default(), &EngineOptions::default());
    assert!(plan.due.is_empty());
    assert_eq!(plan.census.in_progress, 1);
}

#[test]
fn a_failed_try_is_repeated_when_its_time_has_come() {
    let waiting = State { attempts: vec![attempt(&["a.example"], NOW + 60)], ..State::default() };
    let plan = planned(&[id(&["a.example"])], &waiting);
    assert!(plan.due.is_empty());
    assert_eq!(plan.next_wake, Some(NOW + 60));
    assert_eq!(plan.census.failing, 1);
    let over = State { attempts: vec![attempt(&["a.example"], NOW)], ..State::default() };
    assert_eq!(due(&planned(&[id(&["a.example"])], &over)), [("a.example", Why::Retry)]);
}

#[test]
fn a_retry_time_of_a_clock_since_set_back_is_not_believed() {
    let absurd = State { attempts: vec![attempt(&["a.example"], NOW + 3650 * DAY)], ..State::default() };
    assert_eq!(due(&planned(&[id(&["a.example"])], &absurd)), [("a.example", Why::Retry)]);
}

#[test]
fn a_failed_renewal_waits_for_both_its_window_and_its_backoff() {
    let state = State {
        certificates: vec![stored(&["a.example"], 10)],
        attempts: vec![attempt(&["a.example"], NOW + 300)],
        ..State::default()
    };
    let plan = planned(&[id(&["a.example"])], &state);
    assert_eq!((plan.due.len(), plan.next_wake), (0, Some(NOW + 300)));
}

#[test]
fn an_order_that_nobody_drives_is_gone_on_with() {
    let order = Order {
        certificate: id(&["a.example"]),
        url: "https://ca.example/order/1".into(),
        ca_server: "https://ca.example/directory".into(),
        created: NOW,
        ..Order::default()
    };
    let state = State { orders: vec![order], ..State::default() };
    assert_eq!(due(&planned(&[id(&["a.example"])], &state)), [("a.example", Why::Resume)]);
}

#[test]
fn short_retry_settings_do_not_shorten_a_wait_the_ca_asked_for() {
    let options = EngineOptions { retry_max: Duration::from_secs(2), ..EngineOptions::default() };
    let state = State { attempts: vec![attempt(&["a.example"], NOW + 3600)], ..State::default() };
    assert!(plan(&[id(&["a.example"])], &state, &HashSet::new(), NOW, &Schedule::default(), &options).due.is_empty());
}
