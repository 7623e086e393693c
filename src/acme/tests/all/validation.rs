//! Validations that fail and can be tried again, against the scripted CA on a virtual clock: the reason is shown at once,
//! the CA is told again, and in the end it is a failed validation.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::scene::{Scene, acme_error};
use acme::ChallengeType::{Http01, TlsAlpn01};
use acme::scripted::{AfterFailure, Faults, Settings};
use acme::{Class, Error};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A CA that can't reach the name by http-01.
fn scene(after_failure: AfterFailure) -> Scene {
    let unreachable = vec![("http-01", "a.example")];
    Scene::new(91, Settings { after_failure, unreachable, looks_until_done: 0, ..Settings::default() })
}

/// The name can be reached from then on.
fn reachable_at(scene: &Scene, told: u32) {
    let (ca, seen) = (scene.network.ca.clone(), Rc::new(Cell::new(0)));
    scene.network.faults.replace(Faults::by(move |request, _| {
        seen.set(seen.get() + u32::from(request.endpoint == "challenge"));
        if seen.get() >= told {
            ca.borrow_mut().settings.unreachable.clear();
        }
        None
    }));
}

const OPEN: [AfterFailure; 2] = [AfterFailure::Pending, AfterFailure::Refused];

#[test]
fn a_challenge_that_failed_and_is_open_is_told_again_after_5_10_20_and_40_s() {
    for after_failure in OPEN {
        let scene = scene(after_failure);
        let before = scene.world.now_millis();
        let error = acme_error(scene.issue(&["a.example"], None));
        let took = scene.world.now_millis() - before;
        assert_eq!(scene.ca().asked("/challenge/"), 5, "at 0, 5, 15, 35 and 75 s");
        assert!((120_000..122_000).contains(&took), "{took} ms: clientTimeout bounds it");
        assert!(matches!(error, Error::NotValidated { .. }) && !error.ends_order(), "{error}");
        assert_eq!(error.class(), Class::Validation);
        assert!(error.to_string().ends_with("; a.example: http-01: connection: no route to host"), "{error}");
        assert!(scene.keeper.web.borrow().is_empty(), "the answer is withdrawn");
    }
}

#[test]
fn what_the_ca_complains_of_is_shown_at_once_and_once() {
    for after_failure in OPEN {
        let scene = scene(after_failure);
        let run = async {
            let client = scene.client().await.unwrap();
            let names = [acme::Identifier::of("a.example")];
            acme::issuance::issue(&client, &scene.keeper, &names, acme::issuance::Beginning::New(None)).await
        };
        let mut run = Box::pin(run);
        assert!(scene.world.run_for(Duration::from_secs(2), run.as_mut()).is_none());
        let shown = ["a.example by http-01, again in 5 s: connection: no route to host"];
        assert_eq!(*scene.keeper.complaints.borrow(), shown);
        assert!(scene.world.run_for(Duration::from_secs(30), run.as_mut()).is_none());
        assert_eq!(*scene.keeper.complaints.borrow(), shown);
    }
}

#[test]
fn a_name_that_comes_late_is_proved_by_the_next_telling() {
    for after_failure in OPEN {
        let scene = scene(after_failure);
        reachable_at(&scene, 3);
        let before = scene.world.now_millis();
        scene.issue(&["a.example"], None).unwrap();
        let took = scene.world.now_millis() - before;
        assert!((15_000..17_000).contains(&took), "{took} ms");
        assert_eq!(scene.ca().order_count(), 1);
    }
}

#[test]
fn a_shorter_client_timeout_bounds_it() {
    for after_failure in OPEN {
        let scene = scene(after_failure).options(|options| options.client_timeout = Duration::from_secs(10));
        let before = scene.world.now_millis();
        let error = acme_error(scene.issue(&["a.example"], None));
        assert!(scene.world.now_millis() - before < 11_000);
        assert!(matches!(error, Error::NotValidated { .. }), "{error}");
    }
}

#[test]
fn a_validation_that_nothing_is_heard_of_ends_with_client_timeout_and_names_the_domain() {
    let scene = Scene::new(92, Settings { looks_until_done: 1000, ..Settings::default() });
    let before = scene.world.now_millis();
    let error = acme_error(scene.issue(&["a.example"], None));
    assert!((120_000..122_000).contains(&(scene.world.now_millis() - before)));
    assert_eq!(error.to_string(), "the CA's validation of a.example took longer than 120000 ms");
}

/// serles validates only when it is told, and its challenge is `processing` from the first time on.
#[test]
fn one_that_was_refused_when_told_is_told_again_by_a_later_run() {
    let scene = scene(AfterFailure::Refused);
    acme_error(scene.issue(&["a.example"], None));
    scene.network.ca.borrow_mut().settings.unreachable.clear();
    let started = scene.keeper.orders.borrow().last().cloned();
    let before = scene.world.now_millis();
    scene.issue(&["a.example"], started.as_ref()).unwrap();
    assert!(scene.world.now_millis() - before < 7_000);
    assert_eq!(scene.ca().order_count(), 1);
}

#[test]
fn one_that_the_ca_is_still_at_work_on_is_waited_for_by_a_later_run() {
    let scene = Scene::new(93, Settings { looks_until_done: 1000, ..Settings::default() });
    acme_error(scene.issue(&["a.example"], None));
    let started = scene.keeper.orders.borrow().last().cloned();
    let told = scene.ca().asked("/challenge/");
    assert_eq!(told, 1);
    scene.network.ca.borrow_mut().settings.looks_until_done = 0;
    acme_error(scene.issue(&["a.example"], started.as_ref()));
    let again = scene.ca().asked("/challenge/") - told;
    assert_eq!(again, 4, "at 5, 15, 35 and 75 s, each refused as heard before");
}

/// Another way is gone in the same order, although the CA was told of the first one.
#[test]
fn another_challenge_can_be_tried_in_the_same_order() {
    for after_failure in OPEN {
        let scene = scene(after_failure);
        acme_error(scene.issue(&["a.example"], None));
        let started = scene.keeper.orders.borrow().last().cloned();
        let mut scene = scene.ways(&[TlsAlpn01]);
        scene.keeper.published.borrow_mut().clear();
        scene.issue(&["a.example"], started.as_ref()).unwrap();
        assert_eq!(*scene.keeper.published.borrow(), ["a.example by tls-alpn-01"]);
        assert_eq!(scene.ca().order_count(), 1);
        scene.keeper.ways.clear();
    }
}

/// acme2certifier: the order stays pending, and no challenge says why.
#[test]
fn an_invalid_authorization_without_a_reason_names_its_order_name_and_challenge() {
    let settings = Settings {
        after_failure: AfterFailure::InvalidWithoutReason,
        ..scene(AfterFailure::Invalid).ca().settings.clone()
    };
    let scene = Scene::new(94, settings).ways(&[Http01]);
    let error = acme_error(scene.issue(&["a.example"], None));
    let expected = "the CA gave up order https://ca.example/order/0; a.example: http-01: its authorization is invalid, \
                    and the CA gives no reason";
    assert_eq!(error.to_string(), expected);
    assert!(error.ends_order());
    assert_eq!(error.class(), Class::Validation);
}
