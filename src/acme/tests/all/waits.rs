//! How long is waited, and for what: what the CA asks for, and what it does not.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::scene::{Scene, acme_error};
use acme::scripted::{AfterFailure, Fault, Faults, Settings};
use acme::{Class, Error, Response};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// An answer that asks to be left alone for so many seconds.
fn asking(status: u16, kind: &str, seconds: &str) -> Fault {
    let body = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"not now"}}"#);
    Fault::Answer(Response { status, headers: vec![("retry-after".into(), seconds.into())], body: body.into() })
}

/// How often a request to this endpoint was sent.
fn counted(endpoint: &'static str, fault: impl Fn() -> Option<Fault> + 'static) -> (Faults, Rc<Cell<usize>>) {
    let count = Rc::new(Cell::new(0));
    let counter = count.clone();
    let faults = Faults::by(move |request, _| {
        if request.endpoint != endpoint {
            return None;
        }
        counter.set(counter.get() + 1);
        fault()
    });
    (faults, count)
}

#[test]
fn a_wait_that_is_longer_than_what_is_left_of_the_timeout_ends_the_poll_and_is_kept() {
    // The certificate may take 30 s.
    let settings = Settings { looks_until_done: 1, retry_after: Some("40".into()), ..Settings::default() };
    let scene = Scene::new(1, settings);
    let before = scene.world.now_millis();
    let error = acme_error(scene.issue(&["a.example"], None));
    assert!(matches!(error, Error::AskedToWait { .. }), "{error}");
    assert_eq!(error.class(), Class::Transient(Some(Duration::from_secs(40))));
    assert!(!error.ends_order(), "the CA is at it");
    assert_eq!(scene.ca().asked("/order/"), 0, "it is not asked before its time");
    let took = scene.world.now_millis() - before;
    assert!((80_000..90_000).contains(&took), "{took} ms: two looks at the validation, none at the certificate");
}

#[test]
fn a_validation_is_not_asked_for_before_its_time_either() {
    let settings = Settings { looks_until_done: 2, retry_after: Some("3600".into()), ..Settings::default() };
    let scene = Scene::new(2, settings);
    let error = acme_error(scene.issue(&["a.example"], None));
    assert_eq!(error.class(), Class::Transient(Some(Duration::from_secs(3600))), "{error}");
    assert!(scene.ca().asked("/authorization/") <= 2);
}

#[test]
fn a_validation_that_is_gone_on_with_is_left_alone_as_long_as_the_ca_says() {
    let settings = Settings { looks_until_done: 1000, ..Settings::default() };
    let scene = Scene::new(2, settings);
    acme_error(scene.issue(&["a.example"], None));
    let started = scene.keeper.orders.borrow().last().cloned();
    for (seconds, expected) in [(100, [119..123, 3..4, 1..2]), (3600, [0..2, 1..2, 0..1])] {
        scene.network.ca.borrow_mut().settings.retry_after = Some(seconds.to_string());
        let figures = || {
            let ca = scene.ca();
            [scene.world.now_millis() / 1000, ca.asked("/authorization/") as i64, ca.asked("/challenge/") as i64]
        };
        let before = figures();
        let error = acme_error(scene.issue(&["a.example"], started.as_ref()));
        assert_eq!(error.class(), Class::Transient(Some(Duration::from_secs(seconds))), "{error}");
        for (index, what) in ["seconds", "looks", "tellings"].iter().enumerate() {
            let count = figures()[index] - before[index];
            assert!(expected[index].contains(&count), "asked for {seconds} s: {count} {what}");
        }
    }
}

#[test]
fn a_ca_that_complains_and_asks_for_a_wait_is_left_alone_and_its_reason_is_told() {
    let cases = [(AfterFailure::Pending, 50, 2), (AfterFailure::Refused, 50, 3), (AfterFailure::Refused, 3600, 1)];
    for (after_failure, seconds, told) in cases {
        let (retry_after, unreachable) = (Some(seconds.to_string()), vec![("http-01", "a.example")]);
        let settings = Settings { after_failure, unreachable, looks_until_done: 0, retry_after, ..Settings::default() };
        let scene = Scene::new(3, settings);
        let error = acme_error(scene.issue(&["a.example"], None));
        assert_eq!(error.class(), Class::Transient(Some(Duration::from_secs(seconds))), "{error}");
        assert!(!error.ends_order(), "the CA tries again by itself");
        assert_eq!(scene.ca().asked("/challenge/"), told, "{after_failure:?}, {seconds} s");
        let expected = format!(
            "the CA's validation of a.example by http-01 (connection: no route to host) takes longer than 120000 ms: the CA \
             asked to wait {seconds} s more"
        );
        assert_eq!(error.to_string(), expected);
    }
}

/// Many CAs send some seconds with everything that is pending.
#[test]
fn a_ca_that_complains_and_asks_for_seconds_could_not_validate() {
    for (after_failure, timeout) in
        [(AfterFailure::Pending, 120), (AfterFailure::Refused, 120), (AfterFailure::Refused, 10)]
    {
        let (retry_after, unreachable) = (Some("3".to_owned()), vec![("http-01", "a.example")]);
        let settings = Settings { after_failure, unreachable, looks_until_done: 0, retry_after, ..Settings::default() };
        let scene = Scene::new(4, settings);
        let scene = scene.options(|options| options.client_timeout = Duration::from_secs(timeout));
        let error = acme_error(scene.issue(&["a.example"], None));
        assert_eq!(error.class(), Class::Validation, "{after_failure:?}, {timeout} s: {error}");
        assert!(scene.ca().asked("/challenge/") >= 2, "{after_failure:?}, {timeout} s");
    }
}

#[test]
fn a_busy_ca_is_asked_again_no_sooner_than_it_says_by_whichever_request() {
    let endpoints = [
        "directory",
        "newNonce",
        "newAccount",
        "newOrder",
        "authorization",
        "challenge",
        "finalize",
        "order",
        "certificate",
    ];
    for endpoint in endpoints {
        // Longer than a request waits, longer than the whole operation may take, and longer than what is left of it.
        for (seconds, timeout, sent) in [("3600", 120, 1), ("8", 5, 1), ("4", 5, 2)] {
            // The whole validation is bounded too, by an alarm that knows nothing of a wait within one of its requests.
            if (endpoint, sent) == ("challenge", 2) {
                continue;
            }
            let (faults, count) = counted(endpoint, move || Some(asking(503, "serverInternal", seconds)));
            let scene = Scene::new(3, Settings::default()).faults(faults);
            let scene = scene.options(|options| options.client_timeout = Duration::from_secs(timeout));
            let error = acme_error(scene.issue(&["a.example"], None));
            let asked = Duration::from_secs(seconds.parse().unwrap());
            assert_eq!(error.class(), Class::Transient(Some(asked)), "{endpoint}, {seconds} s of {timeout} s: {error}");
            assert_eq!(count.get(), sent, "{endpoint}, {seconds} s of {timeout} s");
        }
    }
}

#[test]
fn a_short_wait_is_waited_for_within_the_request() {
    for endpoint in ["directory", "newNonce", "newOrder", "authorization", "finalize", "order"] {
        let left = Cell::new(2);
        let (faults, _) = counted(endpoint, move || {
            left.set(left.get() - 1);
            (left.get() >= 0).then(|| asking(503, "serverInternal", "5"))
        });
        let scene = Scene::new(4, Settings::default()).faults(faults);
        let before = scene.world.now_millis();
        scene.issue(&["a.example"], None).unwrap();
        let took = scene.world.now_millis() - before;
        assert!(took >= 10_000, "{endpoint}: {took} ms");
    }
}

#[test]
fn one_refused_nonce_costs_nothing() {
    let refused = asking(400, "badNonce", "0");
    let scene = Scene::new(5, Settings { looks_until_done: 0, ..Settings::default() });
    let scene = scene.faults(Faults::once("newOrder", refused));
    let before = scene.world.now_millis();
    scene.issue(&["a.example"], None).unwrap();
    let took = scene.world.now_millis() - before;
    assert!(took < 600, "{took} ms");
}

#[test]
fn nonces_that_are_refused_one_after_the_other_are_tried_slower_and_slower() {
    let times = Rc::new(std::cell::RefCell::new(Vec::new()));
    let scene = Scene::new(6, Settings::default());
    let (world, noted) = (scene.world.clone(), times.clone());
    let scene = scene.faults(Faults::by(move |request, _| {
        (request.endpoint == "newOrder").then(|| {
            noted.borrow_mut().push(world.now_millis());
            Fault::answer(400, r#"{"type":"urn:ietf:params:acme:error:badNonce"}"#)
        })
    }));
    let error = acme_error(scene.issue(&["a.example"], None));
    assert!(matches!(&error, Error::Refused { problem, .. } if problem.is("badNonce")), "{error}");
    let gaps: Vec<i64> = times.borrow().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps.len(), 20);
    // A request takes some 40 ms by itself, and a fresh nonce as long.
    assert!(gaps[0] < 100 && gaps[1] >= 50 && gaps[19] >= 2_000, "{gaps:?}");
    assert!(gaps.windows(2).all(|pair| pair[1] + 100 > pair[0]), "{gaps:?}");
    let all: i64 = gaps.iter().sum();
    assert!((20_000..60_000).contains(&all), "{all} ms for all");
}

#[test]
fn a_wait_that_comes_with_a_refused_nonce_is_kept() {
    let scene = Scene::new(7, Settings::default()).faults(Faults::once("newOrder", asking(400, "badNonce", "7")));
    let before = scene.world.now_millis();
    scene.issue(&["a.example"], None).unwrap();
    assert!(scene.world.now_millis() - before >= 7_000);
    let scene = Scene::new(8, Settings::default()).faults(Faults::once("newOrder", asking(400, "badNonce", "90")));
    let error = acme_error(scene.issue(&["a.example"], None));
    assert_eq!(error.class(), Class::Transient(Some(Duration::from_secs(90))));
}
