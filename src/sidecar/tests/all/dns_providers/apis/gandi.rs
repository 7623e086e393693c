//! Gandi LiveDNS, <https://api.gandi.net/docs/livedns/>.

use hyper::Method;
use serde_json::json;

use super::Api;
use crate::dns_providers::harness::FOREIGN;
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{quoted, unquoted};

const TOKEN: &str = "gandi-pat-0123456789abcdef";
const SET: &str = "/v5/livedns/domains/example.com/records/_acme-challenge.www/TXT";

pub(crate) struct Gandi {
    values: Vec<String>,
}

impl Api for Gandi {
    const CODE: &'static str = "gandiv5";
    const HOST: &'static str = "api.gandi.net";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("GANDIV5_PERSONAL_ACCESS_TOKEN", TOKEN)];

    fn new() -> Self {
        Self { values: vec![quoted(FOREIGN)] }
    }

    fn knows(&self, request: &Seen) -> bool {
        request.header("authorization") == format!("Bearer {TOKEN}")
    }

    fn refusal() -> Reply {
        let message = "The server could not verify that you are authorized to access the document you requested.";
        Reply::json(
            401,
            &json!({ "object": "HTTPUnauthorized", "cause": "Unauthorized", "code": 401, "message": message }),
        )
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        assert_eq!(request.target, SET);
        match request.method {
            Method::GET if self.values.is_empty() => {
                Reply::json(404, &json!({ "object": "dns-record", "cause": "Not Found", "code": 404 }))
            }
            Method::GET => {
                let set = json!({
                    "rrset_name": "_acme-challenge.www",
                    "rrset_type": "TXT",
                    "rrset_ttl": 300,
                    "rrset_values": self.values,
                });
                Reply::json(200, &set)
            }
            Method::PUT => {
                let body = request.json();
                assert!(body["rrset_ttl"].as_u64().unwrap() >= 300);
                self.values = serde_json::from_value(body["rrset_values"].clone()).unwrap();
                Reply::json(201, &json!({ "message": "DNS Record Created" }))
            }
            Method::DELETE => {
                self.values.clear();
                Reply::new(204, "")
            }
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        self.values.iter().map(|text| unquoted(text)).collect()
    }
}
