//! Orders that come to nothing: none is gone on with for ever, whatever the CA does with it and however often the engine
//! is started anew, and each that takes its place is asked leave for.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use crate::world::Scene;
use acme::scripted::{AfterFailure, Fault, Faults, Renewals, Settings, payload};
use acme::{Request, Response};
use config::TlsChallenge;
use protocol::Permit;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn scene(settings: Settings) -> Scene {
    Scene::new(51, settings, &[&["a.example"]])
}

/// Spoils the first order: a request whose URL ends like this gets this answer. All other answers are correct.
fn spoilt(ends: &'static [&'static str], status: u16, body: &'static str) -> Faults {
    let is_it = move |request: &Request| ends.iter().any(|end| request.url.ends_with(end));
    Faults::by(move |request, _| is_it(request).then(|| Fault::answer(status, body)))
}

/// A first order that comes to nothing, for whatever reason, is followed by one that does.
fn another_is_placed(faults: Faults) -> Scene {
    let scene = scene(Settings::default()).faults(faults);
    let placed = Rc::new(Cell::new(0));
    let counted = placed.clone();
    *scene.keeper.allows.borrow_mut() = Box::new(move |_, places_order, _| {
        counted.set(counted.get() + usize::from(places_order));
        Permit::granted()
    });
    scene.run(30 * MINUTE);
    let lines = scene.notes.lines.borrow().join("\n");
    assert_eq!(scene.published().get("a.example"), Some(&1), "{lines}");
    assert_eq!(scene.ca().order_count(), 2, "{lines}");
    assert_eq!(placed.get(), 2, "each was asked leave for");
    scene
}

#[test]
fn an_order_that_the_ca_fails_to_finalize_twice_is_followed_by_another() {
    let body = r#"{"type":"urn:ietf:params:acme:error:serverInternal","detail":"oops"}"#;
    let scene = another_is_placed(spoilt(&["/finalize/0"], 500, body));
    let attempts = scene.keeper.attempts.borrow();
    let dead: Vec<bool> = attempts.iter().map(|attempt| attempt.order_is_dead).collect();
    assert_eq!(dead, [false, true]);
    assert!(attempts[1].reason.contains("2 times: finalize refused: serverInternal: oops"), "{}", attempts[1].reason);
}

/// django-ca, when two authorizations become valid at once.
#[test]
fn an_order_that_stays_pending_with_all_its_names_proved_is_followed_by_another() {
    let not_ready = r#"{"type":"urn:ietf:params:acme:error:orderNotReady"}"#;
    another_is_placed(Faults::by(move |request, _| match request.url.as_str() {
        url if url.ends_with("/finalize/0") => Some(Fault::answer(403, not_ready)),
        url if url.ends_with("/order/0") => Some(Fault::answer(200, r#"{"status":"pending"}"#)),
        _ => None,
    }));
}

#[test]
fn an_order_that_is_processing_for_ever_is_followed_by_another() {
    another_is_placed(spoilt(&["/finalize/0", "/order/0"], 200, r#"{"status":"processing"}"#));
}

/// Some CAs echo the order, some lose its status, and some are never ready.
#[test]
fn a_signing_request_is_not_sent_again_and_again() {
    let not_ready = r#"{"type":"urn:ietf:params:acme:error:orderNotReady"}"#;
    let answers =
        [(200, r#"{"status":"ready"}"#), (200, r#"{"status":"pending"}"#), (200, "{}"), (200, ""), (403, not_ready)];
    for (status, body) in answers {
        let sent = Rc::new(Cell::new(0));
        let counted = sent.clone();
        let faults = Faults::by(move |request, _| match request.url.as_str() {
            url if url.ends_with("/finalize/0") => {
                counted.set(counted.get() + 1);
                Some(Fault::answer(status, body))
            }
            url if url.ends_with("/order/0") => Some(Fault::answer(200, r#"{"status":"ready"}"#)),
            _ => None,
        });
        another_is_placed(faults);
        assert!((1..=6).contains(&sent.get()), "{status} {body}: {}", sent.get());
    }
}

/// A CA that works on a signing request before its order shows that.
#[test]
fn an_order_that_is_shown_as_ready_for_a_while_is_waited_for() {
    let says = |endpoint: &str, value: &mut serde_json::Value| {
        if endpoint == "finalize" && value["status"] == "processing" {
            value["status"] = serde_json::json!("ready");
        }
    };
    let scene = scene(Settings { says, looks_until_done: 3, ..Settings::default() });
    scene.run(MINUTE);
    assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 1), "{:#?}", scene.notes.lines.borrow());
    assert_eq!(scene.ca().asked("/finalize/0"), 1);
}

#[test]
fn a_ca_that_asks_for_longer_waits_for_ever_gets_another_order() {
    let at_work = Response {
        status: 200,
        headers: vec![("retry-after".to_owned(), "90".to_owned())],
        body: br#"{"status":"processing"}"#.to_vec(),
    };
    let is_stuck = |request: &Request| ["/finalize/0", "/order/0"].iter().any(|end| request.url.ends_with(end));
    let faults = Faults::by(move |request, _| is_stuck(request).then(|| Fault::Answer(at_work.clone())));
    let scene = scene(Settings::default()).faults(faults);
    scene.run(DAY / 2);
    assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 2), "{:#?}", scene.notes.lines.borrow());
}

#[test]
fn an_order_that_can_not_be_read_is_followed_by_another() {
    another_is_placed(spoilt(&["/finalize/0", "/order/0"], 200, "<html>"));
    another_is_placed(spoilt(&["/finalize/0", "/order/0"], 500, "{}"));
}

#[test]
fn an_order_whose_certificate_can_not_be_had_is_followed_by_another() {
    for (status, body) in [(404, "{}"), (200, "<html>"), (500, "{}")] {
        another_is_placed(Faults::by(move |request, _| {
            let valid = r#"{"status":"valid","certificate":"https://ca.example/lost"}"#;
            match request.url.as_str() {
                url if url.ends_with("/finalize/0") || url.ends_with("/order/0") => Some(Fault::answer(200, valid)),
                url if url.ends_with("/lost") => Some(Fault::answer(status, body)),
                _ => None,
            }
        }));
    }
}

#[test]
fn an_order_whose_authorization_is_gone_is_followed_by_another() {
    another_is_placed(spoilt(&["/authorization/0"], 404, r#"{"type":"urn:ietf:params:acme:error:malformed"}"#));
}

#[test]
fn an_order_that_is_ready_and_never_said_where_to_finalize_is_followed_by_another() {
    let says = |endpoint: &str, value: &mut serde_json::Value| {
        let is_first = value["finalize"].as_str().is_some_and(|url| url.ends_with("/0"));
        if is_first && matches!(endpoint, "newOrder" | "order") {
            value.as_object_mut().unwrap().remove("finalize");
        }
    };
    let scene = scene(Settings { says, ..Settings::default() });
    scene.run(30 * MINUTE);
    assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 2), "{:#?}", scene.notes.lines.borrow());
}

/// Caddy fixes the end of the certificate with the order, and fails to finalize it afterwards.
#[test]
fn an_order_past_its_expiry_or_its_certificates_end_is_not_gone_on_with() {
    for member in ["expires", "notAfter"] {
        let says: fn(&str, &mut serde_json::Value) = match member {
            "expires" => |endpoint, value| {
                if endpoint == "newOrder" {
                    value["expires"] = serde_json::json!("2026-01-01T00:00:30Z");
                }
            },
            _ => |endpoint, value| {
                if endpoint == "newOrder" {
                    value["notAfter"] = serde_json::json!("2026-01-01T00:00:30Z");
                }
            },
        };
        let scene = scene(Settings { says, ..Settings::default() });
        scene.network.faults.replace(Faults::by(|request, _| {
            request.url.contains("/challenge/0/").then(|| Fault::answer(429, r#"{"detail":"slow down"}"#))
        }));
        scene.run(30 * MINUTE);
        assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 2), "{:#?}", scene.notes.lines.borrow());
        assert!(scene.notes.lines.borrow().iter().any(|line| line.contains("Dropped")), "{member}");
    }
}

#[test]
fn restarts_make_no_order_endless() {
    for minutes in [1, 3] {
        let settings = Settings { looks_until_done: 100_000, ..Settings::default() };
        let scene = scene(settings);
        for _ in 0..60 {
            scene.run(minutes * MINUTE);
        }
        let (orders, looks) = (scene.ca().order_count(), scene.ca().asked("/order/"));
        assert!((2..=21).contains(&orders), "{orders} orders, {looks} looks in 60 runs of {minutes} min");
    }
}

#[test]
fn a_ca_that_is_away_for_long_makes_no_order_look_dead() {
    let aways: [fn() -> Fault; 2] = [|| Fault::LostRequest, || Fault::answer(500, "{}")];
    for away in aways {
        let scene = scene(Settings::default());
        scene
            .network
            .faults
            .replace(Faults::by(|request, _| (request.endpoint == "challenge").then_some(Fault::LostRequest)));
        scene.run(MINUTE / 2);
        assert_eq!(scene.keeper.stored.borrow().orders.len(), 1);
        scene.network.faults.replace(Faults::by(move |_, _| Some(away())));
        scene.run(6 * HOUR);
        assert!(scene.keeper.attempts.borrow().len() > 5);
        scene.network.faults.replace(Faults::none());
        scene.run(7 * HOUR);
        assert_eq!((scene.published().len(), scene.ca().order_count()), (1, 1), "{:#?}", scene.notes.lines.borrow());
    }
}

#[test]
fn what_the_ca_complains_of_is_told_at_once_kept_and_counted() {
    let unreachable = vec![("http-01", "a.example")];
    let scene = scene(Settings { after_failure: AfterFailure::Pending, unreachable, ..Settings::default() });
    scene.run(Duration::from_secs(5));
    let told = "Complaint { id: CertificateId { resolver: \"le\", names: [\"a.example\"] }, name: \"a.example\", \
                kind: Http01, reason: \"connection: no route to host\", again_in: 5s }";
    assert_eq!(scene.notes.lines.borrow().last().map(String::as_str), Some(told));
    let complaint = scene.keeper.stored.borrow().orders[0].complaint.clone();
    assert_eq!(complaint.as_deref(), Some("a.example: http-01: connection: no route to host"));
    scene.run(4 * MINUTE);
    let attempts = scene.keeper.attempts.borrow();
    assert_eq!((attempts[0].refused.as_slice(), attempts[0].order_is_dead), (&["a.example".to_owned()][..], false));
    assert!(scene.notes.lines.borrow().iter().any(|line| line.contains("class: \"validation\"")));
}

#[test]
fn a_way_that_fails_and_stays_open_gives_way_to_the_next() {
    for after_failure in [AfterFailure::Pending, AfterFailure::Refused, AfterFailure::InvalidWithoutReason] {
        let unreachable = vec![("tls-alpn-01", "a.example")];
        let mut scene = scene(Settings { after_failure, unreachable, ..Settings::default() });
        scene.config.resolvers[0].tls_challenge = Some(TlsChallenge::default());
        scene.run(4 * MINUTE);
        let answered = scene.keeper.answered.borrow();
        assert_eq!(*answered, ["a.example by tls-alpn-01", "a.example by http-01"], "{after_failure:?}");
        assert_eq!(scene.published().len(), 1);
    }
}

/// How many orders named what they replace, of all that were asked for.
fn replacing(scene: &Scene) -> (usize, usize) {
    let ca = scene.ca();
    let orders: Vec<_> = ca.journal.iter().filter(|entry| entry.url.ends_with("/new-order")).collect();
    (orders.iter().filter(|order| order.payload.get("replaces").is_some()).count(), orders.len())
}

/// A CA that can't take an order for a replacement, whatever it says to it: the journal has what reached it.
fn refuses_replacements(answer: Fault) -> Faults {
    let names_one = |request: &Request| payload(request).get("replaces").is_some();
    Faults::by(move |request, _| (request.endpoint == "newOrder" && names_one(request)).then(|| answer.clone()))
}

#[test]
fn replaces_is_left_out_from_the_second_try_on_whatever_the_first_answer_was() {
    let refusals = [
        Fault::answer(500, r#"{"type":"urn:ietf:params:acme:error:serverInternal"}"#),
        Fault::answer(404, r#"{"type":"urn:ietf:params:acme:error:malformed"}"#),
        Fault::answer(400, r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier"}"#),
        Fault::answer(200, "<html>"),
        Fault::LostAnswer,
        Fault::LostRequest,
        Fault::Stall,
    ];
    for refusal in refusals {
        let renewals = Renewals::default();
        let scene = scene(Settings { lifetime: 3600, renewals, ..Settings::default() });
        scene.run(MINUTE);
        scene.network.faults.replace(refuses_replacements(refusal.clone()));
        scene.run(HOUR);
        assert_eq!(scene.published()["a.example"], 2, "{refusal:?}: {:#?}", scene.notes.lines.borrow());
        assert!(scene.keeper.attempts.borrow().is_empty(), "{refusal:?}: it needs no second try");
        let (replacing, _) = replacing(&scene);
        assert!(replacing <= 1, "{refusal:?}: {replacing}");
    }
}

#[test]
fn replaces_is_left_out_after_a_failed_try_over_restarts_too() {
    let scene = scene(Settings { lifetime: 3600, ..Settings::default() });
    scene.run(MINUTE);
    // Orders are placed, and come to nothing.
    scene.network.ca.borrow_mut().settings.unreachable.push(("http-01", "a.example"));
    for _ in 0..90 {
        scene.run(MINUTE);
    }
    let (with, all) = replacing(&scene);
    assert_eq!(with, 1, "of {all}");
    assert!(all > 3, "{all}");
    scene.network.ca.borrow_mut().settings.unreachable.clear();
    scene.run(2 * HOUR);
    assert!(scene.published()["a.example"] >= 2);
    let (with, _) = replacing(&scene);
    assert!(with >= 2, "the next renewal names it again");
}
