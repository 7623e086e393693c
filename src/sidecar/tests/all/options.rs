//! The resolver's options in the API: external accounts, preferred chains, signing requests.

use crate::harness::{CA, Client, Home, TestCa, id, order};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{Account, Csr, Published, path, problem};
use serde_json::{Value, json};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;

async fn account(engine: &Client, eab_kid: Option<&str>) -> Account {
    let request = json!({"resolver": "le", "caServer": CA, "email": "me@example.com", "eabKid": eab_kid});
    engine.post(path::ACCOUNTS, &request).await.json()
}

async fn register(engine: &Client, number: u32) {
    let url = format!("https://ca.example/account/{number}");
    let registration = json!({"resolver": "le", "caServer": CA, "url": url, "status": "valid", "contact": []});
    engine.put(path::ACCOUNTS, &registration).await.no_content();
}

#[tokio::test]
async fn each_external_account_has_an_account_of_its_own_over_restarts() {
    let home = Home::new();
    let sidecar = home.start().await;
    let engine = home.engine().await;
    let mut keys = Vec::new();
    for (number, kid) in (1..).zip([None, Some("one"), Some("two")]) {
        let made = account(&engine, kid).await;
        assert!(made.fresh && made.url.is_none() && !keys.contains(&made.key), "{kid:?}");
        register(&engine, number).await;
        keys.push(made.key);
    }
    assert_eq!(home.stored()["le"]["EnvoyAutocert"]["eabKid"], "two");
    let previous = &home.stored()["le"]["EnvoyAutocert"]["previousAccounts"];
    assert_eq!((&previous[0]["eabKid"], &previous[1]["eabKid"]), (&Value::Null, &json!("one")));
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let engine = home.engine().await;
    for (kid, expected) in [(None, 2), (Some("one"), 1), (None, 1), (Some("two"), 2), (Some("one"), 1)] {
        let found = account(&engine, kid).await;
        assert!(!found.fresh && found.key == keys[expected], "{kid:?}");
        assert_eq!(found.url, Some(format!("https://ca.example/account/{}", expected + 1)));
    }
}

#[tokio::test]
async fn an_account_of_a_file_without_external_accounts_is_kept() {
    let home = Home::new();
    let sidecar = home.start().await;
    let made = account(&home.engine().await, None).await;
    register(&home.engine().await, 1).await;
    assert!(home.stored()["le"]["EnvoyAutocert"].get("eabKid").is_none());
    sidecar.stop().await.unwrap();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    assert!(account(&engine, None).await.key == made.key);
    assert!(account(&engine, Some("one")).await.fresh);
}

fn publication(id: &protocol::CertificateId, chains: [&str; 2], preferred: Option<&str>) -> Value {
    let (chain, alternates) = (chains[0], [chains[1]]);
    json!({"certificate": id, "order": order(1), "chain": chain, "alternates": alternates, "preferredChain": preferred})
}

/// The chain of `issue`, with another certificate at its end, so that it leads to that one's issuer.
fn leading_to(chain: &str, root: &TestCa) -> String {
    format!("{chain}{}", root.pem)
}

#[tokio::test]
async fn of_the_chains_offered_the_preferred_one_is_served() {
    for (preferred, expected, other_chains) in [
        (None, 0, &[][..]),
        (Some("Test CA"), 0, &[]),
        (Some("Other CA"), 1, &[]),
        (Some("other ca"), 0, &["Test CA", "Other CA"]),
        (Some(""), 0, &["Test CA", "Other CA"]),
    ] {
        let home = Home::new();
        let _sidecar = home.start().await;
        let (engine, id) = (home.engine().await, id(&["a.example"]));
        engine.order(&id, &order(1)).await.no_content();
        let csr: Csr = engine.csr(&id, &order(1), "EC256").await.json();
        let (ca, other) = (TestCa::new(), TestCa::named("Other CA"));
        let default = ca.issue(&csr, &id);
        // The same leaf and issuer, and the issuer signed by another root.
        let alternate = default.replace(&ca.pem, &other.cross_signed(&ca));
        let request = publication(&id, [&default, &alternate], preferred);
        let published: Published = engine.post(path::CERTIFICATES, &request).await.json();
        assert_eq!(published.other_chains, other_chains);
        let stored = home.stored()["le"]["Certificates"][0]["certificate"].as_str().unwrap().to_owned();
        let served = base64::engine::general_purpose::STANDARD.decode(stored).unwrap();
        assert!(served == [default, alternate][expected].as_bytes(), "{preferred:?}");
        // Sent again, since the answer was lost: the key of the order is gone by now.
        let again: Published = engine.post(path::CERTIFICATES, &request).await.json();
        assert_eq!(again.certificate, published.certificate);
    }
}

#[tokio::test]
async fn a_preferred_chain_that_does_not_fit_gives_way_to_the_default_one() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let (engine, id) = (home.engine().await, id(&["a.example"]));
    engine.order(&id, &order(1)).await.no_content();
    let csr: Csr = engine.csr(&id, &order(1), "EC256").await.json();
    let default = TestCa::new().issue(&csr, &id);
    let (leaf, _) = default.split_once("-----END CERTIFICATE-----\n").unwrap();
    let broken = leading_to(&format!("{leaf}-----END CERTIFICATE-----\n"), &TestCa::named("Other CA"));
    let request = publication(&id, [&default, &broken], Some("Other CA"));
    let published: Published = engine.post(path::CERTIFICATES, &request).await.json();
    assert_eq!(published.other_chains, ["Test CA", "Other CA"]);
    assert_eq!(published.certificate.issuer, "Test CA");
}

#[tokio::test]
async fn junk_among_the_chains_is_never_served() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let (engine, id) = (home.engine().await, id(&["a.example"]));
    engine.order(&id, &order(1)).await.no_content();
    let csr: Csr = engine.csr(&id, &order(1), "EC256").await.json();
    let default = TestCa::new().issue(&csr, &id);
    for junk in ["", "junk", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let refused = engine.post(path::CERTIFICATES, &publication(&id, [junk, junk], Some(""))).await;
        assert_eq!(refused.problem().kind, problem::CERTIFICATE_REFUSED);
    }
    let request = publication(&id, [&default, "junk"], Some("Other CA"));
    let published: Published = engine.post(path::CERTIFICATES, &request).await.json();
    assert_eq!(published.other_chains, ["Test CA", ""]);
}

/// The common name and the SANs that a request asks for.
fn asked_for(csr: &Csr) -> (Option<String>, Vec<String>) {
    let der = URL_SAFE_NO_PAD.decode(&csr.csr).unwrap();
    let (_, request) = x509_parser::certification_request::X509CertificationRequest::from_der(&der).unwrap();
    let subject = &request.certification_request_info.subject;
    let common_name = subject.iter_common_name().next().map(|name| name.as_str().unwrap().to_owned());
    let sans = request.requested_extensions().unwrap().find_map(|extension| match extension {
        ParsedExtension::SubjectAlternativeName(sans) => Some(sans.general_names.iter().map(text).collect()),
        _ => None,
    });
    (common_name, sans.unwrap())
}

fn text(name: &GeneralName<'_>) -> String {
    match name {
        GeneralName::DNSName(name) => (*name).to_owned(),
        GeneralName::RFC822Name(address) => format!("mail {address}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn mail_addresses_and_the_common_name_are_as_was_asked_and_the_chain_is_taken() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let (engine, id) = (home.engine().await, id(&["a.example"]));
    engine.order(&id, &order(1)).await.no_content();
    let request = json!({"certificate": id, "order": order(1), "keyType": "EC256",
        "emailAddresses": ["ops@a.example"], "disableCommonName": true});
    let csr: Csr = engine.post(path::CSR, &request).await.json();
    assert_eq!(asked_for(&csr), (None, vec!["a.example".to_owned(), "mail ops@a.example".to_owned()]));
    let chain = TestCa::new().issue_with(&csr, &id, |params| {
        params.subject_alt_names.push(rcgen::SanType::Rfc822Name("ops@a.example".try_into().unwrap()));
    });
    assert_eq!(engine.publish(&id, &order(1), &chain).await.status, 200);
    let plain: Csr = engine.csr(&id, &order(2), "EC256").await.json();
    assert_eq!(asked_for(&plain), (Some("a.example".to_owned()), vec!["a.example".to_owned()]));
}

#[tokio::test]
async fn mail_addresses_that_can_not_stand_in_a_request_are_refused() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    for (addresses, expected) in [
        (json!(["ops@a.example", "é@a.example"]), "emailAddresses[1]: expected ASCII"),
        (json!([""]), "emailAddresses[0]: expected 1 to"),
        (json!(["x".repeat(1000)]), "emailAddresses[0]: expected 1 to"),
        (json!(vec!["a@b.example"; 101]), "emailAddresses: expected at most 100, found 101"),
    ] {
        let request = json!({"certificate": id(&["a.example"]), "order": order(1), "keyType": "EC256",
            "emailAddresses": addresses});
        let problem = engine.post(path::CSR, &request).await.problem();
        assert!(problem.status == 400 && problem.detail.starts_with(expected), "{problem}");
    }
}
