//! Ten times as many routers, names and certificates take about ten times as long, never a hundred times.

use std::collections::HashSet;
use std::time::Duration;

use config::EngineOptions;
use config::rule::{self, Syntax};
use engine::plan::plan;
use engine::schedule::Schedule;
use protocol::{Attempt, CertificateId, Order, Renewal, State, StoredCertificate};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 24 * 60 * 60;

/// How much longer once with ten times as much may take than ten times with as much: what is linear takes as long, but
/// for caches that overflow, and a quadratic step makes it ten times.
const MOST: u32 = 4;

/// How often both are measured. The shortest time counts: what else the machine does only makes it longer, and since
/// both take about as long, it has the same chance with either.
const ROUNDS: usize = 5;

/// How long this thread has worked: what others do meanwhile does not count.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// `scene` prepares so much work, `work` does it.
fn assert_linear<S>(what: &str, few: usize, scene: impl Fn(usize) -> S, work: impl Fn(&S)) {
    let (small, large) = (scene(few), scene(few * 10));
    let times = |scene: &S, count: usize| {
        let began = worked();
        (0..count).for_each(|_| work(scene));
        worked() - began
    };
    let (mut ten_small, mut one_large) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        ten_small = ten_small.min(times(&small, 10));
        one_large = one_large.min(times(&large, 1));
    }
    assert!(one_large < ten_small * MOST, "{what}: {ten_small:?} ten times, {one_large:?} once with ten times as much");
}

fn id(names: &[String]) -> CertificateId {
    CertificateId { resolver: "le".to_owned(), names: names.to_vec() }
}

fn names(i: usize, count: usize) -> Vec<String> {
    (0..count).map(|k| format!("w{k}.customer{i}.example")).collect()
}

fn certificate(id: CertificateId, serial: usize) -> StoredCertificate {
    let (not_before, not_after) = (NOW - 30 * DAY, NOW + 60 * DAY);
    StoredCertificate {
        resolver: id.resolver,
        names: id.names,
        not_before,
        not_after,
        serial: format!("{serial:x}"),
        ..StoredCertificate::default()
    }
}

/// So many wants, and what is stored of them.
type Scene = fn(usize) -> (Vec<CertificateId>, State);

fn stored_in_another_order(count: usize) -> (Vec<CertificateId>, State) {
    let wants = (0..count).map(|i| id(&names(i, 3))).collect();
    let stored = (0..count).rev().map(|i| certificate(id(&names(i, 3).into_iter().rev().collect::<Vec<_>>()), i));
    (wants, State { certificates: stored.collect(), ..State::default() })
}

fn all_new(count: usize) -> (Vec<CertificateId>, State) {
    ((0..count).map(|i| id(&names(i, 1 + i % 3))).collect(), State::default())
}

fn covered_by_wildcards(count: usize) -> (Vec<CertificateId>, State) {
    let wildcard = |i: usize| id(&[format!("*.customer{i}.example")]);
    let certificates = (0..count).map(|i| certificate(wildcard(i), i)).collect();
    ((0..count).map(|i| id(&names(i, 2))).collect(), State { certificates, ..State::default() })
}

fn all_tried_and_half_done(count: usize) -> (Vec<CertificateId>, State) {
    let wants: Vec<CertificateId> = (0..count).map(|i| id(&names(i, 1))).collect();
    let attempt = |id: &CertificateId| Attempt {
        certificate: id.clone(),
        failures: 1,
        retry_at: NOW,
        order_is_dead: false,
        fingerprint: None,
        permanent: None,
        ..Attempt::default()
    };
    let order = |id: &CertificateId| Order {
        certificate: id.clone(),
        url: "https://ca.example/order".to_owned(),
        ca_server: "https://ca.example/".to_owned(),
        created: NOW,
        ..Order::default()
    };
    let attempts = wants.iter().map(attempt).collect();
    let orders = wants.iter().map(order).collect();
    (wants, State { attempts, orders, ..State::default() })
}

#[test]
fn planning_is_linear() {
    let scenes: [(&str, Scene); 4] = [
        ("stored in another order", stored_in_another_order),
        ("all new", all_new),
        ("covered by wildcards", covered_by_wildcards),
        ("all tried and half done", all_tried_and_half_done),
    ];
    for (what, scene) in scenes {
        assert_linear(what, 1_000, scene, |(wants, state)| {
            plan(wants, state, &HashSet::new(), NOW, &Schedule::default(), &EngineOptions::default());
        });
    }
}

/// An engine's world with so many valid certificates, about which their CA was asked just now.
fn quiet(count: usize) -> crate::world::Scene {
    let mut scene = crate::world::Scene::new(1, acme::scripted::Settings::default(), &[]);
    let now = scene.world.now_millis() / 1000;
    scene.config.wants = (0..count).map(|i| id(&names(i, 1))).collect();
    let certificate = |(serial, id): (usize, &CertificateId)| StoredCertificate {
        not_before: now,
        not_after: now + 90 * DAY,
        renewal_id: Some(acme::scripted::renewal_id(serial as u64)),
        ..certificate(id.clone(), serial)
    };
    let certificates: Vec<StoredCertificate> = scene.config.wants.iter().enumerate().map(certificate).collect();
    let asked = |stored: &StoredCertificate| {
        let (certificate, serial, ask_at) = (stored.id(), stored.serial.clone(), now + DAY);
        Renewal { certificate, serial, ask_at, ..Renewal::default() }
    };
    let renewals = certificates.iter().map(asked).collect();
    scene.keeper.stored.replace(State { certificates, renewals, ..State::default() });
    scene
}

/// How long an engine works in its first hour with so many valid certificates, in which it looks at all of them twice,
/// and for each time that it then wakes with nothing to do.
fn ticks(count: usize) -> (Duration, Duration) {
    const HOUR: Duration = Duration::from_hours(1);
    // Within a day, before any CA is to be asked again.
    const TICKS: u32 = 2_500;
    let work = |limit: Duration| {
        let scene = quiet(count);
        let began = worked();
        scene.run(limit);
        worked() - began
    };
    let (mut first, mut whole) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        first = first.min(work(HOUR));
        whole = whole.min(work(HOUR + TICKS * Duration::from_secs(30)));
    }
    (first, whole.saturating_sub(first) / TICKS)
}

#[test]
fn an_engine_with_nothing_due_looks_at_nothing() {
    let (first, tick) = ticks(100_000);
    println!("100,000 certificates: {tick:?} a tick, {first:?} for the first look");
    assert!(tick < first / 5_000, "{tick:?} a tick, {first:?} for the first look");
}

#[test]
fn reading_routers_is_linear() {
    let config = |count: usize| -> Value {
        let router = |i: usize| {
            let rule = format!("Host(`a.customer{i}.example`) || Host(`b.customer{i}.example`) && PathPrefix(`/`)");
            (format!("r{i}"), json!({"rule": rule, "service": "s", "tls": {"certResolver": "le"}}))
        };
        json!({
            "certificatesResolvers": {"le": {"acme": {"email": "a@b.example", "httpChallenge": {"entryPoint": "web"}}}},
            "routers": (0..count).map(router).collect::<serde_json::Map<String, Value>>(),
            "sidecar": {"cluster": "s"}
        })
    };
    assert_linear("routers", 500, config, |config| {
        config::parse(config).unwrap();
    });
}

#[test]
fn reading_a_rule_is_linear() {
    let rule = |count| vec!["Path(`/ä`)"; count].join("||");
    assert_linear("matchers", 450, rule, |rule| {
        rule::parse(rule, Syntax::V3).unwrap();
    });
}
