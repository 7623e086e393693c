//! Renewal information of stored certificates, and the pages of the state.

use protocol::{CertificateId, Csr, Publication, Published, State, path, problem};
use serde_json::{Value, json};

use crate::harness::{Client, Home, TestCa, id, order};

/// A CA's renewal information for the certificate with this serial number.
pub fn renewals(id: &CertificateId, serial: &str) -> Value {
    let suggestion = json!({"start": 10, "end": 20, "renewAt": 15, "explanation": "https://ca.example/why"});
    json!({"renewals": [{"certificate": id, "serial": serial, "suggestion": suggestion, "askAt": 5, "hurries": 1, "restUntil": 9}]})
}

pub fn unwanted(id: &CertificateId, since: Option<i64>) -> Value {
    json!({"unwanted": [{"certificate": id, "since": since, "said": true}]})
}

#[tokio::test]
async fn what_a_ca_said_of_a_renewal_is_kept_until_another_certificate_comes() {
    let home = Home::new();
    let sidecar = home.start().await;
    let (engine, ca, id) = (home.engine().await, TestCa::new(), id(&["a.example"]));
    let first = engine.issue(&ca, &id, &order(1)).await.certificate;
    assert!(first.renewal_id.is_none(), "it names no authority key");
    engine.put(path::RENEWALS, &renewals(&id, "0badc0de")).await.no_content();
    assert_eq!(engine.state().await.renewals[0].serial, first.serial, "it is of another one");
    engine.put(path::RENEWALS, &renewals(&id, &first.serial)).await.no_content();
    engine.put(path::UNWANTED, &unwanted(&id, Some(7))).await.no_content();
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let state = engine.state().await;
    assert_eq!(
        state.renewals,
        serde_json::from_value::<Vec<protocol::Renewal>>(renewals(&id, &first.serial)["renewals"].clone()).unwrap()
    );
    assert_eq!((state.unwanted[0].since, state.unwanted[0].is_announced), (Some(7), true));
    engine.put(path::UNWANTED, &unwanted(&id, None)).await.no_content();
    engine.issue(&ca, &id, &order(2)).await;
    let state = engine.state().await;
    assert!(state.renewals[0].suggestion.is_none() && state.unwanted.is_empty());
    let progress = &home.stored()["le"]["EnvoyAutocert"]["progress"];
    assert_eq!(progress[0]["renewal"]["caServer"], "https://ca.example/directory", "{progress}");
}

#[tokio::test]
async fn which_ca_issued_a_certificate_is_kept_with_it() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let (engine, ca, id) = (home.engine().await, TestCa::new(), id(&["a.example"]));
    engine.order(&id, &order(1)).await.no_content();
    let csr: Csr = engine.csr(&id, &order(1), "EC256").await.json();
    let publication = Publication {
        certificate: id.clone(),
        order: order(1),
        chain: ca.issue(&csr, &id),
        alternates: Vec::new(),
        preferred_chain: None,
        issued_by: Some("zero".into()),
    };
    let published: Published = engine.post(path::CERTIFICATES, &publication).await.json();
    let renewal = protocol::Renewal {
        certificate: id.clone(),
        serial: published.certificate.serial.clone(),
        issued_by: Some("zero".into()),
        ca_server: Some("https://ca.example/directory".into()),
        other_ca: None,
        suggestion: None,
        ask_at: 0,
        early_renewals: 0,
        early_renewal_after: 0,
    };
    assert_eq!(engine.state().await.renewals, [renewal]);
    let mut said = renewals(&id, &published.certificate.serial);
    said["renewals"][0]["issuedBy"] = json!("zero");
    engine.put(path::RENEWALS, &said).await.no_content();
    engine.post(path::CERTIFICATES, &publication).await.json::<Published>();
    assert!(engine.state().await.renewals[0].suggestion.is_some(), "a repetition changes nothing");
    engine.issue(&ca, &id, &order(2)).await;
    assert_eq!(engine.state().await.renewals[0].issued_by, None);
}

#[tokio::test]
async fn nothing_is_remembered_of_what_is_not_stored() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let id = id(&["a.example"]);
    engine.put(path::RENEWALS, &renewals(&id, "01")).await.no_content();
    engine.put(path::UNWANTED, &unwanted(&id, Some(1))).await.no_content();
    assert!(engine.state().await == State::default());
    for serial in ["", "0X", "AB", &"0".repeat(200)] {
        let problem = engine.put(path::RENEWALS, &renewals(&id, serial)).await.problem();
        assert!(problem.detail.starts_with("renewals[0].serial: expected"), "{problem}");
    }
}

#[tokio::test]
async fn a_large_state_is_told_page_by_page() {
    let home = Home::new();
    let many: Vec<CertificateId> = (0..300).map(|number| id(&[&format!("a{number}.example")])).collect();
    let ways: Vec<Value> =
        (0..400).map(|way| json!({"name": format!("{way}.{}", "x".repeat(60)), "challenge": "http-01"})).collect();
    let attempt = json!({"failures": 1, "retryAt": 1, "reason": "", "failedWays": ways});
    let progress: Vec<Value> = many.iter().map(|id| json!({"names": id.names, "attempt": attempt})).collect();
    home.write_storage(&json!({"le": {"EnvoyAutocert": {"progress": progress}}}).to_string());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let mut found = Vec::new();
    let (mut page, mut pages) = (pages_of(&engine, "").await, 1);
    while let Some(next) = page.next.take() {
        found.extend(page.attempts);
        page = pages_of(&engine, &format!("?after={next}")).await;
        pages += 1;
    }
    found.extend(page.attempts);
    assert!(pages > 1);
    let mut ids: Vec<CertificateId> = found.into_iter().map(|attempt| attempt.certificate).collect();
    ids.sort();
    let mut expected = many;
    expected.sort();
    assert_eq!(ids, expected);
    let problem = engine.get(&format!("{}?after=x", path::STATE)).await.problem();
    assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST));
}

async fn pages_of(engine: &Client, query: &str) -> State {
    let answer = engine.get(&format!("{}{query}", path::STATE)).await;
    assert!(answer.body.len() < 9 * 1024 * 1024, "{} bytes", answer.body.len());
    answer.json()
}
