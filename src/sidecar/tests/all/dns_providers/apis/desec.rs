//! deSEC, <https://desec.readthedocs.io/en/latest/dns/rrsets.html>.

use hyper::Method;
use serde_json::{Value, json};

use super::Api;
use crate::dns_providers::harness::FOREIGN;
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{quoted, unquoted};

const TOKEN: &str = "desec-token-0123456789";
const SET: &str = "/api/v1/domains/example.com/rrsets/_acme-challenge.www/TXT/";

pub(crate) struct Desec {
    records: Vec<String>,
}

impl Api for Desec {
    const CODE: &'static str = "desec";
    const HOST: &'static str = "desec.io";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("DESEC_TOKEN", TOKEN)];

    fn new() -> Self {
        Self { records: vec![quoted(FOREIGN)] }
    }

    fn knows(&self, request: &Seen) -> bool {
        request.header("authorization") == format!("Token {TOKEN}")
    }

    fn refusal() -> Reply {
        Reply::json(401, &json!({ "detail": "Invalid token." }))
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        match (&request.method, request.target.as_str()) {
            (&Method::GET, "/api/v1/domains/example.com/") => Reply::json(200, &json!({ "name": "example.com" })),
            (&Method::GET, SET) if self.records.is_empty() => Reply::json(404, &json!({ "detail": "Not found." })),
            (&Method::GET, SET) => Reply::json(200, &self.shown()),
            (&Method::PUT, SET) => {
                self.set(&request.json());
                Reply::json(200, &self.shown())
            }
            (&Method::POST, "/api/v1/domains/example.com/rrsets/") => {
                assert!(self.records.is_empty(), "another RRset with the same subdomain and type exists");
                self.set(&request.json());
                Reply::json(201, &self.shown())
            }
            (&Method::DELETE, SET) => {
                self.records.clear();
                Reply::new(204, "")
            }
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        self.records.iter().map(|text| unquoted(text)).collect()
    }
}

impl Desec {
    fn set(&mut self, body: &Value) {
        assert_eq!((&body["type"], &body["subname"]), (&json!("TXT"), &json!("_acme-challenge.www")));
        assert!(body["ttl"].as_u64().unwrap() >= 3600);
        self.records = serde_json::from_value(body["records"].clone()).unwrap();
    }

    fn shown(&self) -> Value {
        json!({
            "created": "2026-01-01T00:00:00Z",
            "touched": "2026-01-01T00:00:00Z",
            "domain": "example.com",
            "subname": "_acme-challenge.www",
            "name": "_acme-challenge.www.example.com.",
            "type": "TXT",
            "ttl": 3600,
            "records": self.records,
        })
    }
}
