//! The table of certified hosts: what is found in it, what stays where it is full, and who may write it.

use std::rc::Rc;

use super::*;
use crate::proxy::Proxy;
use crate::proxy::fake::FakeProxy;
use crate::shared::tests::shared as of;

const NOW: i64 = 1_000_000;

fn certificate<'a>(names: &'a [String], not_after: i64, rank: i64) -> Certificate<'a> {
    Certificate { names, serial: "0a1b", issuer: "Test CA 1", not_after, rank }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn table() -> (Rc<FakeProxy>, Shared) {
    let fake = Rc::new(FakeProxy::default());
    let shared = of(&fake);
    (fake, shared)
}

fn publish_names(shared: &Shared, epoch: u64, wanted: &[&str], not_after: i64) {
    publish(shared, epoch, &certificate(&names(wanted), not_after, NOW), NOW).unwrap();
}

/// A snapshot of one certificate a name.
fn snapshot(shared: &Shared, certificates: &[(&str, i64, i64)]) -> Snapshot {
    let mut snapshot = Snapshot::new();
    for (name, not_after, rank) in certificates {
        snapshot.add(shared, &certificate(&names(&[name]), *not_after, *rank), NOW);
    }
    snapshot
}

/// Names that all fall into the shard of `a.example`.
fn colliding(count: usize) -> Vec<String> {
    let shard = shard_of("a.example");
    (0..).map(|number| format!("n{number}.example")).filter(|name| shard_of(name) == shard).take(count).collect()
}

#[test]
fn a_name_is_certified_until_its_certificate_ends() {
    let (_, shared) = table();
    publish_names(&shared, 1, &["a.example", "192.0.2.1", "2001:db8::1"], NOW + 10);
    for name in ["a.example", "192.0.2.1", "2001:db8::1"] {
        assert_eq!(not_after(&shared, name, NOW), Some(NOW + 10));
        assert_eq!(not_after(&shared, name, NOW + 9), Some(NOW + 10));
        assert_eq!(not_after(&shared, name, NOW + 10), None);
    }
    assert_eq!(not_after(&shared, "b.example", NOW), None);
    assert_eq!(not_after(&shared, "a.exampl", NOW), None);
}

#[test]
fn a_wildcard_covers_one_label() {
    let (_, shared) = table();
    publish_names(&shared, 1, &["*.a.example"], NOW + 10);
    assert_eq!(not_after(&shared, "b.a.example", NOW), Some(NOW + 10));
    assert_eq!(not_after(&shared, "a.example", NOW), None);
    assert_eq!(not_after(&shared, "c.b.a.example", NOW), None);
}

#[test]
fn a_valid_wildcard_counts_where_the_names_own_certificate_is_over() {
    let (_, shared) = table();
    publish_names(&shared, 1, &["b.a.example"], NOW + 10);
    publish_names(&shared, 1, &["*.a.example"], NOW + 20);
    assert_eq!(not_after(&shared, "b.a.example", NOW + 15), Some(NOW + 20));
}

#[test]
fn a_certificate_that_replaces_another_one_also_does_when_it_ends_earlier() {
    let (_, shared) = table();
    publish_names(&shared, 1, &["a.example"], NOW + 100);
    publish_names(&shared, 1, &["a.example"], NOW + 50);
    assert_eq!(not_after(&shared, "a.example", NOW), Some(NOW + 50));
}

#[test]
fn of_two_certificates_for_a_name_the_one_that_ends_last_counts() {
    let (_, shared) = table();
    replace(
        &shared,
        1,
        &snapshot(&shared, &[("a.example", NOW + 5, 3), ("a.example", NOW + 9, 1), ("a.example", NOW + 7, 2)]),
        NOW,
    )
    .unwrap();
    assert_eq!(not_after(&shared, "a.example", NOW), Some(NOW + 9));
}

#[test]
fn a_certificate_that_is_gone_leaves_the_table() {
    let (_, shared) = table();
    publish_names(&shared, 1, &["a.example", "b.example"], NOW + 10);
    replace(&shared, 1, &snapshot(&shared, &[("b.example", NOW + 20, 1)]), NOW).unwrap();
    assert_eq!(not_after(&shared, "a.example", NOW), None);
    assert_eq!(not_after(&shared, "b.example", NOW), Some(NOW + 20));
}

#[test]
fn a_leader_that_lost_its_lease_overwrites_nothing_of_the_next_one() {
    let (_, shared) = table();
    publish_names(&shared, 7, &["a.example"], NOW + 10);
    publish_names(&shared, 6, &["a.example"], NOW + 99);
    replace(&shared, 6, &snapshot(&shared, &[]), NOW).unwrap();
    assert_eq!(not_after(&shared, "a.example", NOW), Some(NOW + 10));
}

#[test]
fn a_table_that_has_not_changed_is_not_written() {
    let (fake, shared) = table();
    let all = snapshot(&shared, &[("a.example", NOW + 10, 1)]);
    replace(&shared, 1, &all, NOW).unwrap();
    let key = key(shard_of("a.example"));
    let before = fake.shared_data(&key).unwrap();
    replace(&shared, 1, &all, NOW).unwrap();
    assert_eq!(fake.shared_data(&key).unwrap(), before);
    let keys = (0..SHARDS).filter(|shard| fake.shared_data(&super::key(*shard)).unwrap().is_some());
    assert_eq!(keys.count(), 1, "an empty shard has no key");
}

#[test]
fn the_newest_and_those_asked_for_stay_in_a_full_shard() {
    let (fake, shared) = table();
    let names = colliding(300);
    let mut all = Snapshot::new();
    for (rank, name) in (1..).zip(&names) {
        all.add(&shared, &certificate(std::slice::from_ref(name), NOW + 10, rank), NOW);
    }
    replace(&shared, 1, &all, NOW).unwrap();
    let known = |name: &str| not_after(&shared, name, NOW).is_some();
    let size = fake.shared_data(&key(shard_of("a.example"))).unwrap().unwrap().0.len();
    assert!(size <= shard::MAX + 33, "{size}");
    assert!(!known(&names[0]) && known(&names[299]));
    // All that is there was just asked for in this order: the first one asked for is a line like the others.
    let last = names
        .iter()
        .position(|name| Shard::read(&shared.read(&key(shard_of(name))).unwrap().unwrap()).line(name).is_some());
    let last = &names[last.unwrap()];
    assert!(known(last));
    let newer = colliding(600).split_off(300);
    for name in newer.iter().take(100) {
        publish(&shared, 1, &certificate(std::slice::from_ref(name), NOW + 10, NOW - 1), NOW).unwrap();
    }
    assert!(known(last), "asked for since the others were issued");
    assert!(known(&newer[0]) && known(&newer[99]));
    // More than can be kept while the state is read.
    for (rank, name) in (1..).zip(&newer) {
        all.add(&shared, &certificate(std::slice::from_ref(name), NOW + 10, rank), NOW);
    }
    replace(&shared, 1, &all, NOW).unwrap();
    assert!(known(last), "asked for");
}

#[test]
fn marking_a_name_is_a_write_an_hour_and_only_where_room_is_short() {
    let (fake, shared) = table();
    let key = key(shard_of("a.example"));
    let number = || fake.shared_data(&key).unwrap().unwrap().1;
    replace(&shared, 1, &snapshot(&shared, &[("a.example", NOW + 99_999, 1)]), NOW).unwrap();
    let first = number();
    assert!(not_after(&shared, "a.example", NOW).is_some());
    assert_eq!(number(), first);
    for name in colliding(110) {
        publish(&shared, 1, &certificate(&[name], NOW + 99_999, NOW), NOW).unwrap();
    }
    let crowded = number();
    assert!(not_after(&shared, "a.example", NOW).is_some());
    assert_eq!(number(), crowded + 1);
    assert!(not_after(&shared, "a.example", NOW + MARK_PERIOD).is_some());
    assert_eq!(number(), crowded + 1);
    assert!(not_after(&shared, "a.example", NOW + MARK_PERIOD + 1).is_some());
    assert_eq!(number(), crowded + 2);
}

#[test]
fn what_another_plugin_writes_certifies_nothing() {
    let (fake, shared) = table();
    let key = key(shard_of("a.example"));
    let text = format!("v1 1\na.example 0a {} 1 CA\n", NOW + 10);
    for value in
        [text.as_bytes().to_vec(), [&[0], text.as_bytes()].concat(), [&[1], &[0; 32][..], text.as_bytes()].concat()]
    {
        fake.set_shared_data(&key, &value, 0).unwrap();
        for _ in 0..2 {
            assert_eq!(not_after(&shared, "a.example", NOW), None);
        }
    }
    publish_names(&shared, 1, &["a.example"], NOW + 10);
    assert_eq!(not_after(&shared, "a.example", NOW), Some(NOW + 10));
    // Verified once, and replaced since.
    fake.set_shared_data(&key, text.as_bytes(), 0).unwrap();
    assert_eq!(not_after(&shared, "a.example", NOW), None);
}

#[test]
fn garbage_counts_as_an_empty_table_and_is_replaced() {
    let (_, shared) = table();
    let key = key(shard_of("a.example"));
    for garbage in [
        &b"\xff\xff"[..],
        b"v1",
        b"v2 1\na.example 0a 2000000 1 CA\n",
        b"v1 x\na.example 0a 2000000 1 CA\n",
        b"v1 1\na.example 0a x 1 CA\na.example 0a\n\n a.example\n",
    ] {
        shared.update(&key, |_| Some(garbage.to_vec())).unwrap();
        assert_eq!(not_after(&shared, "a.example", NOW), None, "{}", garbage.escape_ascii());
        publish_names(&shared, 1, &["a.example"], NOW + 10);
        assert_eq!(not_after(&shared, "a.example", NOW), Some(NOW + 10));
    }
}

#[test]
fn a_line_says_who_issued_what_until_when() {
    let (_, shared) = table();
    let mut certificate = certificate(&[], NOW + 10, NOW);
    let all = names(&["a.example", "a b", "", &"a".repeat(254)]);
    for (serial, issuer, expected) in [
        ("0a1b", "Test CA 1", "0a1b 1000010 1000000 Test CA 1"),
        ("", "", "- 1000010 1000000 -"),
        ("0a 1b", "CN=Tëst\nv1 9", "- 1000010 1000000 CN=Tëst"),
        ("0a", &"ë".repeat(40), &format!("0a 1000010 1000000 {}", "ë".repeat(32))),
    ] {
        (certificate.names, certificate.serial, certificate.issuer) = (&all, serial, issuer);
        publish(&shared, 1, &certificate, NOW).unwrap();
        let value = shared.read(&key(shard_of("a.example"))).unwrap().unwrap();
        assert_eq!(str::from_utf8(&value), Ok(format!("v1 1\na.example {expected}\n").as_str()));
    }
}
