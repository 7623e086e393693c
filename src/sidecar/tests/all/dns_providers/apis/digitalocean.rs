//! DigitalOcean, <https://docs.digitalocean.com/reference/api/digitalocean/#tag/Domain-Records>.
//!
//! Its zone has a whole page of other values at the name, so that ours stand on the second one.

use hyper::Method;
use serde_json::json;

use super::Api;
use crate::dns_providers::harness::{FOREIGN, NAME};
use crate::dns_providers::http_server::{Reply, Seen};

const TOKEN: &str = "dop_v1_0123456789abcdef";
const RECORDS: &str = "/v2/domains/example.com/records";
const PAGE: usize = 200;

pub(crate) struct DigitalOcean {
    records: Vec<(u64, String)>,
    next: u64,
}

impl Api for DigitalOcean {
    const CODE: &'static str = "digitalocean";
    const HOST: &'static str = "api.digitalocean.com";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[("DO_AUTH_TOKEN", TOKEN)];

    fn new() -> Self {
        let others = (1..=PAGE as u64).map(|id| (id, format!("other-{id}")));
        Self { records: others.chain([(1000, FOREIGN.to_owned())]).collect(), next: 1000 }
    }

    fn knows(&self, request: &Seen) -> bool {
        request.header("authorization") == format!("Bearer {TOKEN}")
    }

    fn refusal() -> Reply {
        Reply::json(401, &json!({ "id": "Unauthorized", "message": "Unable to authenticate you" }))
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        match (&request.method, request.path()) {
            (&Method::GET, RECORDS) => {
                assert!(request.target.contains(&format!("name={NAME}&type=TXT&per_page=200")), "{}", request.target);
                let page: usize =
                    request.target.split_once("page=").unwrap().1.split("page=").last().unwrap().parse().unwrap();
                let shown = self.records.iter().skip((page - 1) * PAGE).take(PAGE).map(|(id, data)| {
                    json!({ "id": id, "type": "TXT", "name": "_acme-challenge.www", "data": data, "ttl": 30 })
                });
                let shown: Vec<_> = shown.collect();
                let mut links = json!({});
                if self.records.len() > page * PAGE {
                    links =
                        json!({ "pages": { "next": format!("https://{}{RECORDS}?page={}", Self::HOST, page + 1) } });
                }
                Reply::json(
                    200,
                    &json!({ "domain_records": shown, "links": links, "meta": { "total": self.records.len() } }),
                )
            }
            (&Method::POST, RECORDS) => {
                let body = request.json();
                let expected = (&json!("TXT"), &json!("_acme-challenge.www"), &json!(30));
                assert_eq!((&body["type"], &body["name"], &body["ttl"]), expected);
                self.next += 1;
                self.records.push((self.next, body["data"].as_str().unwrap().to_owned()));
                Reply::json(201, &json!({ "domain_record": { "id": self.next } }))
            }
            (&Method::DELETE, path) => {
                let id: u64 = path.strip_prefix(&format!("{RECORDS}/")).unwrap().parse().unwrap();
                self.records.retain(|(known, _)| *known != id);
                Reply::new(204, "")
            }
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        assert!(self.records.iter().filter(|(id, _)| *id <= PAGE as u64).count() == PAGE, "another record is gone");
        self.records.iter().skip(PAGE).map(|(_, data)| data.clone()).collect()
    }
}
