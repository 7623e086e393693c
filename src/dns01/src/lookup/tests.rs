#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;

use tokio::time::Instant;

use super::delegation::MAX_CNAMES;
use super::testing::{FakeDns, Fault, NS1, NS2, RECURSIVE, a, cname, ns, soa, txt};
use super::{Lookup, LookupError, ServerAnswer, name};
use crate::lookup::exchange::Unanswered;

async fn lookup(dns: &FakeDns) -> Lookup {
    Lookup::new(Arc::new(dns.clone()), &[RECURSIVE.to_owned()], 53).await
}

async fn end_of_chain(dns: &FakeDns, from: &str) -> Result<String, String> {
    let end = lookup(dns).await.end_of_chain(&name(from).unwrap()).await;
    end.map(|name| name.to_string()).map_err(|error| error.to_string())
}

async fn zone_of(dns: &FakeDns, of: &str) -> Result<String, String> {
    let zone = lookup(dns).await.zone_of(&name(of).unwrap()).await;
    zone.map(|name| name.to_string()).map_err(|error| error.to_string())
}

async fn looks(dns: &FakeDns, at: &str) -> Vec<String> {
    let lookup = lookup(dns).await;
    let servers = lookup.name_servers(&name("example.").unwrap()).await.unwrap();
    lookup.ask_authoritative(&servers, &name(at).unwrap()).await.iter().map(ServerAnswer::to_string).collect()
}

fn link(dns: &FakeDns, from: &str, to: &str) {
    dns.add(RECURSIVE, from, cname(to));
}

#[tokio::test]
async fn a_name_without_a_cname_is_the_end_of_its_chain() {
    assert_eq!(
        end_of_chain(&FakeDns::new(), "_acme-challenge.a.example.").await.unwrap(),
        "_acme-challenge.a.example."
    );
}

#[tokio::test]
async fn cnames_are_followed_in_whatever_case_they_are_written() {
    let dns = FakeDns::new();
    link(&dns, "_acme-challenge.a.example.", "One.Other.Example.");
    link(&dns, "one.other.example.", "two.example.");
    assert_eq!(end_of_chain(&dns, "_Acme-Challenge.A.example.").await.unwrap(), "two.example.");
}

#[tokio::test]
async fn the_longest_chain_is_followed_and_no_longer_one() {
    let dns = FakeDns::new();
    for number in 0..MAX_CNAMES {
        link(&dns, &format!("n{number}.example."), &format!("n{}.example.", number + 1));
    }
    assert_eq!(end_of_chain(&dns, "n0.example.").await.unwrap(), "n50.example.");
    link(&dns, "n50.example.", "n51.example.");
    let error = end_of_chain(&dns, "n0.example.").await.unwrap_err();
    assert!(
        error.contains("51 CNAMEs in a row, which nobody follows: n0.example. -> n1.example.")
            && error.contains("-> n51.example."),
        "{error}"
    );
}

#[tokio::test]
async fn a_loop_is_reported_with_its_names() {
    let dns = FakeDns::new();
    link(&dns, "a.example.", "b.example.");
    link(&dns, "b.example.", "a.example.");
    let error = end_of_chain(&dns, "a.example.").await.unwrap_err();
    assert!(error.contains("in a circle: a.example. -> b.example. -> a.example.;"), "{error}");
}

#[tokio::test]
async fn the_zone_is_the_nearest_with_a_soa() {
    let dns = FakeDns::new();
    assert_eq!(zone_of(&dns, "_acme-challenge.a.b.example.").await.unwrap(), "example.");
    dns.add(RECURSIVE, "b.example.", soa());
    assert_eq!(zone_of(&dns, "_acme-challenge.a.b.example.").await.unwrap(), "b.example.");
    dns.add(RECURSIVE, "_acme-challenge.a.b.example.", soa());
    assert_eq!(zone_of(&dns, "_acme-challenge.a.b.example.").await.unwrap(), "_acme-challenge.a.b.example.");
}

#[tokio::test]
async fn a_name_without_a_zone_is_reported() {
    let error = zone_of(&FakeDns::new(), "a.test.").await.unwrap_err();
    assert!(error.contains("no zone was found for a.test."), "{error}");
}

#[tokio::test]
async fn when_one_recursive_server_fails_the_next_is_asked() {
    let dns = FakeDns::new();
    dns.fault("198.51.100.1:53", Fault::Code(ResponseCode::ServFail));
    let servers = ["198.51.100.1:53".to_owned(), RECURSIVE.to_owned()];
    let lookup = Lookup::new(Arc::new(dns), &servers, 53).await;
    assert_eq!(lookup.zone_of(&name("a.example.").unwrap()).await.unwrap().to_string(), "example.");
}

#[tokio::test(start_paused = true)]
async fn a_recursive_server_that_is_silent_costs_its_time_once() {
    let dns = FakeDns::new();
    let servers = ["203.0.113.1:53".to_owned(), RECURSIVE.to_owned()];
    let lookup = Lookup::new(Arc::new(dns), &servers, 53).await;
    let started = Instant::now();
    for _ in 0..10 {
        assert!(lookup.zone_of(&name("a.example.").unwrap()).await.is_ok());
    }
    assert_eq!(started.elapsed(), Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn if_all_recursive_servers_fail_each_is_reported() {
    let dns = FakeDns::new();
    dns.fault(RECURSIVE, Fault::Code(ResponseCode::ServFail));
    let servers = [RECURSIVE.to_owned(), "203.0.113.1:53".to_owned()];
    let lookup = Lookup::new(Arc::new(dns), &servers, 53).await;
    let error = lookup.zone_of(&name("a.example.").unwrap()).await.unwrap_err();
    let expected = "no answer for SOA a.example.: 198.51.100.53:53: SERVFAIL; 203.0.113.1:53: no answer";
    assert_eq!(error.to_string(), expected);
    assert!(error.is_of_servers());
}

#[tokio::test]
async fn a_recursive_server_may_be_a_name_and_is_reported_without_an_address() {
    let dns = Arc::new(FakeDns::new());
    dns.add("127.0.0.1:5353", "example.", soa());
    let lookup = Lookup::new(dns.clone(), &["127.0.0.1:5353".to_owned()], 53).await;
    assert!(lookup.zone_of(&name("a.example.").unwrap()).await.is_ok());
    for wrong in ["localhost:dns", "host.invalid:53"] {
        let lookup = Lookup::new(dns.clone(), &[wrong.to_owned()], 53).await;
        let error = lookup.zone_of(&name("a.example.").unwrap()).await.unwrap_err();
        assert!(matches!(error, LookupError::UnknownServer { .. }), "{error}");
        assert!(error.to_string().starts_with(&format!("dnsChallenge.resolvers: {wrong} has no address: ")), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_server_of_the_zone_is_asked_and_its_answer_is_reported() {
    let dns = FakeDns::new();
    dns.add(NS1, "_acme-challenge.a.example.", txt("one"));
    dns.add(NS1, "_acme-challenge.a.example.", txt("two"));
    let at = "_acme-challenge.a.example.";
    assert_eq!(
        looks(&dns, at).await,
        ["ns1.example. (192.0.2.1): 2 other values", "ns2.example. (192.0.2.2): no such name"]
    );
    assert_eq!(dns.asked(RECURSIVE, RecordType::TXT), 0);
    let faults = [
        (Fault::Code(ResponseCode::ServFail), "SERVFAIL"),
        (Fault::Code(ResponseCode::Refused), "REFUSED"),
        (Fault::Lame, "it does not have the zone"),
        (Fault::Silent(Duration::from_secs(5), Unanswered::Timeout), "no answer"),
    ];
    for (fault, expected) in faults {
        dns.fault(NS2, fault);
        assert_eq!(looks(&dns, at).await[1], format!("ns2.example. (192.0.2.2): {expected}"));
    }
}

#[tokio::test]
async fn a_server_without_an_address_is_reported() {
    let dns = FakeDns::new();
    dns.add(RECURSIVE, "example.", ns("ns3.example."));
    assert_eq!(looks(&dns, "a.example.").await[2], "ns3.example.: its name has no address");
}

#[tokio::test]
async fn a_server_is_asked_at_its_next_address_when_the_first_is_silent() {
    let dns = FakeDns::new();
    dns.add(RECURSIVE, "ns2.example.", a("[2001:db8::2]:53"));
    dns.add("[2001:db8::2]:53", "a.example.", txt("x"));
    dns.fault(NS2, Fault::Silent(Duration::ZERO, Unanswered::Timeout));
    assert_eq!(looks(&dns, "a.example.").await[1], "ns2.example. (2001:db8::2): 1 other value");
    dns.fault("[2001:db8::2]:53", Fault::Silent(Duration::ZERO, Unanswered::NoRoute));
    assert_eq!(looks(&dns, "a.example.").await[1], "ns2.example. (192.0.2.2): no answer");
}

#[tokio::test]
async fn what_is_no_name_is_refused() {
    let long = format!("{}.example.", ["a"; 130].join("."));
    for text in [long.as_str(), "a..example."] {
        assert!(name(text).unwrap_err().to_string().contains("no DNS name, or too long for one"), "{text}");
    }
}
