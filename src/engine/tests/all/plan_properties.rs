//! Properties of every plan and every wait, whatever is wanted, stored, under way and tried.

use std::collections::HashSet;
use std::time::Duration;

use acme::Class;
use config::EngineOptions;
use config::coverage::Coverage;
use engine::Why;
use engine::backoff;
use engine::plan::{Plan, plan};
use engine::schedule::Schedule;
use proptest::prelude::*;
use protocol::{Attempt, CertificateId, Order, ProvidedCertificate, State, StoredCertificate};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

/// Few names and two resolvers, so that certificates meet.
fn id() -> impl Strategy<Value = CertificateId> {
    let names = prop::sample::subsequence(
        vec!["a.example", "b.example", "c.example", "x.a.example", "*.a.example", "192.0.2.1"],
        1..=4,
    );
    (prop::sample::select(vec!["le", "zero"]), names.prop_shuffle()).prop_map(|(resolver, names)| CertificateId {
        resolver: resolver.to_owned(),
        names: names.into_iter().map(str::to_owned).collect(),
    })
}

fn certificate() -> impl Strategy<Value = StoredCertificate> {
    let dates = prop_oneof![
        6 => (-100 * DAY..100 * DAY, 1..120 * DAY).prop_map(|(end, life)| (NOW + end - life, NOW + end)),
        1 => (any::<i64>(), any::<i64>()),
    ];
    (id(), dates, any::<u32>()).prop_map(|(id, (not_before, not_after), serial)| StoredCertificate {
        resolver: id.resolver,
        names: id.names,
        not_before,
        not_after,
        serial: format!("{serial:x}"),
        issuer: "CA".to_owned(),
        ..StoredCertificate::default()
    })
}

fn attempt() -> impl Strategy<Value = Attempt> {
    let retry_at = prop_oneof![4 => NOW - 7_000..NOW + 30_000, 1 => any::<i64>()];
    (id(), any::<u32>(), retry_at, any::<bool>()).prop_map(|(id, failures, retry_at, order_is_dead)| Attempt {
        certificate: id,
        failures,
        retry_at,
        order_is_dead,
        fingerprint: None,
        permanent: None,
        ..Attempt::default()
    })
}

fn order() -> impl Strategy<Value = Order> {
    id().prop_map(|id| Order {
        certificate: id,
        url: "https://ca/1".into(),
        ca_server: "https://ca/".into(),
        created: NOW,
        ..Order::default()
    })
}

/// As a state store has it: of each certificate one at most, and one order and one attempt.
fn state() -> impl Strategy<Value = State> {
    let lists = (
        prop::collection::vec(certificate(), 0..6),
        prop::collection::vec(id(), 0..2),
        prop::collection::vec(order(), 0..3),
        prop::collection::vec(attempt(), 0..4),
    );
    lists.prop_map(|(mut certificates, provided, mut orders, mut attempts)| {
        fn keep_first<T>(list: &mut Vec<T>, id: impl Fn(&T) -> CertificateId) {
            let mut seen = HashSet::new();
            list.retain(|item| seen.insert(id(item).canonical()));
        }
        keep_first(&mut certificates, StoredCertificate::id);
        keep_first(&mut orders, |order| order.certificate.clone());
        keep_first(&mut attempts, |attempt| attempt.certificate.clone());
        {
            let provided =
                provided.into_iter().map(|id| ProvidedCertificate { names: id.names, not_after: NOW }).collect();
            State { certificates, provided, orders, attempts, ..State::default() }
        }
    })
}

fn renewal_at(certificate: &StoredCertificate) -> i64 {
    Schedule::default().by_lifetime(certificate)
}

fn planned(wants: &[CertificateId], state: &State, in_flight: &HashSet<CertificateId>, now: i64) -> Plan {
    plan(wants, state, in_flight, now, &Schedule::default(), &EngineOptions::default())
}

/// Straight from the definition (RFC 6125 §6.4.3), without an index.
fn covers(pattern: &str, name: &str) -> bool {
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let by_wildcard = pattern.strip_prefix("*.").is_some_and(|parent| {
        name.split_once('.').is_some_and(|(first, rest)| rest == parent && first != "*" && !first.is_empty())
    });
    pattern == name || (by_wildcard && !is_address)
}

/// Names as certificates have them, and others: few labels, so that they meet.
fn name() -> impl Strategy<Value = String> {
    let labels = prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "1", ""]), 1..5);
    prop_oneof![4 => labels.prop_map(|labels| labels.join(".")), 1 => Just("2001:db8::1".to_owned())]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn names_are_covered_as_the_definition_has_it(
        certificates in prop::collection::vec(prop::collection::vec(name(), 0..3), 0..4),
        names in prop::collection::vec(name(), 0..4),
    ) {
        let mut coverage = Coverage::default();
        certificates.iter().for_each(|names| coverage.add_all(names));
        let is_covered = |name: &String| certificates.iter().flatten().any(|pattern| covers(pattern, name));
        for name in &names {
            prop_assert_eq!(coverage.covers(name), is_covered(name), "{} in {:?}", name, certificates);
        }
        prop_assert_eq!(coverage.covers_all(&names), names.iter().all(is_covered));
    }

    #[test]
    fn of_new_lists_none_is_within_another(
        wants in prop::collection::vec(id(), 0..6),
        state in state(),
    ) {
        let due = planned(&wants, &state, &HashSet::new(), NOW).due;
        let brings = |why| matches!(why, Why::First | Why::Resume);
        for one in due.iter().filter(|due| due.why == Why::First) {
            for other in due.iter().filter(|other| brings(other.why) && other.id != one.id) {
                let is_within = one.id.names.iter().all(|name| other.id.names.contains(name));
                prop_assert!(!is_within, "{one:?} is within {other:?}");
            }
        }
    }

    #[test]
    fn no_name_is_forgotten(
        wants in prop::collection::vec(id(), 0..6),
        state in state(),
        in_flight in prop::collection::hash_set(id(), 0..2),
    ) {
        let plan = planned(&wants, &state, &in_flight, NOW);
        // A certificate that nobody renews any more is none to rely on once it would be due.
        let is_kept = |stored: &&StoredCertificate| {
            wants.contains(&stored.id()) || renewal_at(stored) > NOW
        };
        let valid = state.certificates.iter().filter(|stored| stored.not_after > NOW);
        let serving = valid.filter(is_kept).map(|stored| &stored.names);
        let coming = plan.due.iter().map(|due| &due.id.names).chain(in_flight.iter().map(|id| &id.names));
        let covering: Vec<&String> = serving.chain(coming).chain(state.provided.iter().map(|provided| &provided.names)).flatten().collect();
        for want in &wants {
            let waits = state.attempts.iter().any(|attempt| attempt.certificate == *want && attempt.retry_at > NOW);
            for name in &want.names {
                prop_assert!(waits || covering.iter().any(|pattern| covers(pattern, name)), "{name} of {want:?}: {plan:?}");
            }
        }
    }

    #[test]
    fn nothing_is_ordered_twice_or_needlessly(
        wants in prop::collection::vec(id(), 0..6),
        state in state(),
        in_flight in prop::collection::hash_set(id(), 0..2),
    ) {
        let plan = planned(&wants, &state, &in_flight, NOW);
        for (position, due) in plan.due.iter().enumerate() {
            prop_assert!(wants.contains(&due.id));
            prop_assert!(!in_flight.iter().any(|id| *id == due.id));
            prop_assert!(!plan.due[..position].iter().any(|other| other.id == due.id));
            let own = state.certificates.iter().find(|stored| stored.id() == due.id);
            prop_assert!(own.is_none_or(|stored| renewal_at(stored) <= NOW));
            let fresh = state.certificates.iter().filter(|stored| renewal_at(stored) > NOW);
            let others: Vec<&String> = fresh.map(|stored| &stored.names).chain(state.provided.iter().map(|provided| &provided.names)).flatten().collect();
            let is_covered = due.id.names.iter().all(|name| others.iter().any(|pattern| covers(pattern, name)));
            prop_assert!(own.is_some() || !is_covered, "{due:?} is covered");
        }
    }

    #[test]
    fn once_all_that_is_due_is_issued_nothing_is_due(
        wants in prop::collection::vec(id(), 0..6),
        mut state in state(),
    ) {
        for due in planned(&wants, &state, &HashSet::new(), NOW).due {
            state.certificates.retain(|stored| stored.id() != due.id);
            state.orders.retain(|order| order.certificate != due.id);
            state.attempts.retain(|attempt| attempt.certificate != due.id);
            state.certificates.push(StoredCertificate {
                resolver: due.id.resolver,
                names: due.id.names,
                not_before: NOW,
                not_after: NOW + 90 * DAY,
                serial: "1".to_owned(),
                issuer: String::new(),
                ..StoredCertificate::default()
            });
        }
        prop_assert_eq!(planned(&wants, &state, &HashSet::new(), NOW).due, []);
    }

    #[test]
    fn each_want_is_counted_once_and_the_next_look_is_ahead(
        wants in prop::collection::vec(id(), 0..6),
        state in state(),
        in_flight in prop::collection::hash_set(id(), 0..2),
        now in prop_oneof![4 => Just(NOW), 1 => any::<i64>()],
    ) {
        let plan = planned(&wants, &state, &in_flight, now);
        let distinct: HashSet<CertificateId> = wants.iter().map(CertificateId::canonical).collect();
        let census = plan.census;
        prop_assert_eq!(census.valid + census.due + census.expired + census.missing, distinct.len() as u64);
        prop_assert!(plan.next_wake.is_none_or(|wake| wake > now), "a wake in the past would be a busy loop");
    }

    #[test]
    fn what_is_not_due_now_is_due_at_the_next_look_or_a_later_one(
        wants in prop::collection::vec(id(), 1..4),
        state in state(),
    ) {
        // With nobody renewing anything, every want comes up within the longest lifetime and wait there is.
        let mut now = NOW;
        let mut up = HashSet::new();
        for _ in 0..1_000 {
            let plan = planned(&wants, &state, &HashSet::new(), now);
            up.extend(plan.due.into_iter().map(|due| due.id.canonical()));
            let Some(wake) = plan.next_wake else { break };
            prop_assert!(wake > now);
            now = wake;
        }
        for want in wants.iter().map(CertificateId::canonical) {
            let provided: Vec<&String> = state.provided.iter().flat_map(|provided| &provided.names).collect();
            let others = up.iter().flat_map(|id| &id.names).chain(provided).collect::<Vec<_>>();
            let is_covered = want.names.iter().all(|name| others.iter().any(|pattern| covers(pattern, name)));
            prop_assert!(up.contains(&want) || is_covered, "{want:?} never comes up");
        }
    }

    #[test]
    fn a_later_wait_is_never_shorter(
        failures in any::<u32>(),
        least in 1_u64..100_000_000,
        most in 1_u64..100_000_000,
        id in id(),
        asked in prop::option::of(0_u64..200_000),
    ) {
        let options = EngineOptions {
            retry_min: Duration::from_millis(least),
            retry_max: Duration::from_millis(most),
            ..EngineOptions::default()
        };
        let asked = asked.map(Duration::from_secs);
        for class in [Class::Permanent, Class::Validation, Class::Transient(asked), Class::RateLimited(asked)] {
            let wait = |failures| backoff::delay(failures, class, &options, &id, None);
            prop_assert!(wait(failures) <= wait(failures.saturating_add(1)));
            prop_assert!(wait(failures) <= options.retry_max.max(asked.unwrap_or_default()));
            prop_assert!(wait(failures) >= options.retry_min.min(options.retry_max));
        }
    }
}
