//! The sidecar's status: a fault of one certificate is shown, and takes nobody out of service.

use crate::harness::{Home, TestCa, id, order};
use protocol::{Csr, Permit, path};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

fn text(answer: &crate::harness::Answer) -> String {
    String::from_utf8(answer.body.to_vec()).unwrap()
}

#[tokio::test]
async fn a_failing_certificate_is_told_with_its_reason_and_the_next_try() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let attempt = json!({
        "certificate": id(&["bad.example"]), "failures": 3, "retryAt": 1_900_000_000, "reason": "the CA said no",
    });
    engine.put(path::ATTEMPTS, &attempt).await.no_content();
    let status = engine.status().await;
    assert_eq!(status["ready"], true);
    assert_eq!(status["certificates"]["counts"]["failing"], 1);
    let failing = &status["certificates"]["failing"][0];
    let expected = json!({
        "resolver": "le", "names": ["bad.example"], "failures": 3, "reason": "the CA said no",
        "retryAt": 1_900_000_000,
    });
    assert_eq!(*failing, expected);
    let ready = engine.get("/readyz").await;
    assert_eq!(ready.status, 200);
    let told = "ready\nthe certificate for bad.example (le) has failed 3 times: the CA said no; it is tried again at \
                2030-03-17T17:46:40Z\n";
    assert_eq!(text(&ready), told);
    assert!(text(&engine.get("/metrics").await).contains("envoy_autocert_certificates_failing 1"));
}

#[tokio::test]
async fn a_certificate_that_waits_for_a_rate_limit_is_told_with_its_end() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let ask = |name: &str| {
        json!({
            "certificate": id(&[name]), "issuer": "le", "caServer": crate::harness::CA, "placesOrder": true, "renews": false,
            "replaces": false, "limits": { "orders": { "count": 1, "windowSeconds": 3600 } },
        })
    };
    let granted: Permit = engine.post(path::PERMITS, &ask("first.example")).await.json();
    let refused: Permit = engine.post(path::PERMITS, &ask("waits.example")).await.json();
    assert!(granted.granted && !refused.granted);
    let status = engine.status().await;
    assert_eq!(status["certificates"]["counts"]["waiting"], 1);
    let waiting = &status["certificates"]["waiting"][0];
    assert_eq!((&waiting["names"], &waiting["issuer"]), (&json!(["waits.example"]), &json!("le")));
    assert_eq!((&waiting["until"], &waiting["reason"]), (&json!(refused.until), &json!(refused.why)));
    assert!(text(&engine.get("/readyz").await).contains("the certificate for waits.example (le) waits until"));
    assert!(text(&engine.get("/metrics").await).contains("envoy_autocert_certificates_waiting 1"));
}

#[tokio::test]
async fn a_ca_that_asked_to_be_left_alone_is_told_with_its_word() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let until = OffsetDateTime::now_utc().unix_timestamp() + 3600;
    let pause = json!({ "issuer": "le", "caServer": crate::harness::CA, "names": [], "until": until, "why": "too many orders" });
    engine.put(path::PAUSES, &pause).await.no_content();
    let status = engine.status().await;
    let [paused] = &status["pauses"].as_array().unwrap()[..] else { panic!("not one") };
    assert_eq!((&paused["resolver"], &paused["names"]), (&json!("le"), &json!([])));
    assert_eq!((&paused["until"], &paused["reason"]), (&json!(until), &json!("too many orders")));
    let ready = engine.get("/readyz").await;
    assert!(ready.status == 200 && text(&ready).contains("the resolver le asks"), "{}", text(&ready));
}

#[tokio::test]
async fn a_certificate_that_expires_within_a_day_is_told() {
    let (home, ca) = (Home::new(), TestCa::new());
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let (soon, late) = (id(&["soon.example"]), id(&["late.example"]));
    engine.issue(&ca, &late, &order(1)).await;
    engine.order(&soon, &order(2)).await.no_content();
    let csr: Csr = engine.csr(&soon, &order(2), "EC256").await.json();
    let chain = ca.issue_with(&csr, &soon, |params| params.not_after = OffsetDateTime::now_utc() + Duration::hours(23));
    assert_eq!(engine.publish(&soon, &order(2), &chain).await.status, 200);
    let status = engine.status().await;
    let counts = &status["certificates"]["counts"];
    assert_eq!((&counts["valid"], &counts["expiring"], &counts["expired"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(status["certificates"]["expiring"][0]["names"], json!(["soon.example"]));
    assert!(text(&engine.get("/metrics").await).contains("envoy_autocert_certificates{state=\"expiring\"} 1"));
}

#[tokio::test]
async fn the_engine_and_the_storages_are_told_without_a_secret() {
    let home = Home::new();
    let own = home.path("le.json");
    let _sidecar = home.start_with(&["--storage", &format!("le={}", own.display())]).await.unwrap();
    let mut engine = home.engine().await;
    let lease = engine.lease("engine", 2).await;
    engine.issue(&TestCa::new(), &id(&["a.example"]), &order(1)).await;
    let answer = engine.get("/status").await;
    let status: Value = answer.json();
    assert_eq!(status["engine"]["presence"], "present");
    assert_eq!((&status["engine"]["holder"], &status["engine"]["fence"]), (&json!("engine"), &json!(lease.fence)));
    assert_eq!(status["engine"]["wakes"], 0);
    let storages = status["storages"].as_array().unwrap();
    assert!(storages.iter().any(|one| one["resolvers"] == json!(["le"]) && one["writable"] == true), "{status}");
    assert!(!text(&answer).contains("KEY"), "{status}");
}

/// Anybody who reaches the address may know it, so it is not on the API's socket alone.
#[tokio::test]
async fn the_status_is_told_on_the_status_address() {
    let home = Home::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let _sidecar = home.start_with(&["--status-address", &port.to_string()]).await.unwrap();
    let client = crate::harness::Client::tcp(port);
    assert_eq!(client.status().await["engine"]["presence"], "awaited");
    assert_eq!(client.get("/readyz").await.status, 200, "an engine may still come");
    assert_eq!(client.get(path::STATE).await.status, 404);
}

/// A page in a browser whose name was led here, and what a proxy leads here by mistake.
#[tokio::test]
async fn whoever_calls_it_by_another_name_is_told_so_at_every_door() {
    let home = Home::new();
    let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (status, api) = (free(), free());
    std::fs::write(home.path("token"), "0123456789abcdef\n").unwrap();
    std::fs::set_permissions(home.path("token"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let token = home.path("token").display().to_string();
    let (at_status, at_api) = (status.to_string(), api.to_string());
    let more = [
        "--status-address",
        &at_status,
        "--api-address",
        &at_api,
        "--api-token-file",
        &token,
        "--allowed-host",
        "sidecar.svc",
    ];
    let _sidecar = home.start_with(&more).await.unwrap();
    let bears = |mut client: crate::harness::Client| {
        client.token = Some("0123456789abcdef".into());
        client
    };
    let doors = [
        crate::harness::Client::tcp(status),
        bears(crate::harness::Client::tcp(api)),
        bears(crate::harness::Client::unix(&home.api_socket())),
    ];
    for door in doors {
        for place in ["/status", "/metrics", "/readyz", "/healthz", path::STATE, "/nothing"] {
            let answer = door.called(&["evil.example:9970"], place).await;
            let detail = answer.problem().detail;
            assert_eq!(answer.status, 421, "{place}: {detail}");
            assert!(detail.contains("evil.example") && detail.contains("--allowed-host evil.example"), "{detail}");
            assert_eq!(door.called(&["localhost", "localhost"], place).await.status, 400);
            assert_eq!(door.called(&["localhost"], &format!("http://evil.example{place}")).await.status, 421);
        }
        for host in ["127.0.0.1:9970", "10.2.3.4:9970", "[::1]:9970", "LOCALHOST.:80", "sidecar.svc", "sidecar"] {
            assert_eq!(door.called(&[host], "/healthz").await.status, 200, "{host}");
        }
    }
}
