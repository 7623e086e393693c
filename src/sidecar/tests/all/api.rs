//! The API over its unix socket: every path, well and badly used.

mod permits;
mod renewals;

use std::time::{Duration, Instant};

use crate::harness::{CA, Client, Home, TestCa, id, order, public_key_bytes};
use protocol::{Account, Csr, Dns01, DnsChecks, DnsPersist01, Http01, Readiness, Wants, path, problem};
use serde_json::json;

const TOKEN: &str = "abcdefghijklmnopqrstuvwxyz-_0123";

fn account() -> serde_json::Value {
    json!({"resolver": "le", "caServer": CA, "email": "me@example.com"})
}

fn challenge() -> Http01 {
    let key_authorization = format!("{TOKEN}.{}", "t".repeat(43));
    Http01 { token: TOKEN.into(), host: "a.example".into(), key_authorization, expires: i64::MAX }
}

/// A challenge of an unknown provider.
fn dns_challenge() -> Dns01 {
    Dns01 {
        token: TOKEN.into(),
        resolver: "le".into(),
        domain: "a.example".into(),
        key_authorization: challenge().key_authorization,
        provider: "no-such-provider".into(),
        checks: DnsChecks::default(),
    }
}

/// A challenge whose record is not looked up.
fn persistent_challenge() -> DnsPersist01 {
    DnsPersist01 {
        resolver: "le".into(),
        domain: "a.example".into(),
        wildcard: true,
        issuer_domain_names: vec!["ca.example".into()],
        account_uri: "https://ca.example/account/1".into(),
        checks: DnsChecks { disable_checks: true, ..DnsChecks::default() },
    }
}

#[tokio::test]
async fn an_account_key_is_made_once_and_kept_with_its_registration() {
    let home = Home::new();
    let sidecar = home.start().await;
    let engine = home.engine().await;
    let made: Account = engine.post(path::ACCOUNTS, &account()).await.json();
    assert!(made.fresh && made.url.is_none());
    let registration = json!({"resolver": "le", "caServer": CA, "url": "https://ca.example/account/1",
        "status": "valid", "contact": ["mailto:me@example.com"]});
    engine.put(path::ACCOUNTS, &registration).await.no_content();
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let found: Account = home.engine().await.post(path::ACCOUNTS, &account()).await.json();
    assert!(!found.fresh && found.key == made.key);
    assert_eq!(found.url.as_deref(), Some("https://ca.example/account/1"));
    assert_eq!(found.contact, ["mailto:me@example.com"]);
}

#[tokio::test]
async fn an_account_at_another_ca_is_set_aside_and_found_again() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let first: Account = engine.post(path::ACCOUNTS, &account()).await.json();
    let other = json!({"resolver": "le", "caServer": "https://other.example/directory", "email": "me@example.com"});
    let second: Account = engine.post(path::ACCOUNTS, &other).await.json();
    assert!(second.fresh && second.key != first.key);
    assert_eq!(home.stored()["le"]["EnvoyAutocert"]["previousAccounts"][0]["caServer"], CA);
    let again: Account = engine.post(path::ACCOUNTS, &account()).await.json();
    assert!(!again.fresh && again.key == first.key);
    assert_eq!(home.stored()["le"]["EnvoyAutocert"]["caServer"], CA);
}

#[tokio::test]
async fn an_account_that_is_not_there_can_not_be_registered() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let registration =
        json!({"resolver": "le", "caServer": CA, "url": "https://ca.example/a/1", "status": "valid", "contact": []});
    let answer = home.engine().await.put(path::ACCOUNTS, &registration).await;
    assert_eq!((answer.status, answer.problem().kind.as_str()), (404, problem::NOT_FOUND));
}

#[tokio::test]
async fn an_order_is_kept_until_its_certificate_is_published() {
    let home = Home::new();
    let sidecar = home.start().await;
    let (ca, id) = (TestCa::new(), id(&["a.example", "b.example"]));
    home.engine().await.order(&id, &order(1)).await.no_content();
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let orders = engine.state().await.orders;
    assert_eq!((orders.len(), orders[0].url.as_str(), &orders[0].certificate), (1, order(1).as_str(), &id));
    let published = engine.issue(&ca, &id, &order(1)).await;
    assert!(published.durable);
    let state = engine.state().await;
    assert!(state.orders.is_empty());
    assert_eq!(state.certificates, [published.certificate]);
    assert_eq!(state.certificates[0].issuer, "Test CA");
}

#[tokio::test]
async fn a_failed_try_is_kept_and_a_dead_order_dropped() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let id = id(&["a.example"]);
    engine.order(&id, &order(1)).await.no_content();
    let key: Csr = engine.csr(&id, &order(1), "EC256").await.json();
    let mut attempt = json!({"certificate": id, "failures": 2, "retryAt": 77, "reason": "no answer", "madeWith": 7});
    engine.put(path::ATTEMPTS, &attempt).await.no_content();
    let state = engine.state().await;
    let kept = &state.attempts[0];
    assert_eq!((state.orders.len(), kept.failures, kept.retry_at, kept.fingerprint), (1, 2, 77, Some(7)));

    attempt["orderIsDead"] = true.into();
    engine.put(path::ATTEMPTS, &attempt).await.no_content();
    let state = engine.state().await;
    assert_eq!((state.orders.len(), state.attempts.len()), (0, 1));
    let other: Csr = engine.csr(&id, &order(2), "EC256").await.json();
    assert_ne!(public_key_bytes(&key), public_key_bytes(&other));

    engine.issue(&TestCa::new(), &id, &order(2)).await;
    assert!(engine.state().await.attempts.is_empty());
}

#[tokio::test]
async fn an_order_has_one_key_also_over_a_restart_and_another_order_another() {
    let home = Home::new();
    let sidecar = home.start().await;
    let id = id(&["a.example"]);
    let engine = home.engine().await;
    let first: Csr = engine.csr(&id, &order(1), "EC384").await.json();
    sidecar.stop().await.unwrap();

    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let again: Csr = engine.csr(&id, &order(1), "EC384").await.json();
    assert_eq!(public_key_bytes(&first), public_key_bytes(&again));
    let other: Csr = engine.csr(&id, &order(2), "EC384").await.json();
    assert_ne!(public_key_bytes(&first), public_key_bytes(&other));
}

#[tokio::test]
async fn requests_for_the_same_order_at_once_get_the_same_key() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    for key_type in ["EC256", "RSA2048"] {
        let (id, order) = (id(&["a.example"]), order(if key_type == "EC256" { 1 } else { 2 }));
        let asked = (0..8).map(|_| engine.csr(&id, &order, key_type));
        let answers = futures::future::join_all(asked).await;
        let mut keys: Vec<_> = answers.iter().map(|answer| public_key_bytes(&answer.json())).collect();
        keys.dedup();
        assert_eq!(keys.len(), 1, "{key_type}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_rsa_key_does_not_hold_up_other_requests() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let asking = tokio::spawn({
        let engine = engine.clone();
        async move { engine.csr(&id(&["slow.example"]), &order(1), "RSA8192").await.json::<Csr>() }
    });
    let mut slowest = Duration::ZERO;
    let mut answered = 0;
    while !asking.is_finished() {
        let start = Instant::now();
        engine.issue(&TestCa::new(), &id(&["quick.example"]), &order(2)).await;
        slowest = slowest.max(start.elapsed());
        answered += 1;
    }
    asking.await.unwrap();
    assert!(answered > 0 && slowest < Duration::from_secs(2), "the slowest of {answered} took {slowest:?}");
}

#[tokio::test]
async fn a_challenge_is_found_by_its_token_until_it_is_retracted() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let one = format!("{}/{TOKEN}", path::HTTP_01);
    engine.put(path::HTTP_01, &challenge()).await.no_content();
    let stranger = Client::unix(&home.api_socket());
    let found: Http01 = stranger.get(&one).await.json();
    assert_eq!((found.host, found.key_authorization), (challenge().host, challenge().key_authorization));
    engine.send("DELETE", &one, "").await.no_content();
    assert_eq!(stranger.get(&one).await.problem().kind, problem::NOT_FOUND);
    engine.send("DELETE", &one, "").await.no_content();
}

#[tokio::test]
async fn a_challenge_that_is_not_one_is_refused() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let mut short = challenge();
    short.token = "short".into();
    let mut other_key = challenge();
    other_key.key_authorization = "other".into();
    let mut host = challenge();
    host.host = "A.Example:80".into();
    for (bad, field) in [(short, "token"), (other_key, "keyAuthorization"), (host, "host")] {
        let problem = engine.put(path::HTTP_01, &bad).await.problem();
        assert_eq!(problem.status, 400);
        assert!(problem.detail.starts_with(&format!("{field}: expected")), "{problem}");
    }
}

#[tokio::test]
async fn what_another_envoy_wants_is_told_to_who_waits_for_it() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let client = Client::unix(&home.api_socket());
    let before: Wants = client.get(path::WANTS).await.json();
    let waiting = tokio::spawn({
        let (client, after) = (client.clone(), before.revision);
        async move { client.get(&format!("{}?after={after}&wait=50", path::WANTS)).await.json::<Wants>() }
    });
    let offer = json!({"holder": "other", "wants": [{"certificate": id(&["a.example"])}], "ttlMillis": 60_000});
    client.put(path::WANTS, &offer).await.no_content();
    let wants = waiting.await.unwrap();
    assert_ne!(wants.revision, before.revision);
    assert_eq!(wants.wants[0].certificate, id(&["a.example"]));
}

#[tokio::test]
async fn the_end_of_the_sidecar_answers_who_waits() {
    let home = Home::new();
    let sidecar = home.start().await;
    let client = Client::unix(&home.api_socket());
    let known: Wants = client.get(path::WANTS).await.json();
    let path = format!("{}?after={}&wait=50", path::WANTS, known.revision);
    let mut waiting = Box::pin(client.get(&path));
    // Until the request is on its way and held.
    while tokio::time::timeout(Duration::from_millis(200), &mut waiting).await.is_ok() {}
    let start = Instant::now();
    let (stopped, answer) = tokio::join!(sidecar.stop(), waiting);
    assert_eq!(answer.json::<Wants>(), known);
    assert!(stopped.is_ok() && start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn what_changes_something_needs_the_fence_of_the_current_lease() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let mut old = Client::unix(&home.api_socket());
    let none = old.clone();
    old.lease("envoy", 1).await;
    let mut new = Client::unix(&home.api_socket());
    assert!(!new.lease("other", 1).await.granted);
    assert!(new.lease("envoy", 2).await.granted);

    let id = id(&["a.example"]);
    for client in [&none, &old] {
        let attempt = json!({"certificate": id, "failures": 1, "retryAt": 1, "reason": ""});
        let refused = [
            client.post(path::ACCOUNTS, &account()).await,
            client.post(path::EAB, &crate::harness::eab_of(&json!({}), &json!({}))).await,
            client.order(&id, &order(1)).await,
            client.put(path::ATTEMPTS, &attempt).await,
            client.post(path::PERMITS, &permits::request(&id)).await,
            client.put(path::PAUSES, &permits::pause(&[])).await,
            client.put(path::RENEWALS, &renewals::renewals(&id, "01")).await,
            client.put(path::UNWANTED, &renewals::unwanted(&id, Some(1))).await,
            client.csr(&id, &order(1), "EC256").await,
            client.publish(&id, &order(1), "").await,
            client.put(path::HTTP_01, &challenge()).await,
            client.send("DELETE", &format!("{}/{TOKEN}", path::HTTP_01), "").await,
            client.put(path::DNS_01, &dns_challenge()).await,
            client.send("DELETE", &format!("{}/{TOKEN}", path::DNS_01), "").await,
            client.put(path::DNS_PERSIST_01, &persistent_challenge()).await,
        ];
        for answer in refused {
            assert_eq!((answer.status, answer.problem().kind.as_str()), (409, problem::FENCE_LOST));
        }
    }
    let state = new.state().await;
    assert!(state.orders.is_empty() && state.attempts.is_empty());
    new.order(&id, &order(1)).await.no_content();
}

#[tokio::test]
async fn a_fence_grows_over_a_restart_and_the_old_one_is_void() {
    let home = Home::new();
    let sidecar = home.start().await;
    let engine = home.engine().await;
    engine.order(&id(&["a.example"]), &order(1)).await.no_content();
    sidecar.stop().await.unwrap();
    let _sidecar = home.start().await;
    assert_eq!(engine.order(&id(&["a.example"]), &order(2)).await.problem().kind, problem::FENCE_LOST);
    assert!(home.engine().await.fence > engine.fence);
}

#[tokio::test]
async fn a_bad_request_is_told_where_it_is_bad_and_not_what_stands_there() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let csr = |certificate: serde_json::Value, key_type: &str, order: &str| {
        json!({"certificate": certificate, "keyType": key_type, "order": order}).to_string()
    };
    let good = json!({"resolver": "le", "names": ["a.example"]});
    let order = &order(1);
    let cases = [
        ("{".to_owned(), "is not JSON"),
        (csr(json!({"resolver": "le", "names": ["a.example", 7]}), "EC256", order), "certificate.names[1]"),
        (csr(json!({"resolver": "le"}), "EC256", order), "certificate"),
        (csr(json!({"resolver": "", "names": ["a.example"]}), "EC256", order), "certificate.resolver"),
        (csr(json!({"resolver": "le", "names": []}), "EC256", order), "certificate.names"),
        (csr(json!({"resolver": "le", "names": ["../../etc"]}), "EC256", order), "certificate.names[0]"),
        (csr(json!({"resolver": "le", "names": ["A.example"]}), "EC256", order), "certificate.names[0]"),
        (csr(good.clone(), "RSA1024", order), "keyType: found \"RSA1024\", expected one of EC256"),
        (csr(good.clone(), "EC256", "file:///etc/passwd"), "order: expected an absolute https URL"),
        (format!("{} TRAILING-SECRET", csr(good, "EC256", order)), "after the end"),
    ];
    for (body, expected) in cases {
        let problem = engine.send("POST", path::CSR, body.clone()).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{body}");
        assert!(problem.detail.contains(expected), "{body}: {problem}");
        assert!(!problem.detail.contains("SECRET"));
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let problem = home.engine().await.send("POST", path::LEASE, vec![b' '; 1024 * 1024]).await.problem();
    assert_eq!((problem.status, problem.kind.as_str()), (413, problem::BAD_REQUEST));
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let client = Client::unix(&home.api_socket());
    for (method, path, status) in [
        ("GET", "/", 404),
        ("GET", "/v2/state", 404),
        ("GET", "/v1/challenges/http-01/%ff", 404),
        ("DELETE", "/v1/state", 405),
        ("PATCH", "/v1/wants", 405),
    ] {
        let answer = client.send(method, path, "").await;
        assert_eq!((answer.problem().kind.as_str(), answer.status), (problem::NOT_FOUND, status), "{method} {path}");
        assert_eq!(answer.headers.contains_key("allow"), status == 405);
    }
    let query = client.get("/v1/wants?after=x").await;
    assert_eq!(query.problem().status, 400);
}

#[tokio::test]
async fn over_tcp_the_token_is_needed() {
    let home = Home::new();
    let token = home.path("token");
    std::fs::write(&token, "0123456789abcdef-token\n").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let (text, file) = (address.to_string(), token.display().to_string());
    let _sidecar = home.start_with(&["--api-address", &text, "--api-token-file", &file]).await.ok().unwrap();
    let mut client = Client::tcp(address);
    for wrong in [None, Some(""), Some("0123456789abcdef-tokeN"), Some("0123456789abcdef-token0")] {
        client.token = wrong.map(str::to_owned);
        let answer = client.get(path::STATE).await;
        assert_eq!((answer.status, answer.problem().kind.as_str()), (401, problem::FORBIDDEN));
    }
    client.token = Some("0123456789abcdef-token".into());
    assert_eq!(client.get(path::STATE).await.status, 200);
}

/// S3: another filter in the same Envoy reaches the socket as the plugin does.
#[tokio::test]
async fn on_the_socket_the_token_is_needed_for_all_but_health() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let mut client = Client::unix(&home.api_socket());
    let token = client.token.take().unwrap();
    assert_eq!(token.len(), 64);
    let sds = crate::harness::token(&home.path("acme.json.sds-token")).unwrap();
    for wrong in [None, Some(""), Some("${ENVOY_AUTOCERT_API_TOKEN}"), Some(&token[1..]), Some(sds.as_str())] {
        client.token = wrong.map(str::to_owned);
        for (method, path) in
            [("GET", path::STATE), ("POST", path::LEASE), ("POST", path::ACCOUNTS), ("PUT", path::WANTS)]
        {
            let problem = client.send(method, path, "{}").await.problem();
            assert_eq!((problem.status, problem.kind.as_str()), (401, problem::FORBIDDEN), "{method} {path} {wrong:?}");
            assert!(problem.detail.contains("sidecar.token"), "{problem}");
        }
        for health in ["/healthz", "/metrics", "/readyz", "/status"] {
            assert_eq!(client.get(health).await.status, 200, "{health}");
        }
    }
    client.token = Some(token);
    assert_eq!(client.get(path::STATE).await.status, 200);
}

/// F6: whatever is sent, the answer is one of the API's own.
#[tokio::test]
async fn hostile_bodies_are_refused_as_problems() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let bodies = [
        String::new(),
        "null".into(),
        "[]".into(),
        "{}".into(),
        "\u{0}".into(),
        "[".repeat(10_000),
        "{\"certificate\":".repeat(500),
        "1e999999".into(),
        json!({"certificate": {"resolver": "le", "names": vec!["a.example"; 1001]}}).to_string(),
        json!({"resolver": {}, "certificate": [], "holder": 1e300, "token": null, "wants": {}}).to_string(),
    ];
    let posts = [path::ACCOUNTS, path::CERTIFICATES, path::CSR, path::EAB, path::LEASE, path::PERMITS];
    let posts = posts.map(|path| ("POST", path));
    let challenges = [path::DNS_01, path::DNS_PERSIST_01, path::HTTP_01, path::TLS_ALPN_01];
    let kept = [path::PAUSES, path::RENEWALS, path::UNWANTED];
    let puts = [path::ACCOUNTS, path::ATTEMPTS, path::ORDERS, path::WANTS].into_iter().chain(challenges).chain(kept);
    let puts = puts.map(|path| ("PUT", path));
    for (method, path) in posts.into_iter().chain(puts) {
        for body in &bodies {
            let problem = engine.send(method, path, body.clone()).await.problem();
            assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{method} {path}");
        }
    }
    assert!(engine.state().await.orders.is_empty());
}

#[tokio::test]
async fn a_dns_challenge_that_can_not_be_answered_is_a_problem_that_says_why() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    for _ in 0..2 {
        let problem = engine.put(path::DNS_01, &dns_challenge()).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (422, problem::CHALLENGE));
        assert!(problem.detail.contains("no-such-provider"), "{problem}");
    }
    for _ in 0..2 {
        engine.send("DELETE", &format!("{}/{TOKEN}", path::DNS_01), "").await.no_content();
    }
    assert!(!home.path("acme.json.dns-records").exists());
}

#[tokio::test]
async fn a_persistent_record_that_is_not_looked_for_is_taken_to_be_there() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let ready: Readiness = home.engine().await.put(path::DNS_PERSIST_01, &persistent_challenge()).await.json();
    assert!(ready.ready);
}

#[tokio::test]
async fn a_bad_dns_challenge_is_told_where_it_is_bad() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    let (dns, persist) = (json!(dns_challenge()), json!(persistent_challenge()));
    let cases = [
        (path::DNS_01, &dns, "token", json!("../../etc/passwd"), "token: expected"),
        (path::DNS_01, &dns, "keyAuthorization", json!("x.y"), "keyAuthorization: expected"),
        (path::DNS_01, &dns, "domain", json!("*.a.example"), "domain: expected"),
        (path::DNS_01, &dns, "domain", json!("A.example"), "domain: expected"),
        (path::DNS_01, &dns, "domain", json!("192.0.2.1"), "domain: expected"),
        (path::DNS_01, &dns, "provider", json!(""), "provider: expected"),
        (path::DNS_01, &dns, "checks", json!({"resolvers": vec!["a:53"; 17]}), "checks.resolvers: expected at most 16"),
        (path::DNS_01, &dns, "checks", json!({"resolvers": ["a:53", ""]}), "checks.resolvers[1]: expected"),
        (path::DNS_01, &dns, "checks", json!({"resolvers": ["127.0.0.1:6379"]}), "--dns-resolver 127.0.0.1:6379"),
        (path::DNS_PERSIST_01, &persist, "checks", json!({"resolvers": ["a:53", "a:80"]}), "--dns-resolver a:80"),
        (path::DNS_PERSIST_01, &persist, "domain", json!("a..example"), "domain: expected"),
        (path::DNS_PERSIST_01, &persist, "issuerDomainNames", json!([]), "issuerDomainNames: expected 1 to 10"),
        (path::DNS_PERSIST_01, &persist, "issuerDomainNames", json!(["a\"b"]), "issuerDomainNames: expected 1 to 10"),
        (path::DNS_PERSIST_01, &persist, "accountUri", json!("http:/x"), "accountUri: expected"),
        (path::DNS_PERSIST_01, &persist, "accountUri", json!("https://ca.example/a;b"), "accountUri: expected"),
    ];
    for (path, good, member, bad, expected) in cases {
        let mut body = good.clone();
        body[member] = bad;
        let problem = engine.put(path, &body).await.problem();
        assert_eq!((problem.status, problem.kind.as_str()), (400, problem::BAD_REQUEST), "{body}");
        assert!(problem.detail.contains(expected), "{body}: {problem}");
    }
}

#[tokio::test]
async fn a_main_name_has_one_series_of_metrics_however_many_certificates_have_it() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let (engine, ca) = (home.engine().await, TestCa::new());
    engine.issue(&ca, &id(&["a.example"]), &order(1)).await;
    engine.issue(&ca, &id(&["a.example", "b.example"]), &order(2)).await;
    let text = String::from_utf8(engine.get("/metrics").await.body.to_vec()).unwrap();
    assert_eq!(text.matches("envoy_autocert_certificate_not_after_seconds{").count(), 1, "{text}");
    assert!(text.contains("envoy_autocert_certificates{state=\"valid\"} 2"));
}

#[tokio::test]
async fn health_and_metrics_are_told() {
    let home = Home::new();
    let _sidecar = home.start().await;
    let engine = home.engine().await;
    engine.issue(&TestCa::new(), &id(&["a.example"]), &order(1)).await;
    assert_eq!(engine.get("/healthz").await.status, 200);
    assert_eq!(engine.get("/readyz").await.status, 200);
    let metrics = engine.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        "envoy_autocert_certificates{state=\"valid\"} 1",
        "envoy_autocert_certificate_not_after_seconds{resolver=\"le\",main=\"a.example\"} ",
        "envoy_autocert_api_requests_total{method=\"POST\",path=\"/v1/certificates\",status=\"200\"} 1",
        "envoy_autocert_engine_present 1",
        "envoy_autocert_dns_records 0",
        "acme.json\"} 1",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}
