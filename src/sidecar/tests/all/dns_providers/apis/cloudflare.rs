//! Cloudflare, <https://developers.cloudflare.com/api/resources/dns/subresources/records/>.

use hyper::Method;
use serde_json::{Value, json};

use super::Api;
use crate::dns_providers::harness::{FOREIGN, NAME};
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{quoted, unquoted};

const TOKEN: &str = "cf-token-0123456789abcdef";

pub(crate) struct Cloudflare {
    records: Vec<(u64, String)>,
    next: u64,
}

impl Api for Cloudflare {
    const CODE: &'static str = "cloudflare";
    const HOST: &'static str = "api.cloudflare.com";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("CF_DNS_API_TOKEN", TOKEN)];

    fn new() -> Self {
        Self { records: vec![(1, quoted(FOREIGN))], next: 2 }
    }

    fn knows(&self, request: &Seen) -> bool {
        request.header("authorization") == format!("Bearer {TOKEN}")
    }

    fn refusal() -> Reply {
        let errors = json!([{ "code": 9109, "message": "Invalid access token" }]);
        Reply::json(403, &json!({ "success": false, "errors": errors, "messages": [], "result": null }))
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        let records = "/client/v4/zones/zone1/dns_records";
        match (&request.method, request.path()) {
            (&Method::GET, "/client/v4/zones") => {
                assert_eq!(request.target, "/client/v4/zones?name=example.com");
                done(json!([{ "id": "zone1", "name": "example.com", "status": "active" }]))
            }
            (&Method::GET, path) if path == records => {
                assert!(request.target.contains(&format!("name={NAME}&type=TXT")), "{}", request.target);
                done(self.records.iter().map(|(id, content)| shown(*id, content)).collect())
            }
            (&Method::POST, path) if path == records => {
                let body = request.json();
                assert_eq!((&body["type"], &body["name"], &body["ttl"]), (&json!("TXT"), &json!(NAME), &json!(120)));
                let content = body["content"].as_str().unwrap().to_owned();
                if self.records.iter().any(|(_, known)| *known == content) {
                    let errors = json!([{ "code": 81058, "message": "An identical record already exists." }]);
                    return Reply::json(400, &json!({ "success": false, "errors": errors, "result": null }));
                }
                self.next += 1;
                self.records.push((self.next, content.clone()));
                done(shown(self.next, &content))
            }
            (&Method::DELETE, path) => {
                let id: u64 = path.strip_prefix(&format!("{records}/")).unwrap().parse().unwrap();
                self.records.retain(|(known, _)| *known != id);
                done(json!({ "id": id.to_string() }))
            }
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        self.records.iter().map(|(_, content)| unquoted(content)).collect()
    }
}

fn shown(id: u64, content: &str) -> Value {
    json!({ "id": id.to_string(), "type": "TXT", "name": NAME, "content": content, "ttl": 120, "proxied": false })
}

#[allow(clippy::needless_pass_by_value, reason = "called with a `json!`")]
fn done(result: Value) -> Reply {
    Reply::json(200, &json!({ "success": true, "errors": [], "messages": [], "result": result }))
}
