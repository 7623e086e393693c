//! Whole flows against a CA that follows a script, on a virtual clock.

use std::time::Duration;

use crate::scene::{Keeper, Scene, acme_error, key, options};
use acme::delegate::Failure;
use acme::issuance::{Beginning, issue};
use acme::order::Order;
use acme::scripted::{Certificate, Fault, Faults, Settings, Web};
use acme::{Client, Error, Host, Identifier, account};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn a_name_becomes_a_certificate_in_seven_signed_requests() {
    let scene = Scene::new(1, Settings { looks_until_done: 0, ..Settings::default() });
    let issued = scene.issue(&["a.example"], None).unwrap();
    let certificate = Certificate::of(&issued.chains.default).unwrap();
    assert_eq!(certificate.names, ["a.example"]);
    assert_eq!(certificate.csr, b"csr for https://ca.example/order/0");
    assert_eq!(scene.keeper.orders.borrow()[0].url, "https://ca.example/order/0");
    // newAccount, newOrder, authorization, challenge, authorization, finalize, order, certificate
    assert_eq!(scene.ca().journal.len(), 1 + 7);
}

#[test]
fn answers_to_challenges_are_withdrawn_when_the_ca_has_looked() {
    let scene = Scene::new(2, Settings::default());
    scene.issue(&["a.example", "b.example"], None).unwrap();
    assert_eq!(scene.keeper.published.borrow().len(), 2);
    assert!(scene.keeper.web.borrow().is_empty());
}

#[test]
fn a_hundred_names_are_authorized_side_by_side() {
    let scene = Scene::new(3, Settings::default());
    let names: Vec<String> = (0..100).map(|i| format!("n{i}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let before = scene.world.now_millis();
    scene.issue(&names, None).unwrap();
    let took = scene.world.now_millis() - before;
    assert!(took < 3_000, "{took} ms for 100 names at up to 40 ms a request");
}

#[test]
fn valid_authorizations_are_not_proved_again() {
    let scene = Scene::new(4, Settings { reuse_authorizations: true, ..Settings::default() });
    scene.issue(&["a.example"], None).unwrap();
    scene.issue(&["a.example"], None).unwrap();
    assert_eq!(scene.ca().asked("/challenge/"), 1);
}

#[test]
fn every_second_nonce_refused_is_no_failure() {
    let scene = Scene::new(5, Settings { refused_nonces: 50, ..Settings::default() });
    scene.issue(&["a.example", "b.example", "c.example"], None).unwrap();
}

#[test]
fn every_nonce_refused_is_an_error_after_a_bounded_number_of_tries() {
    let scene = Scene::new(6, Settings { refused_nonces: 100, ..Settings::default() });
    let error = acme_error(scene.issue(&["a.example"], None));
    assert!(matches!(&error, Error::Refused { problem, .. } if problem.is("badNonce")), "{error}");
}

#[test]
fn polling_waits_as_long_as_the_ca_asks_in_seconds_or_as_a_date() {
    for retry_after in ["7", "Thu, 01 Jan 2026 00:00:30 GMT"] {
        let settings = Settings { looks_until_done: 2, retry_after: Some(retry_after.into()), ..Settings::default() };
        let scene = Scene::new(7, settings);
        scene.issue(&["a.example"], None).unwrap();
        let looks = scene.ca().asked("/authorization/");
        assert!(looks <= 4, "{looks} looks at Retry-After: {retry_after}");
    }
}

#[test]
fn without_a_wait_asked_for_polling_slows_down() {
    let scene = Scene::new(8, Settings { looks_until_done: 8, ..Settings::default() });
    let before = scene.world.now_millis();
    scene.issue(&["a.example"], None).unwrap();
    assert!(scene.world.now_millis() - before > 20_000);
}

#[test]
fn an_order_is_gone_on_with_from_wherever_it_is() {
    // Cut off after each virtual 10 ms of a first run, a second run must finish the order it left.
    for cut in (10..2_000).step_by(10) {
        let scene = Scene::new(9, Settings::default());
        let names = [Identifier::of("a.example")];
        let finished = {
            let run = async {
                let client = scene.client().await?;
                issue(&client, &scene.keeper, &names, Beginning::New(None)).await
            };
            scene.world.run_for(Duration::from_millis(cut), std::pin::pin!(run)).is_some()
        };
        let started = scene.keeper.orders.borrow().last().cloned();
        scene.issue(&["a.example"], started.as_ref()).unwrap();
        let kept: std::collections::HashSet<_> =
            scene.keeper.orders.borrow().iter().map(|order| order.url.clone()).collect();
        let (orders, kept) = (scene.ca().order_count(), kept.len());
        assert!(orders <= 2 && (kept == 1 || started.is_none()), "cut at {cut} ms: {orders} orders");
        if finished {
            return;
        }
    }
    panic!("no cut was late enough for the first run to finish");
}

#[test]
fn an_order_the_ca_has_lost_is_told_apart() {
    let scene = Scene::new(10, Settings::default());
    let lost = Order { url: "https://ca.example/order/77".into(), ..Order::default() };
    let error = acme_error(scene.issue(&["a.example"], Some(&lost)));
    assert_eq!(
        error,
        Error::OrderLost { order: "https://ca.example/order/77".into(), why: "it does not exist any more".into() }
    );
    assert!(error.ends_order());
}

#[test]
fn a_lost_answer_to_finalize_makes_no_second_order() {
    for fault in [Fault::LostAnswer, Fault::LostRequest, Fault::Stall] {
        let scene = Scene::new(11, Settings::default()).faults(Faults::once("finalize", fault));
        scene.issue(&["a.example"], None).unwrap();
        assert_eq!(scene.ca().order_count(), 1);
        assert_eq!(scene.ca().certificates.len(), 1);
    }
}

#[test]
fn order_not_ready_is_recovered_from() {
    let refusal = Fault::answer(403, r#"{"type":"urn:ietf:params:acme:error:orderNotReady"}"#);
    let scene = Scene::new(12, Settings::default()).faults(Faults::once("finalize", refusal));
    scene.issue(&["a.example"], None).unwrap();
    assert_eq!(scene.ca().order_count(), 1);
}

#[test]
fn a_wrong_answer_to_a_challenge_names_the_domain_and_the_reason() {
    let scene = Scene::new(13, Settings::default());
    let broken = Keeper { web: Web::default(), ..Keeper::default() };
    let result = scene.world.run(async {
        let client = scene.client().await?;
        issue(&client, &broken, &[Identifier::of("a.example"), Identifier::of("b.example")], Beginning::New(None)).await
    });
    let error = acme_error(result);
    let text = error.to_string();
    assert!(text.contains("a.example: http-01: unauthorized: the wrong answer"), "{text}");
    assert!(text.contains("b.example: http-01: unauthorized: the wrong answer"), "{text}");
    assert!(error.ends_order());
}

#[test]
fn only_unknown_challenges_is_a_permanent_error() {
    let scene = Scene::new(14, Settings { offers: vec!["unheard-of-01", "dns-01"], ..Settings::default() });
    let error = acme_error(scene.issue(&["a.example"], None));
    let expected = "a.example: the CA offers no challenge that is configured and proves it, only unheard-of-01, dns-01";
    assert_eq!(error.to_string(), expected);
    assert_eq!(error.class(), acme::Class::Permanent);
}

#[test]
fn altered_names_end_the_order() {
    let scene = Scene::new(15, Settings { alter_names: |_| vec!["evil.example".into()], ..Settings::default() });
    assert!(matches!(acme_error(scene.issue(&["a.example"], None)), Error::OrderNamesChanged { .. }));
    assert!(scene.keeper.published.borrow().is_empty());
}

#[test]
fn urls_of_another_origin_are_not_followed() {
    for elsewhere in ["https://169.254.169.254/x", "http://ca.example/finalize/0", "https://ca.example:8443/x"] {
        let settings = Settings { finalize_elsewhere: Some(elsewhere.into()), ..Settings::default() };
        let error = acme_error(Scene::new(16, settings).issue(&["a.example"], None));
        assert_eq!(error, Error::ForeignUrl { place: "order.finalize", url: elsewhere.into() });
    }
}

#[test]
fn the_directory_may_redirect_but_not_for_ever_nor_to_elsewhere() {
    let redirect = |target: &'static str| {
        Faults::by(move |request, _| {
            (request.endpoint == "directory").then(|| {
                Fault::Answer(acme::Response {
                    status: 302,
                    headers: vec![("location".into(), target.into())],
                    body: Vec::new(),
                })
            })
        })
    };
    let looping = Scene::new(17, Settings::default()).faults(redirect("/directory"));
    assert!(acme_error(looping.issue(&["a.example"], None)).to_string().contains("more than 10 redirects"));
    let foreign = Scene::new(17, Settings::default()).faults(redirect("https://evil.example/directory"));
    assert!(matches!(acme_error(foreign.issue(&["a.example"], None)), Error::ForeignUrl { .. }));
    let once = redirect("/directory");
    let mut once = Some(once);
    let scene = Scene::new(17, Settings::default()).faults(Faults::by(move |request, _| {
        let fault = Fault::Answer(acme::Response {
            status: 302,
            headers: vec![("location".into(), "/directory".into())],
            body: Vec::new(),
        });
        (request.endpoint == "directory" && once.take().is_some()).then_some(fault)
    }));
    scene.issue(&["a.example"], None).unwrap();
}

#[test]
fn a_stalling_ca_ends_within_the_clients_timeout() {
    let scene = Scene::new(18, Settings::default())
        .faults(Faults::by(|request, _| (request.endpoint == "newOrder").then_some(Fault::Stall)));
    let before = scene.world.now_millis();
    let error = acme_error(scene.issue(&["a.example"], None));
    let took = scene.world.now_millis() - before;
    assert!((120_000..130_000).contains(&took), "{took} ms");
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
}

#[test]
fn html_empty_and_cut_answers_are_transient_errors() {
    for body in ["", "<html>", r#"{"status":"pend"#, "null", "[]", "{}"] {
        let scene = Scene::new(19, Settings::default()).faults(Faults::by(move |request, _| {
            (request.endpoint == "newOrder").then(|| {
                let headers = vec![("location".into(), "/order/1".into())];
                Fault::Answer(acme::Response { status: 200, headers, body: body.into() })
            })
        }));
        let error = acme_error(scene.issue(&["a.example"], None));
        assert!(matches!(error, Error::BadAnswer { .. }), "{error}");
        assert_eq!(error.class(), acme::Class::Transient(None));
    }
}

#[test]
fn a_rate_limit_is_told_at_once_with_its_wait() {
    let limited = acme::Response {
        status: 429,
        headers: vec![("retry-after".into(), "3600".into())],
        body: r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}"#.into(),
    };
    let scene = Scene::new(20, Settings::default()).faults(Faults::once("newOrder", Fault::Answer(limited)));
    let error = acme_error(scene.issue(&["a.example"], None));
    assert_eq!(error.class(), acme::Class::RateLimited(Some(Duration::from_secs(3600))));
}

#[test]
fn an_account_is_found_again_when_its_url_was_lost() {
    let scene = Scene::new(21, Settings::default());
    scene.world.run(async {
        let first = scene.client().await.unwrap();
        let url = scene.network.ca.borrow().directory_url();
        let again = Client::connect(&scene.network, &url, key(), None, options()).await.unwrap();
        account::find(&again).await.unwrap();
        assert_eq!(again.kid(), first.kid());
        let entry = scene.ca().journal.last().cloned().unwrap();
        assert_eq!(entry.payload, serde_json::json!({"onlyReturnExisting": true}));
    });
    assert_eq!(scene.ca().account_count(), 1);
}

/// As django-ca says it (RFC 8555 §6.2 has a type for it).
#[test]
fn an_account_that_may_not_order_is_looked_for_anew() {
    let refusal =
        Fault::answer(401, r#"{"type":"urn:ietf:params:acme:error:unauthorized","detail":"Account not found."}"#);
    let scene = Scene::new(23, Settings::default()).faults(Faults::once("newOrder", refusal));
    scene.world.run(async {
        let client = scene.client().await.unwrap();
        let names = [Identifier::of("a.example")];
        let error = issue(&client, &scene.keeper, &names, Beginning::New(None)).await.unwrap_err();
        assert!(matches!(error, Failure::Acme(Error::AccountLost(_))), "{error}");
        assert_eq!(error.to_string(), "newOrder refused: unauthorized: Account not found.");
    });
}

#[test]
fn an_account_the_ca_has_forgotten_is_told_apart_and_made_anew() {
    let scene = Scene::new(22, Settings::default());
    scene.world.run(async {
        let client = scene.client().await.unwrap();
        scene.network.ca.borrow_mut().forget_everything();
        let names = [Identifier::of("a.example")];
        let error = issue(&client, &scene.keeper, &names, Beginning::New(None)).await.unwrap_err();
        assert!(matches!(error, Failure::Acme(Error::AccountLost(_))), "{error}");
        account::register(&client, &[], None).await.unwrap();
        issue(&client, &scene.keeper, &names, Beginning::New(None)).await.unwrap();
    });
    assert_eq!(scene.ca().account_count(), 1);
}

#[test]
fn a_changed_contact_is_told_to_the_ca() {
    let scene = Scene::new(23, Settings::default());
    scene.world.run(async {
        let client = scene.client().await.unwrap();
        let account = account::update_contact(&client, &["mailto:new@example.com".into()]).await.unwrap();
        assert_eq!(account.contact, ["mailto:new@example.com"]);
    });
    assert_eq!(scene.ca().contacts(), [[serde_json::json!("mailto:new@example.com")]]);
}

#[test]
fn with_a_tenth_of_the_requests_failing_most_issuances_still_succeed() {
    let mut issued = 0;
    for seed in 0..100 {
        let scene = Scene::new(seed, Settings { refused_nonces: 20, ..Settings::default() }).faults(Faults::some(10));
        // Whatever happens, it ends, and the CA itself asserts that no nonce came twice.
        match scene.issue(&["a.example", "b.example"], None) {
            Ok(_) => issued += 1,
            Err(Failure::Acme(_)) => {}
            Err(Failure::Delegate(error)) => panic!("seed {seed}: {error}"),
        }
        assert!(scene.network.now_millis() > 0);
    }
    assert!(issued > 90, "only {issued} of 100");
}

#[test]
fn the_wait_for_a_certificate_is_bounded_and_its_order_is_gone_on_with() {
    let scene = Scene::new(24, Settings { looks_until_done: 20, retry_after: Some("3".into()), ..Settings::default() });
    let scene = scene.options(|options| options.certificate_timeout = Duration::from_secs(10));
    // The names are proved already, so that only the certificate is waited for.
    scene.network.ca.borrow_mut().settings.looks_until_done = 0;
    scene.network.ca.borrow_mut().settings.reuse_authorizations = true;
    scene.issue(&["a.example"], None).unwrap();
    scene.network.ca.borrow_mut().settings.looks_until_done = 20;
    let before = scene.world.now_millis();
    let error = acme_error(scene.issue(&["a.example"], None));
    let took = scene.world.now_millis() - before;
    let why = "the CA's work on the order takes longer than 10000 ms: the CA asked to wait 3 s more";
    assert_eq!(error.to_string(), why);
    assert!((9_000..10_000).contains(&took), "{took} ms");
    assert!(!error.ends_order() && error.class() == acme::Class::Transient(Some(Duration::from_secs(3))));
    scene.network.ca.borrow_mut().settings.looks_until_done = 0;
    let started = scene.keeper.orders.borrow().last().cloned();
    for _ in 0..20 {
        if scene.issue(&["a.example"], started.as_ref()).is_ok() {
            assert_eq!(scene.ca().order_count(), 2);
            return;
        }
    }
    panic!("the order was never finished");
}

#[test]
fn slow_answers_do_not_stretch_the_wait_for_a_certificate() {
    let slow = Faults::by(|request, _| (request.endpoint == "order").then_some(Fault::Stall));
    let scene = Scene::new(25, Settings { looks_until_done: 1000, ..Settings::default() }).faults(slow);
    scene.network.ca.borrow_mut().settings.looks_until_done = 0;
    let before = scene.world.now_millis();
    acme_error(scene.issue(&["a.example"], None));
    let took = scene.world.now_millis() - before;
    // One look with its repetitions may take `clientTimeout`.
    assert!(took < 30_000 + 120_000 + 10_000, "{took} ms");
}
