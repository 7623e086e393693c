//! Hetzner Cloud, <https://docs.hetzner.cloud/reference/cloud#tag/zone-rrset-actions>.
//!
//! It refuses to add what is there and to remove what is not.

use hyper::Method;
use serde_json::{Value, json};

use super::Api;
use crate::dns_providers::harness::FOREIGN;
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{quoted, unquoted};

const TOKEN: &str = "hetzner-token-0123456789abcdef";
const SETS: &str = "/v1/zones/example.com/rrsets";
const ACTIONS: &str = "/v1/zones/example.com/rrsets/_acme-challenge.www/TXT/actions/";

pub(crate) struct Hetzner {
    records: Vec<String>,
}

impl Api for Hetzner {
    const CODE: &'static str = "hetzner";
    const HOST: &'static str = "api.hetzner.cloud";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("HETZNER_API_TOKEN", TOKEN)];

    fn new() -> Self {
        Self { records: vec![quoted(FOREIGN)] }
    }

    fn knows(&self, request: &Seen) -> bool {
        request.header("authorization") == format!("Bearer {TOKEN}")
    }

    fn refusal() -> Reply {
        Reply::json(401, &json!({ "error": { "code": "unauthorized", "message": "unable to authenticate" } }))
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        if request.method == Method::GET {
            assert_eq!(request.target, format!("{SETS}?name=_acme-challenge.www&type=TXT&per_page=50"));
            let records: Vec<Value> =
                self.records.iter().map(|value| json!({ "value": value, "comment": "" })).collect();
            let set = json!({ "name": "_acme-challenge.www", "type": "TXT", "ttl": 120, "records": records });
            return Reply::json(200, &json!({ "rrsets": [set], "meta": { "pagination": { "next_page": null } } }));
        }
        assert_eq!(request.method, Method::POST);
        let body = request.json();
        let given: Vec<String> = body["records"].as_array().into_iter().flatten().map(text).collect();
        let refused = |code: &str| Reply::json(422, &json!({ "error": { "code": code, "message": code } }));
        match request.target.strip_prefix(ACTIONS).unwrap() {
            "add_records" if given.iter().any(|value| self.records.contains(value)) => refused("uniqueness_error"),
            "add_records" => {
                self.records.extend(given);
                accepted()
            }
            "remove_records" if given.iter().any(|value| !self.records.contains(value)) => refused("invalid_input"),
            "remove_records" => {
                self.records.retain(|value| !given.contains(value));
                accepted()
            }
            "change_ttl" => {
                assert_eq!(body["ttl"], 120);
                accepted()
            }
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        self.records.iter().map(|value| unquoted(value)).collect()
    }
}

fn text(record: &Value) -> String {
    record["value"].as_str().unwrap().to_owned()
}

fn accepted() -> Reply {
    Reply::json(201, &json!({ "action": { "id": 1, "status": "success", "progress": 100 } }))
}
