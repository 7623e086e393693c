//! Permits against a storage, on a clock of the test's own.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use protocol::{CertificateId, Limit, Limits, Permit, PermitRequest};
use tempfile::TempDir;

use super::*;
use base::clock::Clock;
use storage::{Claim, FileStore, LeaseBounds, Progress, Storages};

const CA: &str = "https://ca.example.com/directory";
const OTHER: &str = "https://other.example.com/directory";
const HOUR: i64 = 3600;

/// A storage, an engine that asks, and a clock.
struct World {
    directory: TempDir,
    store: FileStore,
    permits: Permits,
    fence: Fence,
    /// The time, in seconds since 1970.
    now: i64,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = open(&directory);
        let fence = fence(&store, 1).await;
        Self { store, directory, permits: Permits::default(), fence, now: 1_800_000_000 }
    }

    /// Restarts with the state on disk.
    async fn restart(&mut self) {
        self.store.close().await.unwrap();
        self.store = open(&self.directory);
        self.permits = Permits::default();
        self.fence = fence(&self.store, self.fence.0).await;
    }

    async fn ask(&self, request: &PermitRequest) -> Permit {
        let ca = CaOrigin::of(&request.ca_server).unwrap();
        self.permits.ask(&self.store, self.fence, request, &ca, self.now * 1000).await.unwrap()
    }

    async fn is_granted(&self, request: &PermitRequest) -> bool {
        self.ask(request).await.granted
    }

    /// Reports a failed attempt; the order is dead if there is none.
    async fn fail(&self, request: &PermitRequest, refused: &[&str]) {
        let attempt = protocol::Attempt {
            refused: refused.iter().map(|name| (*name).to_owned()).collect(),
            issuer: Some(request.issuer.clone()),
            ca_server: request.ca_server.clone(),
            ..attempt(&request.certificate)
        };
        let (expected, mut progress) = self.progress(&request.certificate).await;
        let mut changes = failed(&self.store, &mut progress, &attempt, self.now * 1000).await.unwrap();
        changes.push(Change::Progress { expected, progress });
        self.store.commit(self.fence, changes).await.unwrap();
    }

    async fn publish(&self, id: &CertificateId, issued_by: Option<&str>) {
        let (expected, progress) = self.progress(id).await;
        let mut changes = published(&self.store, &progress, issued_by).await.unwrap();
        changes.push(Change::Progress { expected, progress: progress.finished() });
        self.store.commit(self.fence, changes).await.unwrap();
    }

    async fn order(&self, request: &PermitRequest) {
        let (expected, mut progress) = self.progress(&request.certificate).await;
        progress.order = Some(protocol::Order {
            certificate: request.certificate.clone(),
            url: "https://ca.example.com/order/1".into(),
            ca_server: request.ca_server.clone(),
            issuer: Some(request.issuer.clone()),
            created: self.now,
            ..protocol::Order::default()
        });
        self.store.commit(self.fence, vec![Change::Progress { expected, progress }]).await.unwrap();
    }

    async fn progress(&self, id: &CertificateId) -> (Revision, Progress) {
        let stored = self.store.progress(id).await.unwrap();
        let expected = Revision::of(stored.as_ref());
        (expected, stored.map_or_else(|| Progress::none(id.clone()), |stored| stored.value))
    }
}

fn open(directory: &TempDir) -> FileStore {
    let path = |name: &str| directory.path().join(name);
    let own = std::iter::once(("own".to_owned(), path("own.json"))).collect();
    FileStore::open(&Storages { default: path("acme.json"), own }, LeaseBounds::default(), Clock::system()).unwrap()
}

async fn fence(store: &FileStore, epoch: u64) -> Fence {
    let claim = Claim { holder: "engine".into(), epoch, ttl: Duration::from_secs(600) };
    Fence(store.claim(claim).await.unwrap().fence)
}

fn attempt(id: &CertificateId) -> protocol::Attempt {
    protocol::Attempt { certificate: id.clone(), failures: 1, order_is_dead: true, ..protocol::Attempt::default() }
}

fn limit(count: u32, window_seconds: i64) -> Option<Limit> {
    Some(Limit { count, window_seconds: window_seconds.unsigned_abs() })
}

/// A new order of the resolver `le` under two new certificates of a domain in a day and three failures in an hour.
fn request(name: &str) -> PermitRequest {
    PermitRequest {
        certificate: CertificateId { resolver: "le".into(), names: vec![name.into()] },
        issuer: "le".into(),
        ca_server: CA.into(),
        places_order: true,
        renews: false,
        replaces: false,
        limits: Limits { orders: None, certificates: limit(2, 24 * HOUR), duplicates: None, failures: limit(3, HOUR) },
    }
}

#[tokio::test]
async fn what_is_granted_is_counted_over_a_restart_and_a_refusal_is_remembered() {
    let mut world = World::new().await;
    assert!(world.is_granted(&request("a.example.com")).await && world.is_granted(&request("b.example.com")).await);
    world.restart().await;
    let refused = world.ask(&request("c.example.com")).await;
    assert!(!refused.granted && refused.until == world.now + 12 * HOUR);
    assert!(
        refused
            .why
            .starts_with("ca.example.com allows 2 new certificates of a registered domain in 1d, and example.com")
    );
    assert!(world.is_granted(&request("www.example.org")).await);

    let [waiting] = &world.permits.waiting(world.now)[..] else { panic!() };
    assert_eq!((waiting.certificate.names[0].as_str(), &waiting.why), ("c.example.com", &refused.why));
    assert!(world.permits.waiting(refused.until + HOUR).is_empty(), "it is not wanted any more");
    assert!(!world.is_granted(&request("c.example.com")).await);
    world.now = refused.until;
    assert!(world.is_granted(&request("c.example.com")).await && world.permits.waiting(world.now).is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_counted_once() {
    let world = World::new().await;
    for _ in 0..5 {
        assert!(world.is_granted(&request("a.example.com")).await);
    }
    assert!(world.is_granted(&request("b.example.com")).await && !world.is_granted(&request("c.example.com")).await);
    let replaced = PermitRequest { replaces: true, ..request("a.example.com") };
    assert!(world.is_granted(&replaced).await, "another question under the same fence");
    assert!(
        world.is_granted(&request("c.example.com")).await,
        "it takes the place of the one before, and counts nothing"
    );
}

#[tokio::test]
async fn an_order_in_the_place_of_a_lost_one_is_counted_too() {
    let world = World::new().await;
    let limits = Limits { orders: limit(2, HOUR), certificates: limit(2, HOUR), ..Limits::default() };
    let of = |name: &str| PermitRequest { limits: limits.clone(), ..request(name) };
    assert!(world.is_granted(&of("a.example.com")).await);
    world.order(&of("a.example.com")).await;
    for _ in 0..3 {
        assert!(world.is_granted(&of("a.example.com")).await, "it is asked again, for its answer was lost");
    }
    let refused = world.ask(&of("a.example.org")).await;
    assert!(!refused.granted && refused.why.contains("2 orders"), "{refused:?}");
    let unlimited = PermitRequest { limits: Limits { orders: None, ..limits.clone() }, ..request("b.example.com") };
    assert!(world.is_granted(&unlimited).await, "there is but one certificate so far");
}

#[tokio::test]
async fn all_accounts_of_a_ca_share_its_limits_also_at_once() {
    let world = World::new().await;
    let requests: Vec<PermitRequest> = (0..6)
        .map(|i| PermitRequest { issuer: ["le", "own"][i % 2].into(), ..request(&format!("a{i}.example.com")) })
        .collect();
    let asked = futures::future::join_all(requests.iter().map(|request| world.ask(request))).await;
    assert_eq!(asked.iter().filter(|permit| permit.granted).count(), 2);
    let elsewhere = PermitRequest { ca_server: OTHER.into(), ..request("a.example.com") };
    assert!(world.is_granted(&elsewhere).await);
}

#[tokio::test]
async fn what_no_certificate_comes_of_is_given_back_once_its_order_is_dead() {
    let mut world = World::new().await;
    let (one, two) = (request("a.example.com"), request("b.example.com"));
    for _ in 0..10 {
        assert!(world.is_granted(&one).await);
        world.fail(&one, &[]).await;
        world.now += 1;
    }
    assert!(world.is_granted(&one).await && world.is_granted(&two).await);
    world.order(&one).await;
    world.fail(&one, &[]).await;
    assert!(!world.is_granted(&request("c.example.com")).await, "its order is gone on with");
    world.publish(&one.certificate, None).await;
    assert!(!world.is_granted(&request("c.example.com")).await, "it became a certificate");
    world.fail(&two, &[]).await;
    assert!(world.is_granted(&request("c.example.com")).await);
}

#[tokio::test]
async fn tries_that_were_cut_off_before_there_was_an_order_use_up_no_certificates() {
    let mut world = World::new().await;
    let (cut_off, other) = (request("a.example.com"), request("b.example.com"));
    for _ in 0..6 {
        assert!(world.is_granted(&cut_off).await);
        world.restart().await;
        world.now += 20 * 60;
    }
    assert!(world.is_granted(&other).await && world.is_granted(&cut_off).await);
    assert!(!world.is_granted(&request("c.example.com")).await);
}

#[tokio::test]
async fn of_several_cas_the_one_that_issued_counts_the_certificate() {
    let world = World::new().await;
    let first = request("a.example.com");
    let second = PermitRequest { issuer: "own".into(), ca_server: OTHER.into(), ..first.clone() };
    for request in [&first, &second] {
        assert!(world.is_granted(request).await);
    }
    world.order(&second).await;
    world.publish(&first.certificate, Some("own")).await;
    let granted = async |ca_server: &str| {
        let mut granted = 0;
        for name in ["b.example.com", "c.example.com", "d.example.com"] {
            let request = PermitRequest { ca_server: ca_server.into(), ..request(name) };
            granted += u32::from(world.is_granted(&request).await);
        }
        granted
    };
    assert_eq!((granted(CA).await, granted(OTHER).await), (2, 1));
    assert!(world.progress(&first.certificate).await.1.is_empty());
}

#[tokio::test]
async fn names_that_a_ca_refused_are_counted_once_for_each_try() {
    let world = World::new().await;
    let request =
        PermitRequest { limits: Limits { certificates: None, ..request("").limits }, ..request("a.example.com") };
    for _ in 0..3 {
        assert!(world.is_granted(&request).await);
        world.fail(&request, &["a.example.com"]).await;
        world.fail(&request, &["a.example.com"]).await;
    }
    let refused = world.ask(&request).await;
    assert!(
        refused.why.contains("3 failed authorizations of a name and an account in 1h, and a.example.com"),
        "{refused:?}"
    );
    let other = PermitRequest { issuer: "own".into(), ..request.clone() };
    assert!(world.is_granted(&other).await, "another account");
}

#[tokio::test]
async fn a_pause_stops_even_what_no_limit_stops() {
    let mut world = World::new().await;
    let replacement = PermitRequest { replaces: true, ..request("www.example.com") };
    let resumed = PermitRequest { places_order: false, ..request("a.example.com") };
    assert!(world.is_granted(&resumed).await);
    let ca = CaOrigin::of(CA).unwrap();
    for (names, until) in [(vec!["example.com".to_owned()], HOUR), (Vec::new(), 1_000_000 * HOUR)] {
        let until = world.now + until;
        let pause =
            protocol::Pause { issuer: "le".into(), ca_server: CA.into(), names, until, why: "slow down".into() };
        super::pause(&world.store, world.fence, &pause, &ca, world.now * 1000).await.unwrap();
        world.restart().await;
        for request in [&replacement, &resumed] {
            let refused = world.ask(request).await;
            assert!(!refused.granted && refused.why.ends_with("slow down"), "{refused:?}");
            assert_eq!(refused.until, until.min(world.now + 24 * HOUR));
        }
        world.now = until.min(world.now + 24 * HOUR);
        assert!(world.is_granted(&replacement).await);
        world.fail(&replacement, &[]).await;
    }
}

#[tokio::test]
async fn a_loop_of_restarts_makes_few_tries_and_one_that_ends_begins_anew() {
    let mut world = World::new().await;
    let request = PermitRequest { limits: Limits::default(), ..request("a.example.com") };
    let (start, mut tries) = (world.now, Vec::new());
    while world.now < start + 600 {
        world.restart().await;
        let permit = world.ask(&request).await;
        if permit.granted {
            tries.push(world.now - start);
        } else {
            assert!(permit.why.contains("began and never ended"), "{permit:?}");
        }
        world.now += 10;
    }
    assert_eq!(tries, [0, 10, 70, 190, 430]);
    world.now = start + 430 + 480;
    assert!(world.is_granted(&request).await);
    world.fail(&request, &[]).await;
    for _ in 0..2 {
        world.restart().await;
        assert!(world.is_granted(&request).await);
    }
    world.restart().await;
    assert!(!world.is_granted(&request).await);
    world.publish(&request.certificate, None).await;
    assert!(world.is_granted(&request).await);
}

#[tokio::test]
async fn a_clock_that_is_set_back_costs_one_wait_and_no_more() {
    let mut world = World::new().await;
    let start = world.now;
    world.now += 3653 * 24 * HOUR;
    assert!(world.is_granted(&request("a.example.com")).await);
    world.now = start;
    for issuer in ["le", "own"] {
        world.now = start;
        let other = PermitRequest { issuer: issuer.into(), ..request("b.example.com") };
        let refused = world.ask(&other).await;
        assert_eq!((refused.granted, refused.until), (false, start + 12 * HOUR), "{issuer}");
        assert!(!world.is_granted(&other).await);
        world.now = refused.until;
        assert!(world.is_granted(&other).await, "{issuer}: the wait does not begin anew");
        world.fail(&other, &[]).await;
    }
}
