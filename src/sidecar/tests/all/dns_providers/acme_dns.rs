//! `acme-dns` against a small server that speaks its API, <https://github.com/joohoi/acme-dns#api>.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};

use dns01::provider::{Provider, Record};
use hyper::Method;
use serde_json::{Value, json};

use crate::dns_providers::harness::{APEX, WILD, find, record, refusal};
use crate::dns_providers::http_server::{HttpServer, Reply, Seen};

const SUBDOMAIN: &str = "8e5700ea-a4bf-41c7-8a77-e990661dcc6a";
const TARGET: &str = "8e5700ea-a4bf-41c7-8a77-e990661dcc6a.auth.example.net.";

/// The server, with the latest two values of its only account.
struct AcmeDns {
    server: HttpServer,
    values: Arc<Mutex<Vec<String>>>,
    registrations: Arc<Mutex<Vec<Value>>>,
}

impl AcmeDns {
    async fn start() -> Self {
        let values = Arc::new(Mutex::new(Vec::new()));
        let registrations = Arc::new(Mutex::new(Vec::new()));
        let (kept, registered) = (Arc::clone(&values), Arc::clone(&registrations));
        let server = HttpServer::start(move |request| {
            assert_eq!(request.method, Method::POST);
            match request.target.as_str() {
                "/register" => {
                    registered.lock().unwrap().push(request.json());
                    Reply::json(201, &account())
                }
                "/update" => update(&mut kept.lock().unwrap(), request),
                _ => panic!("{request:?}"),
            }
        })
        .await;
        Self { server, values, registrations }
    }

    fn provider(&self, storage: &Path, more: &[(&str, &str)]) -> Provider {
        let url = self.server.url();
        let pairs = [("ACME_DNS_API_BASE", url.as_str()), ("ACME_DNS_STORAGE_PATH", storage.to_str().unwrap())];
        find("acme-dns", &[pairs.as_slice(), more].concat()).unwrap()
    }

    fn values(&self) -> Vec<String> {
        self.values.lock().unwrap().clone()
    }
}

fn account() -> Value {
    json!({
        "username": "c36f50e8-4632-44f0-83fe-e070fef28a10",
        "password": "htB9mR9DYgcu9bX_afHF62erXaH2TS7bg9KW3F7Z",
        "fulldomain": TARGET.trim_end_matches('.'),
        "subdomain": SUBDOMAIN,
        "allowfrom": [],
    })
}

fn update(values: &mut Vec<String>, request: &Seen) -> Reply {
    let account = account();
    if request.header("x-api-user") != account["username"] || request.header("x-api-key") != account["password"] {
        return Reply::json(401, &json!({ "error": "forbidden" }));
    }
    let body = request.json();
    let text = body["txt"].as_str().unwrap();
    if body["subdomain"] != account["subdomain"] || text.len() != 43 {
        return Reply::json(400, &json!({ "error": "bad_txt" }));
    }
    values.push(text.to_owned());
    let old = values.len().saturating_sub(2);
    values.drain(..old);
    Reply::json(200, &json!({ "txt": text }))
}

/// A record whose CNAME leads to the account.
fn led(value: &str) -> Record {
    Record { fqdn: TARGET.to_owned(), zone: "auth.example.net.".to_owned(), ..record(value) }
}

#[tokio::test]
async fn a_domain_gets_an_account_once_and_is_told_its_cname_until_it_is_there() {
    let home = tempfile::tempdir().unwrap();
    let storage = home.path().join("accounts.json");
    std::fs::write(&storage, json!({ "other.example": { "kept": "as it is" } }).to_string()).unwrap();
    let acme_dns = AcmeDns::start().await;
    let provider = acme_dns.provider(&storage, &[("ACME_DNS_ALLOWLIST", "192.0.2.0/24, 2001:db8::/32")]);
    for _ in 0..2 {
        let error = refusal(provider.present(&record(APEX)).await);
        let expected = format!("_acme-challenge.www.example.com. CNAME {TARGET}");
        assert!(error.is_permanent() && error.to_string().ends_with(&expected), "{error}");
    }
    let registrations = acme_dns.registrations.lock().unwrap().clone();
    assert_eq!(registrations, [json!({ "allowfrom": ["192.0.2.0/24", "2001:db8::/32"] })]);

    let kept: Value = serde_json::from_slice(&std::fs::read(&storage).unwrap()).unwrap();
    assert_eq!(kept["other.example"]["kept"], "as it is");
    assert_eq!(
        (&kept["www.example.com"]["subdomain"], &kept["www.example.com"]["server_url"]),
        (&json!(SUBDOMAIN), &json!(acme_dns.server.url()))
    );
    assert_eq!(std::fs::metadata(&storage).unwrap().permissions().mode() & 0o777, 0o600);

    provider.present(&led(APEX)).await.unwrap();
    provider.present(&led(WILD)).await.unwrap();
    provider.clean_up(&led(APEX)).await.unwrap();
    assert_eq!(acme_dns.values(), [APEX, WILD]);
}

#[tokio::test]
async fn where_cnames_are_left_alone_their_absence_says_nothing() {
    let home = tempfile::tempdir().unwrap();
    let acme_dns = AcmeDns::start().await;
    let provider = acme_dns.provider(&home.path().join("accounts.json"), &[("LEGO_DISABLE_CNAME_SUPPORT", "true")]);
    provider.present(&record(APEX)).await.unwrap();
    assert_eq!(acme_dns.values(), [APEX]);
}

#[tokio::test]
async fn two_orders_for_a_domain_at_once_get_one_account() {
    let home = tempfile::tempdir().unwrap();
    let acme_dns = AcmeDns::start().await;
    let provider = acme_dns.provider(&home.path().join("accounts.json"), &[]);
    let (apex, wild) = (record(APEX), record(WILD));
    let both = futures::join!(provider.present(&apex), provider.present(&wild));
    assert!(both.0.is_err() && both.1.is_err());
    assert_eq!(acme_dns.registrations.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_left_as_it_is() {
    let home = tempfile::tempdir().unwrap();
    let storage = home.path().join("accounts.json");
    let acme_dns = AcmeDns::start().await;
    for text in ["{\"www.example.com\": ", "[]", "{\"www.example.com\": {\"password\": \"secret\"}}"] {
        std::fs::write(&storage, text).unwrap();
        let error = refusal(acme_dns.provider(&storage, &[]).present(&record(APEX)).await).to_string();
        assert!(error.contains(storage.to_str().unwrap()) && !error.contains("secret"), "{error}");
        assert_eq!(std::fs::read_to_string(&storage).unwrap(), text);
    }
    assert!(acme_dns.registrations.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_account_that_the_server_does_not_know_is_told_without_its_password() {
    let home = tempfile::tempdir().unwrap();
    let storage = home.path().join("accounts.json");
    let mut wrong = account();
    wrong["password"] = json!("wrong-password");
    std::fs::write(&storage, json!({ "www.example.com": wrong }).to_string()).unwrap();
    let acme_dns = AcmeDns::start().await;
    let error = refusal(acme_dns.provider(&storage, &[]).present(&led(APEX)).await);
    assert!(error.is_permanent() && error.to_string().contains("/update answered 401"), "{error}");
    assert!(!error.to_string().contains("wrong-password"), "{error}");
}

#[tokio::test]
async fn accounts_may_be_kept_by_a_server_that_makes_the_cname() {
    let acme_dns = AcmeDns::start().await;
    let kept = Arc::new(Mutex::new(None));
    let store = Arc::clone(&kept);
    let storage = HttpServer::start(move |request| {
        assert_eq!(request.target, "/accounts/www.example.com");
        let mut kept = store.lock().unwrap();
        match (&request.method, kept.as_ref()) {
            (&Method::GET, None) => Reply::new(404, ""),
            (&Method::GET, Some(account)) => Reply::json(200, account),
            (&Method::POST, None) => {
                *kept = Some(request.json());
                Reply::new(201, "")
            }
            _ => panic!("{request:?}"),
        }
    })
    .await;
    let (api, base) = (acme_dns.server.url(), format!("{}/accounts", storage.url()));
    let pairs = [("ACME_DNS_API_BASE", api.as_str()), ("ACME_DNS_STORAGE_BASE_URL", base.as_str())];
    let provider = find("acme-dns", &pairs).unwrap();
    provider.present(&record(APEX)).await.unwrap();
    provider.present(&led(WILD)).await.unwrap();
    assert_eq!(acme_dns.values(), [APEX, WILD]);
    assert_eq!(kept.lock().unwrap().as_ref().unwrap()["subdomain"], SUBDOMAIN);
}
