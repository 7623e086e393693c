//! Permits and pauses over the API and over restarts.

use protocol::{CertificateId, Permit, path, problem};
use serde_json::{Value, json};

use crate::harness::{CA, Client, Home, TestCa, id, order};

/// A new order under one new certificate of a domain in a day and one failure in an hour.
pub fn request(id: &CertificateId) -> Value {
    json!({
        "certificate": id, "issuer": "le", "caServer": CA, "placesOrder": true, "renews": false, "replaces": false,
        "limits": {
            "certificates": {"count": 1, "windowSeconds": 86_400}, "failures": {"count": 1, "windowSeconds": 3_600}
        },
    })
}

/// A pause of these names for an hour.
pub fn pause(names: &[&str]) -> Value {
    let until = time::OffsetDateTime::now_utc().unix_timestamp() + 3_600;
    json!({"issuer": "le", "caServer": CA, "names": names, "until": until, "why": "too many\nof them"})
}

async fn ask(client: &Client, request: &Value) -> Permit {
    client.post(path::PERMITS, request).await.json()
}

fn with(mut request: Value, member: &str, value: Value) -> Value {
    request[member] = value;
    request
}

#[tokio::test]
async fn a_permit_is_counted_on_disk_and_its_refusal_says_until_when_and_why() {
    let home = Home::new();
    let sidecar = home.start().await;
    let engine = home.engine().await;
    for _ in 0..2 {
        assert!(ask(&engine, &request(&id(&["a.example"]))).await.granted);
    }
    let ledgers = &home.stored()["le"]["EnvoyAutocert"]["ledgers"];
    assert!(ledgers["ca.example"]["certificates"]["a.example"].is_i64(), "{ledgers}");
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let refused = ask(&engine, &request(&id(&["www.a.example"]))).await;
    assert!(!refused.granted && refused.until > time::OffsetDateTime::now_utc().unix_timestamp());
    assert!(
        refused.why.starts_with("ca.example allows 1 new certificates of a registered domain in 1d"),
        "{refused:?}"
    );
    let replacement = with(request(&id(&["www.a.example"])), "replaces", json!(true));
    assert!(ask(&engine, &replacement).await.granted);
}

#[tokio::test]
async fn what_ends_a_try_gives_back_or_keeps_what_was_counted() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let (one, other) = (id(&["a.example"]), id(&["www.a.example"]));
    let attempt = json!({
        "certificate": one, "failures": 1, "retryAt": 1, "reason": "", "orderIsDead": true, "caServer": CA,
        "refused": ["a.example"],
    });
    assert!(ask(&engine, &request(&one)).await.granted);
    engine.put(path::ATTEMPTS, &attempt).await.no_content();
    assert!(ask(&engine, &request(&one)).await.why.contains("1 failed authorizations"));
    assert!(ask(&engine, &request(&other)).await.granted);
    engine.issue(&TestCa::new(), &other, &order(1)).await;
    assert!(ask(&engine, &request(&id(&["b.a.example"]))).await.why.contains("1 new certificates"));
    // Of the failed try only the attempt is left, of the other one whose certificate it is.
    let progress = &home.stored()["le"]["EnvoyAutocert"]["progress"];
    let [failed, issued] = progress.as_array().unwrap().as_slice() else { panic!("{progress}") };
    assert!(failed.get("begun").is_none() && failed.get("counted").is_none(), "{progress}");
    assert_eq!(issued.as_object().unwrap().keys().collect::<Vec<_>>(), ["names", "renewal"], "{progress}");
}

#[tokio::test]
async fn engines_that_come_and_go_are_slowed_down() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let mut client = Client::unix(&home.api_socket());
    let resumed = with(request(&id(&["a.example"])), "placesOrder", json!(false));
    let mut granted = Vec::new();
    for epoch in 1..5 {
        client.lease("engine", epoch).await;
        granted.push(ask(&client, &resumed).await.granted);
    }
    assert_eq!(granted, [true, true, false, false]);
    assert!(ask(&client, &resumed).await.why.contains("the last 2 tries began and never ended"));
}

#[tokio::test]
async fn a_pause_is_kept_over_a_restart() {
    let home = Home::new();
    let sidecar = home.start().await;
    home.engine().await.put(path::PAUSES, &pause(&["a.example"])).await.no_content();
    sidecar.stop().await.unwrap();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let refused = ask(&engine, &request(&id(&["www.a.example"]))).await;
    assert!(refused.why.starts_with("ca.example asked for no requests for www.a.example before "), "{refused:?}");
    assert!(!refused.why.contains('\n'));
    assert!(ask(&engine, &request(&id(&["b.example"]))).await.granted);
}

#[tokio::test]
async fn a_bad_question_is_told_where_it_is_bad() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let good = request(&id(&["a.example"]));
    let limits = |limit: Value| json!({"duplicates": limit});
    for (bad, expected) in [
        (with(good.clone(), "issuer", json!("")), "issuer: expected"),
        (with(good.clone(), "caServer", json!("ftp://ca.example")), "caServer: expected"),
        (with(good.clone(), "limits", limits(json!({"count": 0, "windowSeconds": 1}))), "limits.duplicates: expected"),
        (with(good.clone(), "limits", limits(json!({"count": 1, "windowSeconds": 0}))), "limits.duplicates: expected"),
        (with(good, "limits", limits(json!({"count": 1, "windowSeconds": u64::MAX}))), "limits.duplicates: expected"),
    ] {
        let problem = engine.post(path::PERMITS, &bad).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{bad}");
        assert!(problem.detail.starts_with(expected), "{bad}: {problem}");
    }
    let problem = engine.put(path::PAUSES, &pause(&["A.example"])).await.problem();
    assert!(problem.detail.starts_with("names[0]: expected"), "{problem}");
    let attempt =
        json!({"certificate": id(&["a.example"]), "failures": 1, "retryAt": 1, "reason": "", "refused": [""]});
    let problem = engine.put(path::ATTEMPTS, &attempt).await.problem();
    assert!(problem.detail.starts_with("refused[0]: expected"), "{problem}");
}
