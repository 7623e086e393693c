//! `exec` and `httpreq`, against a program and a server of the test's own, and the errors of wrong variables.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::json;

use crate::dns_providers::harness::{APEX, find, record, refusal};
use crate::dns_providers::http_server::{HttpServer, Reply};

/// A program that writes down its arguments and runs a script.
struct Program {
    home: tempfile::TempDir,
}

impl Program {
    fn new(script: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\nprintf '%s|' \"$@\" >> \"$0.log\"\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
        Self { home }
    }

    fn path(&self) -> PathBuf {
        self.home.path().join("program")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.home.path().join("program.log")).unwrap()
    }
}

#[tokio::test]
async fn a_program_gets_legos_arguments() {
    let program = Program::new("exit 0");
    let path = program.path();
    let path = path.to_str().unwrap();
    let provider = find("exec", &[("EXEC_PATH", path)]).unwrap();
    provider.present(&record(APEX)).await.unwrap();
    provider.clean_up(&record(APEX)).await.unwrap();
    let raw = find("exec", &[("EXEC_PATH", path), ("EXEC_MODE", "RAW")]).unwrap();
    raw.present(&record("-starts-with-a-dash")).await.unwrap();
    let name = "_acme-challenge.www.example.com.";
    let expected =
        format!("present|{name}|{APEX}|cleanup|{name}|{APEX}|present|--|www.example.com|-token|-token.thumbprint|");
    assert_eq!(program.log(), expected);
}

/// Cargo sets these for the test.
#[tokio::test]
async fn a_program_sees_what_it_needs_and_what_is_listed_for_it() {
    let program = Program::new("env >> \"$0.log\"");
    let path = program.path();
    let path = path.to_str().unwrap();
    find("exec", &[("EXEC_PATH", path)]).unwrap().present(&record(APEX)).await.unwrap();
    let seen = program.log();
    assert!(seen.contains("PATH=") && !seen.contains("CARGO"), "{seen}");
    let listed = [("EXEC_PATH", path), ("EXEC_PASS_ENVIRONMENT", "CARGO_PKG_NAME, CARGO_MANIFEST_DIR,")];
    find("exec", &listed).unwrap().present(&record(APEX)).await.unwrap();
    let seen = program.log();
    assert!(seen.contains("CARGO_PKG_NAME=") && seen.contains("CARGO_MANIFEST_DIR="), "{seen}");
    assert!(!seen.contains("CARGO_PKG_VERSION"), "{seen}");
}

#[tokio::test]
async fn what_may_take_other_values_away_is_known() {
    let exec = [("EXEC_PATH", "x"), ("EXEC_MODE", "RAW")];
    let httpreq = [("HTTPREQ_ENDPOINT", "http://x"), ("HTTPREQ_MODE", "RAW")];
    assert!(find("exec", &exec[..1]).unwrap().may_replace() && find("httpreq", &httpreq[..1]).unwrap().may_replace());
    assert!(!find("exec", &exec).unwrap().may_replace() && !find("httpreq", &httpreq).unwrap().may_replace());
    assert!(find("duckdns", &[("DUCKDNS_TOKEN", "x")]).unwrap().may_replace());
    assert!(!find("cloudflare", &[("CF_DNS_API_TOKEN", "x")]).unwrap().may_replace());
    assert!(!find("rfc2136", &[("RFC2136_NAMESERVER", "127.0.0.1")]).unwrap().may_replace());
}

#[tokio::test]
async fn what_a_program_says_when_it_fails_is_in_the_error_on_one_line() {
    let program = Program::new("printf 'no such zone\\n\\033[31m'; head -c 100000 /dev/zero | tr '\\0' x >&2; exit 3");
    let provider = find("exec", &[("EXEC_PATH", program.path().to_str().unwrap())]).unwrap();
    let error = refusal(provider.present(&record(APEX)).await);
    let text = error.to_string();
    assert!(text.contains("present: it ended with exit status: 3; it said: xxx") && text.len() < 1000, "{text}");
    assert!(!error.is_permanent() && !text.contains('\n'), "{text}");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_named() {
    let provider = find("exec", &[("EXEC_PATH", "/no/such/program")]).unwrap();
    let text = refusal(provider.present(&record(APEX)).await).to_string();
    assert!(text.contains("/no/such/program present: it can't be run: No such file"), "{text}");
}

#[tokio::test]
async fn a_server_gets_what_lego_sends() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = HttpServer::start(move |request| {
        log.lock().unwrap().push(request.clone());
        Reply::new(200, "")
    })
    .await;
    let endpoint = format!("{}/bridge", server.url());
    let user = [("HTTPREQ_USERNAME", "lego"), ("HTTPREQ_PASSWORD", "word")];
    let provider = find("httpreq", &[&[("HTTPREQ_ENDPOINT", endpoint.as_str())], user.as_slice()].concat()).unwrap();
    provider.present(&record(APEX)).await.unwrap();
    provider.clean_up(&record(APEX)).await.unwrap();
    let raw = find("httpreq", &[("HTTPREQ_ENDPOINT", &endpoint), ("HTTPREQ_MODE", "RAW")]).unwrap();
    raw.present(&record(APEX)).await.unwrap();

    let seen = seen.lock().unwrap().clone();
    let asked: Vec<_> =
        seen.iter().map(|request| (request.method.as_str(), request.target.as_str(), request.json())).collect();
    let plain = json!({ "fqdn": "_acme-challenge.www.example.com.", "value": APEX });
    let token = json!({ "domain": "www.example.com", "token": "-token", "keyAuth": "-token.thumbprint" });
    let expected = [
        ("POST", "/bridge/present", plain.clone()),
        ("POST", "/bridge/cleanup", plain),
        ("POST", "/bridge/present", token),
    ];
    assert_eq!(asked, expected);
    // base64 of `lego:word`.
    assert_eq!(seen[0].header("authorization"), "Basic bGVnbzp3b3Jk");
    assert_eq!((seen[2].header("authorization"), seen[2].header("content-type")), ("", "application/json"));
}

#[tokio::test]
async fn what_a_server_refuses_is_told_without_the_password() {
    for (status, is_permanent) in
        [(400, true), (403, true), (404, true), (302, false), (408, false), (429, false), (500, false)]
    {
        let server = HttpServer::start(move |_| {
            let reply = Reply::new(status, "no,\nhunter22 is wrong\u{1b}[2J");
            reply.with("location", "http://192.0.2.1/")
        })
        .await;
        let url = server.url().replace("http://", "http://lego:hunter22@");
        let pairs =
            [("HTTPREQ_ENDPOINT", url.as_str()), ("HTTPREQ_USERNAME", "lego"), ("HTTPREQ_PASSWORD", "hunter22")];
        let error = refusal(find("httpreq", &pairs).unwrap().present(&record(APEX)).await);
        let text = error.to_string();
        let expected = format!("{}/present answered {status}", server.url());
        assert!(text.contains(&expected) && text.contains("no,\\n… is wrong\\u{1b}[2J"), "{text}");
        assert_eq!(error.is_permanent(), is_permanent, "{text}");
        assert!(!text.contains("hunter22"), "{text}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let server = HttpServer::start(|_| Reply::endless()).await;
    let provider = find("httpreq", &[("HTTPREQ_ENDPOINT", &server.url())]).unwrap();
    let text = refusal(provider.present(&record(APEX)).await).to_string();
    assert!(text.contains("the answer is longer than 65536 bytes"), "{text}");
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_its_timeout() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let provider = find("httpreq", &[("HTTPREQ_ENDPOINT", &url), ("HTTPREQ_HTTP_TIMEOUT", "1")]).unwrap();
    let text = refusal(provider.present(&record(APEX)).await).to_string();
    assert!(text.contains("timed out"), "{text}");
}

#[test]
fn what_is_wrong_with_variables_is_said_at_once() {
    for (code, pairs, expected) in [
        ("route53", vec![], "AWS_ACCESS_KEY_ID; AWS_SECRET_ACCESS_KEY are not set"),
        ("route53", vec![], "like LE_AWS_ACCESS_KEY_ID"),
        ("cloudflare", vec![], "CF_DNS_API_TOKEN or CLOUDFLARE_DNS_API_TOKEN is not set"),
        ("cloudflare", vec![("CF_API_KEY", "k")], "the variable CF_API_KEY: the account's global key is not supported"),
        ("cloudns", vec![("CLOUDNS_AUTH_PASSWORD", "p")], "CLOUDNS_AUTH_ID, or CLOUDNS_SUB_AUTH_ID is not set"),
        ("joker", vec![("JOKER_USERNAME", "u")], "JOKER_API_KEY, or JOKER_USERNAME with JOKER_PASSWORD is not set"),
        ("httpreq", vec![("HTTPREQ_ENDPOINT", "ftp://x")], "the variable HTTPREQ_ENDPOINT: expected a URL"),
        ("exec", vec![("EXEC_PATH", "x"), ("EXEC_POLLING_INTERVAL", "2s")], "expected a number from 0 to 86400"),
        ("exec", vec![("EXEC_PATH", "x"), ("EXEC_SEQUENCE_INTERVAL", "-1")], "the variable EXEC_SEQUENCE_INTERVAL"),
        ("exec", vec![("EXEC_PATH", "x"), ("EXEC_PASS_ENVIRONMENT", "A=b")], "the variable EXEC_PASS_ENVIRONMENT"),
        ("rfc2136", vec![("RFC2136_NAMESERVER", "a:b")], "the variable RFC2136_NAMESERVER"),
    ] {
        let error = refusal(find(code, &pairs));
        assert!(error.is_permanent() && error.to_string().contains(expected), "{error}");
        assert!(error.to_string().starts_with(&format!("DNS provider {code}: ")), "{error}");
    }
    // With a token, a key that is there as well is nobody's business.
    assert!(find("cloudflare", &[("CF_API_KEY", "k"), ("CF_DNS_API_TOKEN", "t")]).is_ok());
}

#[test]
fn timing_is_legos_unless_variables_say_otherwise() {
    let seconds = |provider: dns01::provider::Provider| {
        let timing = provider.timing();
        let sequence = timing.sequence_interval.map(|interval| interval.as_secs());
        (timing.propagation_timeout.as_secs(), timing.polling_interval.as_secs(), sequence)
    };
    let token = ("CLOUDFLARE_DNS_API_TOKEN", "t");
    assert_eq!(seconds(find("cloudflare", &[token]).unwrap()), (120, 2, None));
    let more = [token, ("CF_PROPAGATION_TIMEOUT", "300"), ("LE_CF_POLLING_INTERVAL", "5")];
    assert_eq!(seconds(find("cloudflare", &more).unwrap()), (300, 5, None));
    assert_eq!(seconds(find("exec", &[("EXEC_PATH", "x")]).unwrap()), (60, 3, Some(60)));
    assert_eq!(
        seconds(find("exec", &[("EXEC_PATH", "x"), ("EXEC_POLLING_INTERVAL", "0")]).unwrap()),
        (60, 1, Some(60))
    );
}
