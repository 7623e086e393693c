//! Answers as real CAs give them that RFC 8555 has otherwise, each in a whole issuance against the scripted CA: what is
//! not needed spoils nothing, and what decides whom we trust is not taken.

use crate::scene::{Scene, acme_error};
use acme::ChallengeType::{Dns01, Http01};
use acme::issuance::Beginning;
use acme::order::Order;
use acme::scripted::{Fault, Faults, Settings};
use acme::{Error, Response};
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

type Says = fn(&str, &mut Value);

fn scene(says: Says) -> Scene {
    Scene::new(81, Settings { says, ..Settings::default() })
}

/// A certificate for these names comes of it, by one order.
fn issues(names: &[&str], says: Says) {
    let scene = scene(says).ways(&[Http01, Dns01]);
    let issued = scene.issue(names, None);
    assert!(issued.is_ok(), "{issued:?}");
    assert_eq!(scene.ca().order_count(), 1);
}

fn remove(value: &mut Value, members: &[&str]) {
    let object = value.as_object_mut().unwrap();
    members.iter().for_each(|member| drop(object.remove(*member)));
}

/// django-ca: `finalize` in newOrder's answer only.
#[test]
fn finalize_is_kept_from_the_answer_to_new_order() {
    issues(&["a.example"], |endpoint, value| {
        if matches!(endpoint, "order" | "finalize") {
            remove(value, &["finalize"]);
        }
    });
}

#[test]
fn what_was_told_once_need_not_be_told_again() {
    issues(&["a.example", "b.example"], |endpoint, value| {
        if matches!(endpoint, "order" | "finalize") {
            remove(value, &["finalize", "identifiers", "authorizations"]);
        }
    });
    issues(&["a.example", "b.example"], |endpoint, value| {
        if matches!(endpoint, "order" | "finalize") {
            let silence = json!({"finalize": null, "identifiers": null, "authorizations": null, "error": null});
            value.as_object_mut().unwrap().extend(silence.as_object().unwrap().clone());
        }
    });
}

#[test]
fn an_order_of_a_ca_that_tells_little_is_gone_on_with_after_a_restart() {
    let says: Says = |endpoint, value| {
        if endpoint == "order" {
            remove(value, &["finalize", "identifiers", "authorizations"]);
        }
    };
    let lost = Faults::once("challenge", Fault::answer(500, "{}"));
    let scene = scene(says).faults(lost);
    let kept = {
        let run = async { scene.client().await.unwrap() };
        scene.world.run(run);
        scene
            .network
            .faults
            .replace(Faults::by(|request, _| (request.endpoint == "challenge").then(|| Fault::answer(403, "{}"))));
        scene.issue(&["a.example"], None).unwrap_err();
        scene.keeper.orders.borrow()[0].clone()
    };
    assert_eq!(kept.course.finalize.as_deref(), Some("https://ca.example/finalize/0"));
    scene.network.faults.replace(Faults::none());
    scene.issue(&["a.example"], Some(&kept)).unwrap();
    assert_eq!(scene.ca().order_count(), 1);
}

/// Records of earlier versions hold an order's URL alone.
#[test]
fn an_order_of_which_only_the_url_is_known_is_gone_on_with() {
    let scene = scene(|_, _| ());
    let faults = Faults::by(|request, _| (request.endpoint == "challenge").then(|| Fault::answer(403, "{}")));
    scene.network.faults.replace(faults);
    scene.issue(&["a.example"], None).unwrap_err();
    scene.network.faults.replace(Faults::none());
    let url = scene.keeper.orders.borrow()[0].url.clone();
    scene.issue(&["a.example"], Some(&Order { url, ..Order::default() })).unwrap();
}

/// django-ca: an `invalid` order lists the authorizations and names that were proved, and no others.
#[test]
fn an_order_that_was_given_up_need_not_tell_its_names() {
    for says in [
        (|endpoint, value| {
            if endpoint == "order" {
                *value = json!({"status": "invalid", "expires": "2026-01-02T00:00:00Z", "identifiers": [], "authorizations": []});
            }
        }) as Says,
        |endpoint, value| {
            if endpoint == "order" {
                *value = json!({"status": "invalid", "identifiers": [{"type": "dns", "value": "a.example"}]});
            }
        },
    ] {
        let scene = scene(says);
        let faults = Faults::by(|request, _| (request.endpoint == "challenge").then(|| Fault::answer(403, "{}")));
        scene.network.faults.replace(faults);
        scene.issue(&["a.example", "b.example"], None).unwrap_err();
        let kept = scene.keeper.orders.borrow()[0].clone();
        scene.network.faults.replace(Faults::none());
        let error = acme_error(scene.issue(&["a.example", "b.example"], Some(&kept)));
        assert!(matches!(&error, Error::OrderInvalid { order, .. } if *order == kept.url), "{error}");
    }
}

#[test]
fn names_of_another_are_never_taken() {
    let error = acme_error(
        scene(|endpoint, value| {
            if endpoint == "order" {
                value["identifiers"] = json!([{"type": "dns", "value": "evil.example"}]);
            }
        })
        .issue(&["a.example"], None),
    );
    assert!(matches!(error, Error::OrderNamesChanged { .. }), "{error}");
    for says in [
        (|endpoint, value| {
            if endpoint == "authorization" {
                value["identifier"]["value"] = json!("evil.example");
            }
        }) as Says,
        |endpoint, value| {
            if endpoint == "authorization" {
                remove(value, &["identifier"]);
            }
        },
    ] {
        let scene = scene(says);
        let error = acme_error(scene.issue(&["a.example", "b.example"], None));
        assert!(matches!(error, Error::OrderNamesChanged { .. }), "{error}");
        assert!(scene.keeper.published.borrow().is_empty());
    }
}

#[test]
fn names_come_back_in_any_spelling() {
    issues(&["a.example", "192.0.2.1"], |endpoint, value| match endpoint {
        "newOrder" | "order" | "finalize" => {
            value["identifiers"] = json!(["A.EXAMPLE.", {"value": "192.0.2.1", "type": "dns"}]);
        }
        "authorization" if value["identifier"]["value"] == "a.example" => {
            value["identifier"] = json!({"type": "DNS", "value": "A.Example."});
        }
        _ => {}
    });
    issues(&["a.example"], |endpoint, value| {
        if endpoint == "authorization" {
            value["identifier"] = json!(null);
        }
    });
}

/// django-ca leaves the `*.` of a wildcard in its authorization, and others leave out that it is one.
#[test]
fn a_wildcards_authorization_is_known_as_one() {
    issues(&["*.a.example", "a.example"], |endpoint, value| {
        if endpoint == "authorization" && value["wildcard"] == true {
            value["identifier"]["value"] = json!("*.a.example");
        }
    });
    issues(&["*.a.example"], |endpoint, value| {
        if endpoint == "authorization" {
            remove(value, &["wildcard"]);
        }
    });
    // Told again, without its `*.`.
    issues(&["*.a.example"], |endpoint, value| {
        if endpoint == "order" {
            value["identifiers"] = json!([{"type": "dns", "value": "a.example"}]);
        }
    });
}

#[test]
fn one_odd_challenge_spoils_no_other() {
    issues(&["a.example"], |endpoint, value| {
        if endpoint == "authorization" {
            let odd = [json!(null), json!("http-01"), json!({}), json!({"type": "http-01", "url": null, "token": 7})];
            let others = value["challenges"].as_array().unwrap().clone();
            value["challenges"] = odd.into_iter().chain(others).collect();
        }
    });
    issues(&["a.example"], |endpoint, value| {
        if endpoint == "authorization" {
            for challenge in value["challenges"].as_array_mut().unwrap() {
                challenge["error"] = json!({});
                challenge["validated"] = json!(null);
                challenge["issuer-domain-names"] = json!(null);
                remove(challenge, &["status"]);
            }
        }
    });
}

#[test]
fn tokens_of_86_characters_and_trailing_slashes_are_fine() {
    let token = "a".repeat(86);
    assert!(acme::authorization::is_token(&token));
    issues(&["a.example"], |endpoint, value| {
        if endpoint == "directory" {
            value["newOrder"] = json!("https://ca.example/new-order/");
        }
    });
}

#[test]
fn a_challenge_without_a_usable_token_says_so() {
    let error = acme_error(
        scene(|endpoint, value| {
            if endpoint == "authorization" {
                value["challenges"] = json!([{"type": "http-01", "url": "https://ca.example/c", "token": "short"}]);
            }
        })
        .issue(&["a.example"], None),
    );
    assert!(
        error.to_string().ends_with("only http-01 (its token is not base64url of 22 to 128 characters)"),
        "{error}"
    );
}

/// The answer may belong to another request, as a cache or a proxy gives it: the order is resumed.
#[test]
fn an_authorization_without_challenges_ends_no_order() {
    for says in [
        (|endpoint, value| {
            if endpoint == "authorization" {
                value["challenges"] = json!([]);
            }
        }) as Says,
        |endpoint, value| {
            if endpoint == "authorization" {
                *value = json!({"newNonce": "https://ca.example/new-nonce"});
            }
        },
    ] {
        let scene = scene(says);
        let error = acme_error(scene.issue(&["a.example", "b.example"], None));
        assert!(matches!(&error, Error::BadAnswer { url, .. } if url.contains("/authorization/")), "{error}");
        assert!(!error.ends_order() && scene.keeper.published.borrow().is_empty());
    }
}

#[test]
fn words_come_in_any_case_and_unknown_ones_are_waited_out() {
    issues(&["a.example"], |_, value| {
        if let Some(status) = value["status"].as_str() {
            value["status"] = json!(status.to_ascii_uppercase());
        }
    });
    issues(&["a.example"], |_, value| {
        for (known, unknown) in [("processing", "queued"), ("pending", "new")] {
            if value["status"] == known && value.get("finalize").is_none() {
                value["status"] = json!(unknown);
            }
        }
    });
}

#[test]
fn a_valid_order_without_its_certificate_is_looked_at_again() {
    let scene = Scene::new(82, Settings::default());
    let mut looks = 0;
    scene.network.faults.replace(Faults::by(move |request, _| {
        looks += i32::from(request.endpoint == "order");
        let early = json!({"status": "valid", "certificate": null}).to_string();
        (request.endpoint == "order" && looks <= 3).then(|| Fault::answer(200, &early))
    }));
    scene.issue(&["a.example"], None).unwrap();
}

#[test]
fn an_account_need_not_tell_anything_but_where_it_is() {
    for account in [json!({}), json!({"status": null, "contact": null, "orders": 7}), json!({"contact": [null, {}]})] {
        let body = account.to_string();
        let headers = vec![("location".to_owned(), "/account/x".to_owned())];
        for body in [body.as_str(), ""] {
            let answer = Response { status: 200, headers: headers.clone(), body: body.into() };
            let scene = Scene::new(83, Settings::default()).faults(Faults::once("newAccount", Fault::Answer(answer)));
            let registered = scene.world.run(async { scene.client().await.map(|client| client.kid()) });
            assert_eq!(registered, Ok(Some("https://ca.example/account/x".into())), "{body}");
        }
    }
}

#[test]
fn urls_may_be_paths_of_the_same_origin() {
    issues(&["a.example"], |_, value| {
        let text = value.to_string().replace("https://ca.example/", "/");
        *value = serde_json::from_str(&text).unwrap();
    });
}

#[test]
fn extra_members_and_numbers_as_texts_are_passed_over() {
    issues(&["a.example"], |_, value| {
        if let Some(object) = value.as_object_mut() {
            object.insert("id".into(), json!(7));
            object.insert("expires".into(), json!("1767225600"));
            object.insert("notBefore".into(), json!(null));
            object.insert("notAfter".into(), json!({}));
        }
    });
}

#[test]
fn problems_tell_what_they_can() {
    let body = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":{"text":"slow"},"status":"429"}"#;
    let scene = Scene::new(84, Settings::default()).faults(Faults::once("newOrder", Fault::answer(400, body)));
    let error = acme_error(scene.begin(&["a.example"], Beginning::New(None)));
    assert_eq!(error.class(), acme::Class::RateLimited(None));
}
