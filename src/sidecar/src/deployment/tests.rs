//! Consequences of acknowledgements, rejections and handshakes, without a network or a clock.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::table::{Observation, Table};
use pki::Pair;
use protocol::CertificateId;
use storage::Certificate;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

/// A table, and the versions it has served.
struct Desk {
    table: Table,
    served: std::collections::BTreeMap<String, Arc<Pair>>,
}

fn pair(name: &str, version: &str, not_after: i64) -> Arc<Pair> {
    Arc::new(Pair {
        is_of_test_system: false,
        chain: Vec::new(),
        chain_pem: String::new(),
        key_pem: String::new(),
        names: vec![name.to_owned()],
        not_before: NOW - DAY,
        not_after,
        version: version.to_owned(),
    })
}

fn certificate(name: &str, version: &str, not_after: i64) -> Certificate {
    let facts = protocol::StoredCertificate {
        resolver: "le".into(),
        names: vec![name.to_owned()],
        not_before: NOW - DAY,
        not_after,
        serial: version.to_owned(),
        issuer: "CA".into(),
        key_type: "EC256".into(),
        renewal_id: None,
    };
    Certificate { pair: pair(name, version, not_after), facts }
}

fn key(name: &str) -> CertificateId {
    certificate(name, "", 0).facts.id()
}

impl Desk {
    fn new() -> Self {
        Self { table: Table::new(Vec::new()), served: std::collections::BTreeMap::new() }
    }

    /// Restarts with the table read from disk.
    fn restarted(self) -> Self {
        Self { table: Table::new(self.table.kept()), ..Self::new() }
    }

    fn store(&mut self, name: &str, version: &str) -> String {
        self.store_until(name, version, NOW + 90 * DAY, NOW)
    }

    /// Stores a certificate, or looks at it again; returns the version served then.
    fn store_until(&mut self, name: &str, version: &str, not_after: i64, now: i64) -> String {
        let served = self.served.get(name).cloned();
        let observation = Observation { served: served.as_ref(), is_news: true };
        let chosen = self.table.choose(&certificate(name, version, not_after), observation, now);
        self.served.insert(name.to_owned(), chosen.clone());
        chosen.version.clone()
    }

    /// Stores a version that every Envoy acknowledges.
    fn proven(&mut self, name: &str, version: &str) {
        self.store(name, version);
        assert!(self.table.accepted("envoy", version));
        self.table.proven(&key(name), version, NOW);
    }

    fn reject(&mut self, node: &str, version: &str) {
        self.table.rejected(node, version, "bad", NOW);
    }

    fn refreshed(&mut self) -> Vec<String> {
        let mut names: Vec<String> = self.table.decisions().refresh.iter().flat_map(|key| key.names.clone()).collect();
        names.sort_unstable();
        names
    }

    fn replaced_at(&self, now: i64) -> Vec<String> {
        self.table.replacements(now).into_iter().map(|replacement| replacement.serial).collect()
    }
}

#[test]
fn a_rejected_certificate_is_rolled_back_to_the_last_good_one_and_another_is_asked_for() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    assert_eq!(desk.store("a.test", "2"), "2");
    desk.reject("envoy", "2");
    assert_eq!(desk.refreshed(), ["a.test"]);
    assert_eq!(desk.store("a.test", "2"), "1");
    let told = desk.table.rolled_back(NOW);
    assert_eq!((told[0].serial.as_str(), told[0].reason.as_str()), ("2", "Envoy envoy rejected it: bad"));
    assert_eq!(desk.replaced_at(NOW + 60), ["2"]);
    assert_eq!(desk.store("a.test", "3"), "3", "the next one has its chance");
    assert_eq!(desk.replaced_at(NOW + 60), [""; 0]);
}

#[test]
fn what_was_rolled_back_stays_so_whoever_else_takes_it_and_over_a_restart() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.store("a.test", "2");
    desk.reject("envoy", "2");
    assert!(!desk.table.accepted("other", "2"));
    assert_eq!(desk.store("a.test", "2"), "1");
    let mut desk = desk.restarted();
    assert_eq!(desk.store("a.test", "2"), "1");
    assert_eq!(desk.replaced_at(NOW + 60), ["2"]);
}

#[test]
fn the_last_good_one_gives_way_before_its_end() {
    let mut desk = Desk::new();
    desk.store_until("a.test", "1", NOW + DAY, NOW);
    desk.table.accepted("envoy", "1");
    desk.store("a.test", "2");
    desk.reject("envoy", "2");
    let at = NOW + DAY - 60 * 60;
    assert_eq!(desk.store_until("a.test", "2", NOW + 90 * DAY, at - 1), "1");
    desk.table.decisions();
    desk.table.keep_time(at);
    assert_eq!(desk.refreshed(), ["a.test"]);
    assert_eq!(desk.store_until("a.test", "2", NOW + 90 * DAY, at), "2");
}

#[test]
fn of_two_rejected_ones_neither_is_good() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    for version in ["2", "3"] {
        assert_eq!(desk.store("a.test", version), version);
        desk.reject("envoy", version);
        assert_eq!(desk.store("a.test", version), "1");
    }
}

#[test]
fn one_that_follows_one_nobody_has_seen_goes_back_to_the_one_that_was_seen() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.store("a.test", "2");
    desk.store("a.test", "3");
    desk.reject("envoy", "3");
    assert_eq!(desk.store("a.test", "3"), "1");
}

/// In a TLS context with several certificates Envoy rejects all updates as long as one is bad.
#[test]
fn an_innocent_one_is_not_rolled_back_and_is_sent_again_when_the_bad_one_is() {
    let mut desk = Desk::new();
    for (name, version) in [("a.test", "a1"), ("b.test", "b1")] {
        desk.proven(name, version);
    }
    desk.store("b.test", "b2");
    desk.reject("envoy", "b2");
    desk.store("a.test", "a2");
    desk.reject("envoy", "a2");
    assert_eq!(desk.refreshed(), ["b.test"]);
    assert_eq!(desk.store("a.test", "a2"), "a2");
    assert!(desk.table.accepted("envoy", "b1"), "the rollback has arrived");
    assert_eq!(desk.table.decisions().appeal, [Arc::from("a2")]);
    assert!(desk.table.accepted("envoy", "a2"));
    assert_eq!(desk.table.rolled_back(NOW).len(), 1);
}

/// The acknowledgements of several streams come in any order.
#[test]
fn when_the_rollback_is_rejected_too_the_blame_goes_to_the_next_one() {
    let mut desk = Desk::new();
    for (name, version) in [("a.test", "a1"), ("b.test", "b1")] {
        desk.proven(name, version);
    }
    desk.store("b.test", "b2");
    desk.store("a.test", "a2");
    desk.reject("envoy", "a2");
    desk.reject("envoy", "b2");
    assert_eq!(desk.store("a.test", "a2"), "a1", "it is suspected first");
    desk.reject("envoy", "a1");
    let decisions = desk.table.decisions();
    assert_eq!(decisions.appeal, [Arc::from("b2")]);
    assert_eq!(desk.store("a.test", "a2"), "a2", "that was not it");
    desk.reject("envoy", "b2");
    assert_eq!(desk.store("b.test", "b2"), "b1");
    desk.reject("envoy", "a2");
    desk.table.decisions();
    assert!(desk.table.accepted("envoy", "b1"));
    assert_eq!(desk.table.decisions().appeal, [Arc::from("a2")]);
    assert!(desk.table.accepted("envoy", "a2"));
    let told: Vec<String> = desk.table.rolled_back(NOW).into_iter().map(|told| told.serial).collect();
    assert_eq!(told, ["b2"], "in the end only the bad one is");
}

#[test]
fn one_that_is_not_served_is_rolled_back() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.store("a.test", "2");
    assert!(desk.table.accepted("envoy", "2"));
    let decisions = desk.table.decisions();
    assert_eq!(decisions.verify.last(), Some(&(key("a.test"), Arc::from("2"))));
    desk.table.unserved(&key("a.test"), "2", "another one is shown", false, NOW);
    assert_eq!(desk.store("a.test", "2"), "1");
    assert_eq!(desk.replaced_at(NOW + 60), [""; 0], "another one would be served no more than this");
    desk.table.unserved(&key("a.test"), "1", "late", true, NOW);
    assert_eq!(desk.table.rolled_back(NOW).len(), 1, "a look at an older one says nothing");
}

#[test]
fn the_engine_is_asked_less_and_less_often() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.store("a.test", "2");
    desk.reject("envoy", "2");
    assert_eq!(desk.replaced_at(NOW), [""; 0], "the blame may lie elsewhere");
    assert_eq!(desk.replaced_at(NOW + 2), ["2"]);
    desk.store("a.test", "3");
    desk.reject("envoy", "3");
    assert_eq!(desk.replaced_at(NOW + 3599), [""; 0]);
    let mut desk = desk.restarted();
    desk.store("a.test", "3");
    assert_eq!(desk.replaced_at(NOW + 3599), [""; 0], "a restart hurries nothing");
    assert_eq!(desk.replaced_at(NOW + 3600), ["3"]);
}

#[test]
fn the_first_of_its_names_can_not_be_rolled_back_and_is_told_all_the_same() {
    let mut desk = Desk::new();
    assert_eq!(desk.store("a.test", "1"), "1");
    desk.reject("envoy", "1");
    assert_eq!(desk.store("a.test", "1"), "1");
    let told = desk.table.rolled_back(NOW);
    assert_eq!((told.len(), told[0].last_good_until), (1, None));
}

#[test]
fn what_is_proven_for_long_is_forgotten_and_what_is_read_at_the_start_is_not_followed() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.table.keep_time(NOW + DAY);
    assert!(desk.table.kept().is_empty());
    desk.reject("envoy", "1");
    assert_eq!(desk.table.rolled_back(NOW), []);
    let read = Observation { served: None, is_news: false };
    desk.table.choose(&certificate("b.test", "1", NOW + DAY), read, NOW);
    assert!(!desk.table.accepted("envoy", "1"));
    assert!(desk.table.expected(&key("b.test"), "1").is_none());
}

#[test]
fn what_is_stored_no_longer_is_kept_no_longer() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    desk.store("a.test", "2");
    assert_eq!(desk.table.kept().len(), 1);
    let mut desk = desk.restarted();
    desk.table.keep_time(NOW);
    assert!(desk.table.decisions().keep);
    assert!(desk.table.kept().is_empty());
}

#[test]
fn versions_of_nobody_say_nothing() {
    let mut desk = Desk::new();
    desk.proven("a.test", "1");
    assert!(!desk.table.accepted("envoy", "x") && !desk.table.rejected("envoy", "x", "bad", NOW));
    assert!(desk.table.rolled_back(NOW).is_empty());
}
