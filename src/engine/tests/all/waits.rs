//! The waits between tries: as long as the CA asks, no longer than a short life allows, and what a restart makes of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::world::Scene;
use acme::Response;
use acme::scripted::{Fault, Faults, Renewals, Settings};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Of the requests to this endpoint, when they were sent.
fn noted(scene: &Scene, endpoint: &'static str, fault: impl Fn() -> Option<Fault> + 'static) -> Rc<RefCell<Vec<i64>>> {
    let times = Rc::new(RefCell::new(Vec::new()));
    let (world, noted) = (scene.world.clone(), times.clone());
    *scene.network.faults.borrow_mut() = Faults::by(move |request, _| {
        if request.endpoint != endpoint {
            return None;
        }
        noted.borrow_mut().push(world.now_millis());
        fault()
    });
    times
}

fn refused(status: u16, kind: &str) -> Fault {
    Fault::answer(status, &format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no"}}"#))
}

/// The longest time between the end of one certificate and the beginning of the next, in seconds.
fn dark(scene: &Scene) -> i64 {
    let certificates = scene.ca().certificates.clone();
    certificates.windows(2).map(|pair| pair[1].not_before - pair[0].not_after).max().unwrap_or(i64::MAX)
}

#[test]
fn a_ca_that_asks_for_longer_than_a_try_may_take_gets_it_and_the_order_is_gone_on_with() {
    let settings = Settings { looks_until_done: 1, retry_after: Some("7200".into()), ..Settings::default() };
    let scene = Scene::new(1, settings, &[&["a.example"]]);
    let times = noted(&scene, "order", || None);
    scene.run(HOUR * 12);
    assert_eq!(scene.published()["a.example"], 1, "{:#?}", scene.notes.lines.borrow());
    assert_eq!(scene.ca().order_count(), 1);
    let times = times.borrow();
    assert!(times.len() <= 4, "{} looks at the order", times.len());
    assert!(times[1] - times[0] >= 7_200_000, "{times:?}");
}

#[test]
fn renewal_information_is_asked_for_no_sooner_than_a_ca_in_trouble_says() {
    for (status, kind) in [(503, "serverInternal"), (429, "rateLimited")] {
        let scene = Scene::new(
            2,
            Settings { renewals: Renewals { usual: Some((300, 400)), ..Renewals::default() }, ..Settings::default() },
            &[&["a.example"]],
        );
        let times = noted(&scene, "renewalInfo", move || {
            let body = format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}"}}"#);
            let headers = vec![("retry-after".into(), "36000".into())];
            Some(Fault::Answer(Response { status, headers, body: body.into() }))
        });
        scene.run(DAY);
        let times = times.borrow();
        assert!((2..=3).contains(&times.len()), "{status}: {times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 36_000_000), "{status}: {times:?}");
    }
}

#[test]
fn one_failure_does_not_cost_a_certificate_of_a_minute_its_life() {
    // Its CA is away for some seconds just when it is to be renewed, again and again.
    for (lifetime, away) in [(24, 9), (60, 15), (600, 120)] {
        let scene = Scene::new(3, Settings { lifetime, ..Settings::default() }, &[&["a.example"]]);
        scene.run(SECOND * 2);
        let world = scene.world.clone();
        let until = Rc::new(Cell::new(0));
        *scene.network.faults.borrow_mut() = Faults::by(move |request, random| {
            let now = world.now_millis();
            if request.endpoint == "newOrder" && random.is_multiple_of(2) && until.get() < now - away * 2000 {
                until.set(now + away * 1000);
            }
            (now < until.get()).then_some(Fault::LostRequest)
        });
        scene.run(SECOND * 30 * u32::try_from(lifetime).unwrap());
        assert!(!scene.keeper.attempts.borrow().is_empty(), "nothing failed");
        assert!(scene.published()["a.example"] > 30, "{:?}", scene.published());
        assert!(dark(&scene) < 0, "{lifetime} s: dark for {} s", dark(&scene));
    }
}

/// The CA refuses for good: somebody has to change something.
fn permanent(scene: &Scene) -> Rc<RefCell<Vec<i64>>> {
    noted(scene, "newAccount", || Some(refused(403, "externalAccountRequired")))
}

#[test]
fn after_a_permanent_refusal_that_the_ca_has_mended_a_restart_tries_again_soon() {
    // However often it was refused before.
    for hours in [1, 5, 100] {
        let scene = Scene::new(4, Settings::default(), &[&["a.example"], &["b.example"]]);
        permanent(&scene);
        scene.run(HOUR * hours - MINUTE * 30);
        *scene.network.faults.borrow_mut() = Faults::none();
        scene.run(MINUTE + SECOND * 5);
        assert_eq!(scene.published().len(), 2, "{hours} h: {:#?}", scene.notes.lines.borrow());
    }
}

#[test]
fn every_kind_of_permanent_refusal_is_tried_again_soon_after_a_restart() {
    for kind in ["rejectedIdentifier", "unsupportedContact", "invalidContact", "userActionRequired", "unauthorized"] {
        let scene = Scene::new(5, Settings::default(), &[&["a.example"]]);
        noted(&scene, "newOrder", move || Some(refused(403, kind)));
        scene.run(MINUTE * 10);
        assert_eq!(scene.keeper.attempts.borrow().len(), 1, "{kind}: an hour is waited without a restart");
        *scene.network.faults.borrow_mut() = Faults::none();
        scene.run(SECOND * 5);
        assert_eq!(scene.published().len(), 1, "{kind}");
    }
}

#[test]
fn a_crash_loop_after_a_permanent_refusal_reaches_the_ca_no_more_often_than_a_healthy_engine() {
    let healthy = Scene::new(6, Settings::default(), &[&["a.example"]]);
    let without = permanent(&healthy);
    healthy.run(DAY);
    for pause in [SECOND, MINUTE, MINUTE * 17] {
        let scene = Scene::new(6, Settings::default(), &[&["a.example"]]);
        let times = permanent(&scene);
        let start = scene.world.now_millis();
        while scene.world.now_millis() - start < 86_400_000 {
            scene.run(pause);
        }
        let (asked, most) = (times.borrow().len(), without.borrow().len());
        assert!(asked <= most + 6, "{asked} in a day of restarts every {pause:?}, {most} without");
        let hour = times.borrow().iter().filter(|at| **at - start < 3_600_000).count();
        assert!(hour <= 7, "{hour} in the first hour");
    }
}

#[test]
fn a_transient_failure_waits_over_restarts_as_before() {
    let scene = Scene::new(7, Settings::default(), &[&["a.example"]]);
    noted(&scene, "newOrder", || Some(refused(500, "serverInternal")));
    scene.run(HOUR * 6);
    *scene.network.faults.borrow_mut() = Faults::none();
    let wait = scene.keeper.attempts.borrow().last().unwrap().retry_at - scene.world.now_millis() / 1000;
    assert!(wait > 600, "{wait} s");
    scene.run(Duration::from_secs(u64::try_from(wait).unwrap() - 5));
    assert_eq!(scene.published().len(), 0);
    scene.run(SECOND * 20);
    assert_eq!(scene.published().len(), 1);
}
