//! Options beyond the plain flow: delays, external accounts, profiles, other chains.

use std::time::Duration;

use crate::scene::{Scene, acme_error, key_of, options};
use acme::certificate::Chains;
use acme::external_account::Unsigned;
use acme::issuance::{Beginning, issue};
use acme::scripted::{Certificate, Fault, Faults, Settings};
use acme::{AccountKey, Client, Error, Identifier, account};
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[test]
fn the_ca_is_told_after_the_delay_and_the_answer_stands_until_then() {
    for (delay, least) in [(0, 0), (7, 7_000), (3600, 3_600_000)] {
        let scene = Scene::new(26, Settings::default());
        let scene = scene.delay(Duration::from_secs(delay));
        let before = scene.world.now_millis();
        scene.issue(&["a.example", "b.example"], None).unwrap();
        let took = scene.world.now_millis() - before;
        assert!((least..least + 3_000).contains(&took), "{took} ms with a delay of {delay} s");
        let expires = scene.keeper.expires.borrow().clone();
        assert!(expires.iter().all(|expires| *expires > before / 1000 + i64::try_from(delay).unwrap() + 300));
    }
}

#[test]
fn an_account_is_bound_where_the_ca_wants_it() {
    let customers: Vec<(&str, &[u8])> = vec![("customer-1", b"a secret")];
    let scene = Scene::new(27, Settings { customers, ..Settings::default() });
    let unbound = acme_error(scene.issue(&["a.example"], None));
    assert_eq!(unbound, Error::ExternalAccountRequired);
    assert_eq!(unbound.class(), acme::Class::Permanent);
    assert_eq!(scene.ca().journal.len(), 0, "nothing was sent");
    let bound = |kid: &str, key: &[u8]| {
        scene.world.run(async {
            let url = scene.network.ca.borrow().directory_url();
            let client = Client::connect(&scene.network, &url, key_of(3), None, options()).await?;
            let unsigned = Unsigned::new(&client, kid);
            let mac = acme::scripted::mac(key, &unsigned.signing_input());
            account::register(&client, &[], Some(&unsigned.signed(&mac))).await
        })
    };
    for (kid, key, expected) in
        [("customer-2", &b"a secret"[..], "no such customer"), ("customer-1", b"another", "the MAC is wrong")]
    {
        let error = bound(kid, key).unwrap_err();
        assert_eq!(error.to_string(), format!("newAccount refused: unauthorized: {expected}"));
        assert_eq!(error.class(), acme::Class::Permanent);
    }
    assert_eq!(bound("customer-1", b"a secret").unwrap().status, "valid");
    assert_eq!(scene.ca().account_count(), 1);
}

#[test]
fn a_refused_nonce_does_not_spoil_a_binding() {
    let customers: Vec<(&str, &[u8])> = vec![("customer-1", b"a secret")];
    let scene = Scene::new(28, Settings { customers, refused_nonces: 50, ..Settings::default() });
    for scalar in 1..20 {
        scene.world.run(async {
            let url = scene.network.ca.borrow().directory_url();
            let client = Client::connect(&scene.network, &url, key_of(scalar), None, options()).await.unwrap();
            let unsigned = Unsigned::new(&client, "customer-1");
            let mac = acme::scripted::mac(b"a secret", &unsigned.signing_input());
            account::register(&client, &[], Some(&unsigned.signed(&mac))).await.unwrap();
        });
    }
}

/// The key of RFC 7515 A.3, <https://www.rfc-editor.org/rfc/rfc7515#appendix-A.3>.
fn rfc7515_a3() -> Vec<u8> {
    use base64::Engine;
    let scalar = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI";
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(scalar).unwrap()
}

/// The header and key are written out here, and were put in base64url with another program.
#[test]
fn what_is_signed_to_bind_an_account_is_known() {
    let scene = Scene::new(29, Settings::default());
    let input = scene.world.run(async {
        let der = SecretKey::from_slice(&rfc7515_a3()).unwrap().to_pkcs8_der().unwrap();
        let key = AccountKey::from_pkcs8(der.as_bytes()).unwrap();
        let url = scene.network.ca.borrow().directory_url();
        Unsigned::new(&Client::connect(&scene.network, &url, key, None, options()).await.unwrap(), "kid-1")
    });
    assert_eq!(
        input.signing_input(),
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0xIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFtcGxlL25ldy1hY2NvdW50In0.\
         eyJjcnYiOiJQLTI1NiIsImt0eSI6IkVDIiwieCI6ImY4M09KM0QyeEYxQmc4dnViOXRMZTFnSE16Vjc2ZThUdXM5dVBIdlJWRVUiLCJ5Ijoie\
         F9GRXpSdTltMzZITE5fdHVlNjU5TE5wWFc2cEN5U3Rpa1lqS0lXSTVhMCJ9"
    );
    let binding = serde_json::to_value(input.clone().signed(&acme::scripted::mac(b"secret", &input.signing_input())));
    assert_eq!(binding.unwrap()["signature"], "hGMwYbe9d0w5-Wghg8haM9il97t6CMQsO-wRkev7i1E");
}

#[test]
fn an_order_names_its_profile() {
    let scene = Scene::new(30, Settings { profiles: vec!["classic", "short"], ..Settings::default() });
    let scene = scene.options(|options| options.profile = Some("short".into()));
    scene.issue(&["a.example"], None).unwrap();
    let ca = scene.ca();
    let order = ca.journal.iter().find(|entry| entry.url.ends_with("/new-order")).unwrap();
    assert_eq!(order.payload["profile"], "short");
}

#[test]
fn a_profile_that_the_ca_does_not_have_is_a_permanent_error_that_lists_them() {
    for (profiles, expected) in [
        (vec!["classic", "sh\nort"], "the CA has no profile shrot, only classic, sh\\nort"),
        (vec![], "the CA has no profile shrot; it has none at all"),
    ] {
        let scene = Scene::new(31, Settings { profiles, ..Settings::default() });
        let scene = scene.options(|options| options.profile = Some("shrot".into()));
        let error = acme_error(scene.issue(&["a.example"], None));
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.class(), acme::Class::Permanent);
        assert_eq!(scene.ca().order_count(), 0);
        assert_eq!(scene.ca().asked("/new-order"), 0);
    }
}

#[test]
fn a_profile_that_the_ca_gave_up_is_a_permanent_error_and_a_pending_order_keeps_its_own() {
    let scene = Scene::new(32, Settings { profiles: vec!["short"], ..Settings::default() });
    let scene = scene.options(|options| options.profile = Some("short".into()));
    let names = [Identifier::of("a.example")];
    let cut = scene.world.run_for(
        Duration::from_millis(200),
        std::pin::pin!(async {
            let client = scene.client().await.unwrap();
            issue(&client, &scene.keeper, &names, Beginning::New(None)).await
        }),
    );
    assert!(cut.is_none());
    scene.network.ca.borrow_mut().settings.retired_profiles = vec!["short"];
    let error = acme_error(scene.issue(&["b.example"], None));
    assert_eq!(error.to_string(), "newOrder refused: invalidProfile: short is no profile");
    assert_eq!(error.class(), acme::Class::Permanent);
    let started = scene.keeper.orders.borrow().first().cloned();
    assert!(started.is_some());
    scene.issue(&["a.example"], started.as_ref()).unwrap();
}

fn issuers(chains: &Chains) -> Vec<String> {
    let chains = [&chains.default].into_iter().chain(&chains.alternates);
    chains.map(|chain| Certificate::of(chain).unwrap().issuer).collect()
}

#[test]
fn other_chains_are_downloaded_only_where_they_are_wanted() {
    for (wanted, expected) in [(false, &["Root A"][..]), (true, &["Root A", "Root B", "Root C"])] {
        let settings = Settings { issuers: vec!["Root A", "Root B", "Root C"], ..Settings::default() };
        let scene = Scene::new(33, settings).options(|options| options.alternate_chains = wanted);
        let chains = scene.issue(&["a.example"], None).unwrap().chains;
        assert_eq!(issuers(&chains), expected);
        assert!(chains.failures.is_empty());
        assert_eq!(scene.ca().asked("/certificate/"), expected.len());
    }
}

#[test]
fn of_very_many_chains_only_some_are_downloaded() {
    let scene = Scene::new(34, Settings { issuers: vec!["Root"; 100], ..Settings::default() });
    let scene = scene.options(|options| options.alternate_chains = true);
    assert_eq!(scene.issue(&["a.example"], None).unwrap().chains.alternates.len(), 8);
}

#[test]
fn a_chain_that_can_not_be_had_is_no_failure_of_the_issuance() {
    let body = |body: Vec<u8>| Fault::Answer(acme::Response { status: 200, headers: Vec::new(), body });
    for (expected, fault) in [
        ("there is no PEM certificate in it", body(b"<html>".to_vec())),
        ("certificate refused: HTTP status 404", Fault::answer(404, "")),
        ("the certificate is not text", body(vec![0xff; 9])),
        ("it is longer than 1048576 bytes", body(vec![b' '; 2 << 20])),
        ("took longer than 30000 ms", Fault::Stall),
    ] {
        let broken = Faults::by(move |request, _| request.url.ends_with("/certificate/0/1").then(|| fault.clone()));
        let settings = Settings { issuers: vec!["Root A", "Root B"], ..Settings::default() };
        let scene = Scene::new(35, settings).options(|options| options.alternate_chains = true).faults(broken);
        let before = scene.world.now_millis();
        let chains = scene.issue(&["a.example"], None).unwrap().chains;
        assert_eq!(issuers(&chains), ["Root A"]);
        let [failure] = &chains.failures[..] else { panic!("{:?}", chains.failures) };
        assert!(failure.contains(expected), "{failure}");
        assert!(scene.world.now_millis() - before < 35_000);
    }
}

#[test]
fn chains_of_another_origin_are_not_fetched() {
    for elsewhere in ["https://169.254.169.254/x", "http://ca.example/x", "//evil.example/x", "x", ""] {
        let scene = Scene::new(36, Settings { another_chain_at: Some(elsewhere.into()), ..Settings::default() });
        let scene = scene.options(|options| options.alternate_chains = true);
        let chains = scene.issue(&["a.example"], None).unwrap().chains;
        assert!(chains.alternates.is_empty());
        assert!(chains.failures[0].starts_with("certificate.link is "), "{:?}", chains.failures);
    }
}
