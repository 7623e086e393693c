//! TLS-ALPN-01 challenges over the API: one at a time for each name, and the order of those that wait.

use std::time::{Duration, Instant};

use crate::harness::{Client, Home};
use protocol::{Readiness, TlsAlpn01, path, problem};
use serde_json::json;

const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz-_0123";
const OTHER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_0123";

fn challenge(token: &str, host: &str) -> TlsAlpn01 {
    let key_authorization = format!("{token}.{}", "t".repeat(43));
    TlsAlpn01 { token: token.into(), host: host.into(), key_authorization, expires: i64::MAX }
}

async fn put(client: &Client, challenge: &TlsAlpn01) -> bool {
    client.put(path::TLS_ALPN_01, challenge).await.json::<Readiness>().ready
}

fn one(token: &str) -> String {
    format!("{}/{token}", path::TLS_ALPN_01)
}

#[tokio::test]
async fn a_challenge_is_ready_at_once_and_withdrawn_whether_it_is_there_or_not() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    for host in ["a.example", "192.0.2.1", "2001:db8::1"] {
        assert!(put(&engine, &challenge(TOKEN, host)).await, "{host}");
        assert!(put(&engine, &challenge(TOKEN, host)).await, "the same again");
    }
    for _ in 0..2 {
        engine.send("DELETE", &one(TOKEN), "").await.no_content();
    }
    engine.send("DELETE", &one("%ff"), "").await.no_content();
}

#[tokio::test]
async fn a_second_challenge_for_a_name_waits_until_the_first_is_withdrawn() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    assert!(put(&engine, &challenge(TOKEN, "a.example")).await);
    let second = tokio::spawn({
        let engine = engine.clone();
        async move { put(&engine, &challenge(OTHER, "a.example")).await }
    });
    assert!(put(&engine, &challenge(&format!("{OTHER}0"), "b.example")).await, "another name does not wait");
    assert!(!second.is_finished());
    engine.send("DELETE", &one(TOKEN), "").await.no_content();
    assert!(second.await.unwrap());
}

#[tokio::test]
async fn a_challenge_that_is_dead_holds_up_no_other() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let seconds = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let dying = TlsAlpn01 { expires: i64::try_from(seconds).unwrap() + 2, ..challenge(TOKEN, "a.example") };
    assert!(put(&engine, &dying).await);
    let start = Instant::now();
    assert!(put(&engine, &challenge(OTHER, "a.example")).await);
    assert!(start.elapsed() < Duration::from_secs(protocol::MAX_CHALLENGE_WAIT_SECONDS), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_new_engine_waits_for_no_challenge_of_the_last_one_and_that_one_learns_that_it_is_out() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let old = home.engine().await;
    assert!(put(&old, &challenge(TOKEN, "a.example")).await);
    let waiting = tokio::spawn({
        let old = old.clone();
        async move { old.put(path::TLS_ALPN_01, &challenge(OTHER, "a.example")).await }
    });
    let mut new = Client::unix(&home.api_socket());
    new.lease("engine", 2).await;
    let mine = challenge(&format!("{TOKEN}0"), "a.example");
    assert!(put(&new, &mine).await);
    new.send("DELETE", &one(&mine.token), "").await.no_content();
    assert_eq!(waiting.await.unwrap().problem().kind, problem::FENCE_LOST);
    assert_eq!(old.send("DELETE", &one(TOKEN), "").await.problem().kind, problem::FENCE_LOST);
}

#[tokio::test]
async fn who_waits_is_told_when_the_sidecar_ends() {
    let home = Home::new();
    let sidecar = home.start().await;
    let engine = home.engine().await;
    assert!(put(&engine, &challenge(TOKEN, "a.example")).await);
    let waiting = tokio::spawn({
        let engine = engine.clone();
        async move { engine.put(path::TLS_ALPN_01, &challenge(OTHER, "a.example")).await }
    });
    // The sidecar runs in this very thread and takes one after the other: by the last of these it has come to that one.
    for _ in 0..3 {
        engine.state().await;
    }
    sidecar.stop().await.unwrap();
    assert_eq!(waiting.await.unwrap().problem().kind, problem::UNAVAILABLE);
}

#[tokio::test]
async fn what_is_no_challenge_is_refused_by_the_name_of_its_field() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let good = || challenge(TOKEN, "a.example");
    let with = |host: &str| TlsAlpn01 { host: host.into(), ..good() };
    for (expected, bad) in [
        ("token", TlsAlpn01 { token: "short".into(), ..good() }),
        ("host", with("*.a.example")),
        ("host", with("A.example")),
        ("host", with("a.example.")),
        ("host", with("[::1]")),
        ("host", with("../x")),
        ("keyAuthorization", TlsAlpn01 { key_authorization: format!("{OTHER}.x"), ..good() }),
        ("expires", TlsAlpn01 { expires: 1, ..good() }),
        ("expires", TlsAlpn01 { expires: i64::MIN, ..good() }),
    ] {
        let problem = engine.put(path::TLS_ALPN_01, &bad).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{bad:?}");
        assert!(problem.detail.starts_with(&format!("{expected}: ")), "{problem}");
    }
    let nobody = Client::unix(&home.api_socket());
    assert_eq!(nobody.put(path::TLS_ALPN_01, &good()).await.problem().kind, problem::FENCE_LOST);
    assert_eq!(engine.send("PUT", path::TLS_ALPN_01, json!([1]).to_string()).await.problem().status, 400);
}
