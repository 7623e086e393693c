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
struct Fixture {
    directory: TempDir,
    store: FileStore,
    permits: Permits,
    fence: Fence,
    /// The time, in seconds since 1970.
    now: i64,
}

impl Fixture {
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
        self.permits.reserve(&self.store, self.fence, request, &ca, self.now * 1000).await.unwrap()
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
    let mut fixture = Fixture::new().await;
    assert!(fixture.is_granted(&request("a.example.com")).await && fixture.is_granted(&request("b.example.com")).await);
    fixture.restart().await;
    let refused = fixture.ask(&request("c.example.com")).await;
    assert!(!refused.granted && refused.until == fixture.now + 12 * HOUR);
    assert!(
        refused
            .why
            .starts_with("ca.example.com allows 2 new certificates of a registered domain in 1d, and example.com")
    );
    assert!(fixture.is_granted(&request("www.example.org")).await);

    let [waiting] = &fixture.permits.waiting(fixture.now)[..] else { panic!() };
    assert_eq!((waiting.certificate.names[0].as_str(), &waiting.why), ("c.example.com", &refused.why));
    assert!(fixture.permits.waiting(refused.until + HOUR).is_empty(), "it is not wanted any more");
    assert!(!fixture.is_granted(&request("c.example.com")).await);
    fixture.now = refused.until;
    assert!(fixture.is_granted(&request("c.example.com")).await && fixture.permits.waiting(fixture.now).is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_given_again_and_counted_once() {
    let fixture = Fixture::new().await;
    for _ in 0..5 {
        assert!(fixture.is_granted(&request("a.example.com")).await);
    }
    assert!(
        fixture.is_granted(&request("b.example.com")).await && !fixture.is_granted(&request("c.example.com")).await
    );
    let replaced = PermitRequest { replaces: true, ..request("a.example.com") };
    assert!(fixture.is_granted(&replaced).await, "another question under the same fence");
    assert!(
        fixture.is_granted(&request("c.example.com")).await,
        "it takes the place of the one before, and counts nothing"
    );
}

#[tokio::test]
async fn an_order_in_the_place_of_a_lost_one_is_counted_too() {
    let fixture = Fixture::new().await;
    let limits = Limits { orders: limit(2, HOUR), certificates: limit(2, HOUR), ..Limits::default() };
    let of = |name: &str| PermitRequest { limits, ..request(name) };
    assert!(fixture.is_granted(&of("a.example.com")).await);
    fixture.order(&of("a.example.com")).await;
    for _ in 0..3 {
        assert!(fixture.is_granted(&of("a.example.com")).await, "it is asked again, for its answer was lost");
    }
    let refused = fixture.ask(&of("a.example.org")).await;
    assert!(!refused.granted && refused.why.contains("2 orders"), "{refused:?}");
    let unlimited = PermitRequest { limits: Limits { orders: None, ..limits }, ..request("b.example.com") };
    assert!(fixture.is_granted(&unlimited).await, "there is but one certificate so far");
}

#[tokio::test]
async fn all_accounts_of_a_ca_share_its_limits_also_at_once() {
    let fixture = Fixture::new().await;
    let requests: Vec<PermitRequest> = (0..6)
        .map(|i| PermitRequest { issuer: ["le", "own"][i % 2].into(), ..request(&format!("a{i}.example.com")) })
        .collect();
    let asked = futures::future::join_all(requests.iter().map(|request| fixture.ask(request))).await;
    assert_eq!(asked.iter().filter(|permit| permit.granted).count(), 2);
    let elsewhere = PermitRequest { ca_server: OTHER.into(), ..request("a.example.com") };
    assert!(fixture.is_granted(&elsewhere).await);
}

#[tokio::test]
async fn what_no_certificate_comes_of_is_given_back_once_its_order_is_dead() {
    let mut fixture = Fixture::new().await;
    let one = request("a.example.com");
    let two = request("b.example.com");
    for _ in 0..10 {
        assert!(fixture.is_granted(&one).await);
        fixture.fail(&one, &[]).await;
        fixture.now += 1;
    }
    assert!(fixture.is_granted(&one).await && fixture.is_granted(&two).await);
    fixture.order(&one).await;
    fixture.fail(&one, &[]).await;
    assert!(!fixture.is_granted(&request("c.example.com")).await, "its order is gone on with");
    fixture.publish(&one.certificate, None).await;
    assert!(!fixture.is_granted(&request("c.example.com")).await, "it became a certificate");
    fixture.fail(&two, &[]).await;
    assert!(fixture.is_granted(&request("c.example.com")).await);
}

#[tokio::test]
async fn tries_that_were_cut_off_before_there_was_an_order_use_up_no_certificates() {
    let mut fixture = Fixture::new().await;
    let cut_off = request("a.example.com");
    let other = request("b.example.com");
    for _ in 0..6 {
        assert!(fixture.is_granted(&cut_off).await);
        fixture.restart().await;
        fixture.now += 20 * 60;
    }
    assert!(fixture.is_granted(&other).await && fixture.is_granted(&cut_off).await);
    assert!(!fixture.is_granted(&request("c.example.com")).await);
}

#[tokio::test]
async fn of_several_cas_the_one_that_issued_counts_the_certificate() {
    let fixture = Fixture::new().await;
    let first = request("a.example.com");
    let second = PermitRequest { issuer: "own".into(), ca_server: OTHER.into(), ..first.clone() };
    for request in [&first, &second] {
        assert!(fixture.is_granted(request).await);
    }
    fixture.order(&second).await;
    fixture.publish(&first.certificate, Some("own")).await;
    let granted = async |ca_server: &str| {
        let mut granted = 0;
        for name in ["b.example.com", "c.example.com", "d.example.com"] {
            let request = PermitRequest { ca_server: ca_server.into(), ..request(name) };
            granted += u32::from(fixture.is_granted(&request).await);
        }
        granted
    };
    assert_eq!((granted(CA).await, granted(OTHER).await), (2, 1));
    assert!(fixture.progress(&first.certificate).await.1.is_empty());
}

#[tokio::test]
async fn names_that_a_ca_refused_are_counted_once_for_each_try() {
    let fixture = Fixture::new().await;
    let request =
        PermitRequest { limits: Limits { certificates: None, ..request("").limits }, ..request("a.example.com") };
    for _ in 0..3 {
        assert!(fixture.is_granted(&request).await);
        fixture.fail(&request, &["a.example.com"]).await;
        fixture.fail(&request, &["a.example.com"]).await;
    }
    let refused = fixture.ask(&request).await;
    assert!(
        refused.why.contains("3 failed authorizations of a name and an account in 1h, and a.example.com"),
        "{refused:?}"
    );
    let other = PermitRequest { issuer: "own".into(), ..request.clone() };
    assert!(fixture.is_granted(&other).await, "another account");
}

#[tokio::test]
async fn a_pause_stops_even_what_no_limit_stops() {
    let mut fixture = Fixture::new().await;
    let replacement = PermitRequest { replaces: true, ..request("www.example.com") };
    let resumed = PermitRequest { places_order: false, ..request("a.example.com") };
    assert!(fixture.is_granted(&resumed).await);
    let ca = CaOrigin::of(CA).unwrap();
    for (names, until) in [(vec!["example.com".to_owned()], HOUR), (Vec::new(), 1_000_000 * HOUR)] {
        let until = fixture.now + until;
        let pause =
            protocol::Pause { issuer: "le".into(), ca_server: CA.into(), names, until, why: "slow down".into() };
        super::pause(&fixture.store, fixture.fence, &pause, &ca, fixture.now * 1000).await.unwrap();
        fixture.restart().await;
        for request in [&replacement, &resumed] {
            let refused = fixture.ask(request).await;
            assert!(!refused.granted && refused.why.ends_with("slow down"), "{refused:?}");
            assert_eq!(refused.until, until.min(fixture.now + 24 * HOUR));
        }
        fixture.now = until.min(fixture.now + 24 * HOUR);
        assert!(fixture.is_granted(&replacement).await);
        fixture.fail(&replacement, &[]).await;
    }
}

#[tokio::test]
async fn a_loop_of_restarts_makes_few_tries_and_one_that_ends_begins_anew() {
    let mut fixture = Fixture::new().await;
    let request = PermitRequest { limits: Limits::default(), ..request("a.example.com") };
    let start = fixture.now;
    let mut tries = Vec::new();
    while fixture.now < start + 600 {
        fixture.restart().await;
        let permit = fixture.ask(&request).await;
        if permit.granted {
            tries.push(fixture.now - start);
        } else {
            assert!(permit.why.contains("began and never ended"), "{permit:?}");
        }
        fixture.now += 10;
    }
    assert_eq!(tries, [0, 10, 70, 190, 430]);
    fixture.now = start + 430 + 480;
    assert!(fixture.is_granted(&request).await);
    fixture.fail(&request, &[]).await;
    for _ in 0..2 {
        fixture.restart().await;
        assert!(fixture.is_granted(&request).await);
    }
    fixture.restart().await;
    assert!(!fixture.is_granted(&request).await);
    fixture.publish(&request.certificate, None).await;
    assert!(fixture.is_granted(&request).await);
}

#[tokio::test]
async fn a_clock_that_is_set_back_costs_one_wait_and_no_more() {
    let mut fixture = Fixture::new().await;
    let start = fixture.now;
    fixture.now += 3653 * 24 * HOUR;
    assert!(fixture.is_granted(&request("a.example.com")).await);
    fixture.now = start;
    for issuer in ["le", "own"] {
        fixture.now = start;
        let other = PermitRequest { issuer: issuer.into(), ..request("b.example.com") };
        let refused = fixture.ask(&other).await;
        assert_eq!((refused.granted, refused.until), (false, start + 12 * HOUR), "{issuer}");
        assert!(!fixture.is_granted(&other).await);
        fixture.now = refused.until;
        assert!(fixture.is_granted(&other).await, "{issuer}: the wait does not begin anew");
        fixture.fail(&other, &[]).await;
    }
}
