use std::sync::Arc;

use hickory_resolver::proto::rr::RecordType;
use protocol::DnsPersist01;

use super::checks;
use crate::lookup::testing::{FakeDns, NS1, NS2, RECURSIVE, cname, txt};
use crate::persist::Persistent;
use base::clock::Clock;

const AT: &str = "_validation-persist.a.example.";
const ACCOUNT: &str = "https://ca.example/acct/1";
const GOOD: &str = "ca.example; accounturi=https://ca.example/acct/1; policy=wildcard";

fn challenge(wildcard: bool) -> DnsPersist01 {
    DnsPersist01 {
        resolver: "le".into(),
        domain: "a.example".into(),
        wildcard,
        issuer_domain_names: vec!["ca.example".into(), "ca.test".into()],
        account_uri: ACCOUNT.into(),
        checks: checks(),
    }
}

fn set(dns: &FakeDns, at: &str, text: &str) {
    for server in [NS1, NS2] {
        dns.add(server, at, txt(text));
    }
}

async fn check(dns: &FakeDns, challenge: &DnsPersist01) -> Result<(), String> {
    Persistent::new(Arc::new(dns.clone()), 53, Clock::system()).check(challenge).await
}

async fn check_text(text: &str, wildcard: bool) -> Result<(), String> {
    let dns = FakeDns::new();
    set(&dns, AT, text);
    check(&dns, &challenge(wildcard)).await
}

#[tokio::test]
async fn a_missing_record_is_reported_as_the_line_to_set() {
    let dns = FakeDns::new();
    let found = "found: ns1.example. (192.0.2.1): no such name; ns2.example. (192.0.2.2): no such name";
    let value = format!("ca.example; accounturi={ACCOUNT}");
    let expected = format!("set this TXT record: {AT} TXT \"{value}\"; {found}");
    assert_eq!(check(&dns, &challenge(false)).await, Err(expected));
    let expected = format!("set this TXT record: {AT} TXT \"{GOOD}\"; {found}");
    assert_eq!(check(&dns, &challenge(true)).await, Err(expected));
}

#[tokio::test]
async fn the_reported_record_is_right() {
    assert_eq!(check_text(GOOD, true).await, Ok(()));
    assert_eq!(check_text(&format!("ca.example; accounturi={ACCOUNT}"), false).await, Ok(()));
}

#[tokio::test]
async fn a_record_may_be_written_in_many_ways() {
    let future = Clock::system().now_seconds() + 3600;
    let texts = [
        format!("ca.test;accounturi={ACCOUNT};policy=wildcard"),
        format!(" ca.example\t;\tPOLICY = WildCard ; AccountURI = {ACCOUNT} "),
        format!("ca.example; persistUntil={future}; policy=wildcard; accounturi={ACCOUNT}"),
        format!("ca.example; later=1; policy=wildcard; accounturi={ACCOUNT}; empty="),
    ];
    for text in texts {
        assert_eq!(check_text(&text, true).await, Ok(()), "{text}");
    }
}

/// The verdicts are those of Pebble 2.10.
#[tokio::test]
async fn what_the_ca_would_refuse_is_refused_with_a_reason() {
    let past = Clock::system().now_seconds() - 1;
    let cases = [
        ("", "for another CA"),
        ("v=spf1 -all", "for another CA"),
        ("other.example; accounturi=https://ca.example/acct/1", "for another CA"),
        ("CA.example; accounturi=https://ca.example/acct/1", "for another CA"),
        ("ca.example", "another accounturi, or none"),
        ("ca.example; accounturi=https://ca.example/acct/2", "another accounturi, or none"),
        ("ca.example; accounturi=https://ca.example/acct/1", "without policy=wildcard"),
        ("ca.example; accounturi=https://ca.example/acct/1; policy=other", "without policy=wildcard"),
        ("ca.example; accounturi=https://ca.example/acct/1; policy=wildcard;", "expected parameters"),
        ("ca.example; accounturi=https://ca.example/acct/1; wildcard", "expected parameters"),
        ("ca.example; accounturi=https://ca.example/acct/1; policy=wildcard; POLICY=wildcard", "expected parameters"),
        ("ca.example; accounturi=https://ca.example/acct/1; policy=wild card", "expected parameters"),
        ("ca.example; accounturi=https://ca.example/acct/1; persistUntil=soon", "expected parameters"),
        (&format!("{GOOD}; persistUntil={past}"), "persistUntil is past"),
    ];
    for (text, expected) in cases {
        let why = check_text(text, true).await.unwrap_err();
        assert!(why.contains(&format!("({expected}")), "{text}: {why}");
    }
}

#[tokio::test]
async fn one_right_record_among_others_is_enough_but_every_server_must_have_it() {
    let dns = FakeDns::new();
    set(&dns, AT, "other.example; accounturi=x");
    dns.add(NS1, AT, txt(GOOD));
    let why = check(&dns, &challenge(true)).await.unwrap_err();
    assert!(why.ends_with("found: ns2.example. (192.0.2.2): other.example; accounturi=x (for another CA)"), "{why}");
    dns.add(NS2, AT, txt(GOOD));
    assert_eq!(check(&dns, &challenge(true)).await, Ok(()));
}

#[tokio::test]
async fn the_record_is_looked_for_where_cnames_lead() {
    let dns = FakeDns::new();
    dns.add(RECURSIVE, AT, cname("validation.example."));
    set(&dns, "validation.example.", GOOD);
    assert_eq!(check(&dns, &challenge(true)).await, Ok(()));
}

#[tokio::test]
async fn recursive_servers_are_asked_when_the_zones_own_are_not_to_be() {
    let dns = FakeDns::new();
    let mut challenge = challenge(true);
    challenge.checks.disable_ans_checks = true;
    let why = check(&dns, &challenge).await.unwrap_err();
    assert!(why.ends_with(&format!("found: {RECURSIVE}: no such name")), "{why}");
    dns.add(RECURSIVE, AT, txt(GOOD));
    assert_eq!(check(&dns, &challenge).await, Ok(()));
    assert_eq!(dns.asked(NS1, RecordType::TXT), 0);
    challenge.checks.disable_checks = true;
    assert_eq!(check(&FakeDns::new(), &challenge).await, Ok(()));
}

#[tokio::test]
async fn a_hostile_record_is_reported_on_one_line_and_cut() {
    let why = check_text(&format!("x\n\u{1b}[31m{}", "y".repeat(60_000)), true).await.unwrap_err();
    assert!(!why.contains(char::is_control) && why.len() < 1000, "{why}");
}
