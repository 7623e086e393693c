//! Amazon Route 53, <https://docs.aws.amazon.com/Route53/latest/APIReference/>; its signatures are those of
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>.
//!
//! Its zones come on two pages.

use aws_lc_rs::{digest, hmac};
use hyper::Method;

use super::Api;
use crate::dns_providers::harness::{FOREIGN, NAME};
use crate::dns_providers::http_server::{Reply, Seen};
use crate::dns_providers::values::{hex, quoted, unquoted};

const ID: &str = "AKIA0123456789ABCDEF";
const KEY: &str = "aws-secret-key-0123456789abcdef";
const SETS: &str = "/2013-04-01/hostedzone/Z2/rrset";

pub(crate) struct Route53 {
    values: Vec<String>,
}

impl Api for Route53 {
    const CODE: &'static str = "route53";
    const HOST: &'static str = "route53.amazonaws.com";
    const VARIABLES: &'static [(&'static str, &'static str)] =
        &[("AWS_ACCESS_KEY_ID", ID), ("AWS_SECRET_ACCESS_KEY", KEY)];

    fn new() -> Self {
        Self { values: vec![quoted(FOREIGN)] }
    }

    fn knows(&self, request: &Seen) -> bool {
        let day = request.header("x-amz-date").get(..8).unwrap_or_default();
        let scope = format!("{day}/us-east-1/route53/aws4_request");
        let expected = format!(
            "AWS4-HMAC-SHA256 Credential={ID}/{scope}, SignedHeaders=content-type;host;x-amz-date, Signature={}",
            signature(request, day, &scope)
        );
        request.header("authorization") == expected
    }

    fn refusal() -> Reply {
        let message = "The request signature we calculated does not match the signature you provided.";
        let error =
            format!("<Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error>");
        Reply::new(
            403,
            format!("<?xml version=\"1.0\"?><ErrorResponse>{error}<RequestId>r</RequestId></ErrorResponse>"),
        )
    }

    fn answer(&mut self, request: &Seen) -> Reply {
        match (&request.method, request.path()) {
            (&Method::GET, "/2013-04-01/hostedzonesbyname") => zones(&request.target),
            (&Method::GET, SETS) => {
                assert_eq!(request.target, format!("{SETS}?name={NAME}.&type=TXT"));
                self.sets()
            }
            (&Method::POST, SETS) => self.change(&request.body),
            _ => panic!("{request:?}"),
        }
    }

    fn values(&self) -> Vec<String> {
        self.values.iter().map(|value| unquoted(value)).collect()
    }
}

impl Route53 {
    fn sets(&self) -> Reply {
        let values: String = self
            .values
            .iter()
            .map(|value| format!("<ResourceRecord><Value>{value}</Value></ResourceRecord>"))
            .collect();
        let ours = format!(
            "<ResourceRecordSet><Name>{NAME}.</Name><Type>TXT</Type><TTL>10</TTL><ResourceRecords>{values}\
             </ResourceRecords></ResourceRecordSet>"
        );
        // What comes after the name that was asked for is listed as well.
        let next = "<ResourceRecordSet><Name>zz.example.com.</Name><Type>TXT</Type><TTL>10</TTL><ResourceRecords>\
                    <ResourceRecord><Value>\"other\"</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>";
        let ours = if self.values.is_empty() { String::new() } else { ours };
        Reply::new(
            200,
            format!(
                "<?xml version=\"1.0\"?><ListResourceRecordSetsResponse><ResourceRecordSets>{ours}{next}\
                 </ResourceRecordSets><IsTruncated>false</IsTruncated><MaxItems>300</MaxItems>\
                 </ListResourceRecordSetsResponse>"
            ),
        )
    }

    fn change(&mut self, body: &str) -> Reply {
        let body = body.replace("&quot;", "\"");
        let part = |name: &str| body.split(&format!("<{name}>")).nth(1).unwrap().split("</").next().unwrap().to_owned();
        assert_eq!((part("Name"), part("Type")), (format!("{NAME}."), "TXT".to_owned()));
        let given: Vec<String> =
            body.split("<Value>").skip(1).map(|text| text.split("</Value>").next().unwrap().to_owned()).collect();
        match part("Action").as_str() {
            "UPSERT" => self.values = given,
            "DELETE" => {
                assert_eq!(self.values, given, "a set is deleted only as it is");
                self.values.clear();
            }
            action => panic!("{action}"),
        }
        Reply::new(
            200,
            "<?xml version=\"1.0\"?><ChangeResourceRecordSetsResponse><ChangeInfo><Id>/change/C1</Id>\
             <Status>PENDING</Status><SubmittedAt>2026-01-01T00:00:00Z</SubmittedAt></ChangeInfo>\
             </ChangeResourceRecordSetsResponse>",
        )
    }
}

fn zones(target: &str) -> Reply {
    let (id, name, rest) = if target.contains('?') {
        assert!(target.ends_with("?dnsname=example.com.&hostedzoneid=Z2"), "{target}");
        ("Z2", "example.com.", "<IsTruncated>false</IsTruncated>")
    } else {
        let next = "<NextDNSName>example.com.</NextDNSName><NextHostedZoneId>Z2</NextHostedZoneId>";
        ("Z1", "com.", &*format!("<IsTruncated>true</IsTruncated>{next}"))
    };
    Reply::new(
        200,
        format!(
            "<?xml version=\"1.0\"?><ListHostedZonesByNameResponse><HostedZones><HostedZone><Id>/hostedzone/{id}</Id>\
             <Name>{name}</Name><CallerReference>r</CallerReference><Config><PrivateZone>false</PrivateZone></Config>\
             <ResourceRecordSetCount>2</ResourceRecordSetCount></HostedZone></HostedZones>{rest}\
             <MaxItems>100</MaxItems></ListHostedZonesByNameResponse>"
        ),
    )
}

fn signature(request: &Seen, day: &str, scope: &str) -> String {
    let sha = |text: &str| hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    let mut query: Vec<&str> = request.target.split_once('?').map_or(vec![], |(_, query)| query.split('&').collect());
    query.sort_unstable();
    let date = request.header("x-amz-date");
    let canonical = format!(
        "{}\n{}\n{}\ncontent-type:application/xml\nhost:{}\nx-amz-date:{date}\n\ncontent-type;host;x-amz-date\n{}",
        request.method,
        request.path(),
        query.join("&"),
        Route53::HOST,
        sha(&request.body)
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha(&canonical));
    let mac = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes());
    let mut key = format!("AWS4{KEY}").into_bytes();
    for part in [day, "us-east-1", "route53", "aws4_request"] {
        key = mac(&key, part).as_ref().to_vec();
    }
    hex(mac(&key, &to_sign).as_ref())
}
