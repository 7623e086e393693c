//! OVH, <https://eu.api.ovh.com/console/?section=%2Fdomain>; its signatures are those of
//! <https://help.ovhcloud.com/csm/en-api-getting-started-ovhcloud-api>.
//!
//! Like the real one, it shows a TXT value in quotes that was given without.

use aws_lc_rs::digest;
use hyper::Method;
use serde_json::json;

use super::Api;
use crate::dns_providers::harness::FOREIGN;
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{hex, quoted, unquoted};

const SECRET: &str = "ovh-secret-0123456789abcdef";
const CONSUMER: &str = "ovh-consumer-0123456789abc";
const ZONE: &str = "/1.0/domain/zone/example.com";

pub(crate) struct Ovh {
    records: Vec<(u64, String)>,
    next: u64,
    /// The zone as name servers answer it, updated by a refresh.
    served: Vec<String>,
}

impl Api for Ovh {
    const CODE: &'static str = "ovh";
    const HOST: &'static str = "eu.api.ovh.com";
    const VARIABLES: &'static [(&'static str, &'static str)] = &[
        ("OVH_APPLICATION_KEY", "ovh-application"),
        ("OVH_APPLICATION_SECRET", SECRET),
        ("OVH_CONSUMER_KEY", CONSUMER),
    ];

    fn new() -> Self {
        Self { records: vec![(1, quoted(FOREIGN))], next: 1, served: vec![FOREIGN.to_owned()] }
    }

    fn knows(&self, request: &Seen) -> bool {
        let (url, time) = (format!("https://{}{}", Self::HOST, request.target), request.header("x-ovh-timestamp"));
        let signed = format!("{SECRET}+{CONSUMER}+{}+{url}+{}+{time}", request.method, request.body);
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, signed.as_bytes());
        request.header("x-ovh-application") == "ovh-application"
            && request.header("x-ovh-consumer") == CONSUMER
            && request.header("x-ovh-signature") == format!("$1${}", hex(digest.as_ref()))
    }

    fn refusal() -> Reply {
        let message = "This credential is not valid";
        Reply::json(403, &json!({ "errorCode": "INVALID_CREDENTIAL", "httpCode": "403 Forbidden", "message": message }))
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        let path = request.path().strip_prefix(ZONE).unwrap();
        match (&request.method, path) {
            (&Method::GET, "") => Reply::json(200, &json!({ "name": "example.com" })),
            (&Method::GET, "/record") => {
                assert!(request.target.ends_with("?fieldType=TXT&subDomain=_acme-challenge.www"), "{}", request.target);
                Reply::json(200, &self.records.iter().map(|(id, _)| json!(id)).collect())
            }
            (&Method::POST, "/record") => {
                let body = request.json();
                assert_eq!((&body["fieldType"], &body["ttl"]), (&json!("TXT"), &json!(120)));
                assert_eq!(body["subDomain"], "_acme-challenge.www");
                self.next += 1;
                self.records.push((self.next, quoted(body["target"].as_str().unwrap())));
                Reply::json(200, &json!({ "id": self.next }))
            }
            (&Method::POST, "/refresh") => {
                self.served = self.records.iter().map(|(_, target)| unquoted(target)).collect();
                Reply::new(200, "null")
            }
            (method, path) => {
                let id: u64 = path.strip_prefix("/record/").unwrap().parse().unwrap();
                if *method == Method::DELETE {
                    self.records.retain(|(known, _)| *known != id);
                    return Reply::new(200, "null");
                }
                let target = &self.records.iter().find(|(known, _)| *known == id).unwrap().1;
                Reply::json(
                    200,
                    &json!({ "id": id, "fieldType": "TXT", "subDomain": "_acme-challenge.www", "target": target }),
                )
            }
        }
    }

    fn values(&self) -> Vec<String> {
        self.served.clone()
    }
}
