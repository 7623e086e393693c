//! The order of certificates for a name, and when it counts as changed.

#![allow(clippy::unwrap_used)]

use super::*;

/// A pair that is never parsed: its content is its version.
fn pair(version: &str, names: &[&str], not_before: i64, not_after: i64) -> Arc<Pair> {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    let chain_pem = String::new();
    let key_pem = String::new();
    let is_of_test_system = version.starts_with("test");
    let version = version.to_owned();
    Arc::new(Pair { chain: Vec::new(), chain_pem, key_pem, names, not_before, not_after, is_of_test_system, version })
}

fn id(names: &[&str]) -> protocol::CertificateId {
    protocol::CertificateId { resolver: "le".to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
}

fn catalog() -> Catalog {
    Catalog::new(DefaultCertificate::Pair(pair("default", &[], 0, 9999)))
}

fn best(catalog: &Catalog, name: &str, now: i64) -> String {
    catalog.best(name, now).map_or_else(|| "none".to_owned(), |pair| pair.version.clone())
}

#[test]
fn valid_acme_before_expired_acme_before_provided_before_default() {
    let catalog = catalog();
    assert_eq!(best(&catalog, "a.test", 50), "default");
    catalog.replace_provided(vec![pair("provided", &["a.test"], 0, 1000)]);
    assert_eq!(best(&catalog, "a.test", 50), "provided");
    catalog.put_acme(&id(&["a.test"]), Some(pair("expired", &["a.test"], 0, 40)));
    assert_eq!(best(&catalog, "a.test", 50), "expired");
    catalog.put_acme(&id(&["a.test", "b.test"]), Some(pair("valid", &["a.test", "b.test"], 0, 100)));
    assert_eq!(best(&catalog, "a.test", 50), "valid");
    catalog.put_acme(&id(&["b.test", "a.test"]), None);
    assert_eq!(best(&catalog, "a.test", 50), "expired");
    catalog.put_acme(&id(&["a.test"]), None);
    catalog.replace_provided(vec![]);
    assert_eq!(best(&catalog, "a.test", 50), "default");
}

#[test]
fn what_a_test_system_issued_ranks_after_everything_valid_that_is_trusted() {
    let catalog = catalog();
    catalog.put_acme(&id(&["a.test"]), Some(pair("test", &["a.test"], 0, 500)));
    assert_eq!(best(&catalog, "a.test", 50), "test");
    catalog.replace_provided(vec![pair("provided", &["a.test"], 0, 200)]);
    assert_eq!(best(&catalog, "a.test", 50), "provided");
    assert_eq!(best(&catalog, "a.test", 201), "test");
    catalog.put_acme(&id(&["*.test"]), Some(pair("wildcard", &["*.test"], 0, 100)));
    assert_eq!(best(&catalog, "a.test", 50), "wildcard");
}

#[test]
fn validity_decides_at_the_time_asked_for_and_its_ends_are_inclusive() {
    let catalog = catalog();
    catalog.put_acme(&id(&["a.test"]), Some(pair("long", &["a.test"], 0, 100)));
    catalog.put_acme(&id(&["a.test", "b.test"]), Some(pair("next", &["a.test", "b.test"], 60, 200)));
    assert_eq!(best(&catalog, "a.test", 59), "long");
    assert_eq!(best(&catalog, "a.test", 60), "next");
    assert_eq!(best(&catalog, "a.test", 200), "next");
    assert_eq!(best(&catalog, "b.test", 201), "next", "an expired one is better than the default");
}

#[test]
fn an_exact_name_ranks_before_a_wildcard_but_not_before_validity() {
    let catalog = catalog();
    catalog.put_acme(&id(&["*.a.test"]), Some(pair("wildcard", &["*.a.test"], 0, 1000)));
    catalog.put_acme(&id(&["x.a.test"]), Some(pair("exact", &["x.a.test"], 0, 100)));
    assert_eq!(best(&catalog, "x.a.test", 50), "exact");
    assert_eq!(best(&catalog, "x.a.test", 101), "wildcard");
    assert_eq!(best(&catalog, "y.a.test", 50), "wildcard");
    assert_eq!(best(&catalog, "*.a.test", 50), "wildcard");
    assert_eq!(best(&catalog, "a.test", 50), "default");
    assert_eq!(best(&catalog, "x.y.a.test", 50), "default");
}

#[test]
fn of_equals_the_one_that_is_valid_longest_is_best() {
    let catalog = catalog();
    catalog.replace_provided(vec![pair("short", &["a.test"], 0, 100), pair("long", &["a.test"], 0, 200)]);
    assert_eq!(best(&catalog, "a.test", 50), "long");
}

#[test]
fn a_name_is_cleaned_and_junk_gets_nothing() {
    let catalog = catalog();
    catalog.put_acme(&id(&["a.test"]), Some(pair("acme", &["a.test"], 0, 100)));
    assert_eq!(best(&catalog, "A.Test.", 50), "acme");
    assert_eq!(best(&catalog, "../../etc/x", 50), "none");
    let without = Catalog::new(DefaultCertificate::None);
    assert_eq!(best(&without, "a.test", 50), "none");
}

#[test]
fn addresses_are_found_by_any_spelling() {
    let catalog = catalog();
    catalog.put_acme(&id(&["2001:db8::1"]), Some(pair("v6", &["2001:db8::1"], 0, 100)));
    assert_eq!(best(&catalog, "2001:0DB8::0001", 50), "v6");
}

#[test]
fn only_what_can_alter_an_answer_counts_as_a_change() {
    let catalog = catalog();
    let changes = catalog.changes();
    let count = || *changes.borrow();
    catalog.put_acme(&id(&["a.test"]), Some(pair("one", &["a.test"], 0, 100)));
    assert_eq!(count(), 1);
    catalog.put_acme(&id(&["a.test"]), Some(pair("one", &["a.test"], 0, 100)));
    catalog.put_acme(&id(&["b.test"]), None);
    catalog.replace_provided(vec![]);
    catalog.replace_default(DefaultCertificate::Pair(pair("default", &[], 0, 9999)));
    assert_eq!(count(), 1);
    catalog.replace_provided(vec![pair("p", &["c.test"], 0, 100)]);
    catalog.replace_default(DefaultCertificate::None);
    assert_eq!(count(), 3);
}

#[test]
fn the_same_content_put_twice_leaves_no_trace_when_it_is_removed() {
    let catalog = Catalog::new(DefaultCertificate::None);
    for _ in 0..2 {
        catalog.put_acme(&id(&["a.test"]), Some(pair("one", &["a.test"], 0, 100)));
    }
    catalog.put_acme(&id(&["a.test"]), None);
    let contents = catalog.read();
    assert!(contents.by_name.is_empty() && contents.turns.is_empty() && contents.acme.is_empty());
}

#[test]
fn turns_are_the_first_second_of_validity_and_the_first_after_it() {
    let catalog = Catalog::new(DefaultCertificate::None);
    catalog.put_acme(&id(&["a.test"]), Some(pair("one", &["a.test"], 10, 19)));
    let contents = catalog.read();
    assert_eq!([contents.next_turn(0), contents.next_turn(10), contents.next_turn(20)], [Some(10), Some(20), None]);
    assert!(contents.turns_between(5, 10) && contents.turns_between(19, 20) && contents.turns_between(25, 15));
    assert!(!contents.turns_between(10, 19) && !contents.turns_between(20, 30));
}

#[tokio::test]
async fn the_end_of_validity_counts_as_a_change() {
    let catalog = Arc::new(catalog());
    let clock = Clock::system();
    let now = clock.now_seconds();
    catalog.put_acme(&id(&["a.test"]), Some(pair("short", &["a.test"], 0, now)));
    let mut changes = catalog.changes();
    let keeper = tokio::spawn({
        let catalog = catalog.clone();
        let clock = clock.clone();
        async move { catalog.keep_time(&clock).await }
    });
    tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.unwrap().unwrap();
    assert!(clock.now_seconds() > now);
    keeper.abort();
}

#[test]
fn a_hundred_thousand_certificates_are_found_at_once() {
    let catalog = catalog();
    for number in 0..100_000 {
        let name = format!("n{number}.test");
        catalog.put_acme(&id(&[&name]), Some(pair(&name, &[&name], 0, 1000 + number)));
    }
    let start = std::time::Instant::now();
    for number in 0..100_000 {
        let name = format!("n{number}.test");
        assert_eq!(best(&catalog, &name, 50), name);
    }
    // A walk over all of them for each look-up would take minutes.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}
