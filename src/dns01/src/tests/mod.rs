//! The solver with a DNS and a provider in memory, on a virtual clock.

#![allow(clippy::unwrap_used, clippy::panic)]

mod journal;
mod persist;
mod propagation;
mod removal;
mod solver;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Dns01, DnsChecks};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::delegation::Delegation;
use super::lookup::testing::{FakeDns, NS1, NS2, RECURSIVE, txt};
use super::provider::{Record, Timing};
use super::providers::{DnsProvider, Providers};
use super::shared::Parts;
use super::solver::{Solver, Unsolved};
use base::clock::Clock;

/// Time that a `PUT` is held.
const PATIENCE: Duration = Duration::from_secs(20);
/// The name of most tests.
const A: &str = "_acme-challenge.a.example.";

/// A sidecar's solver, its files, and everything it talks to.
struct Fixture {
    directory: TempDir,
    dns: FakeDns,
    provider: FakeProvider,
}

impl Fixture {
    fn new() -> Self {
        let dns = FakeDns::new();
        let provider = FakeProvider(Arc::new(Mutex::new(Provider::new(dns.clone()))));
        Self { directory: tempfile::tempdir().unwrap(), dns, provider }
    }

    fn storage(&self) -> PathBuf {
        self.directory.path().join("acme.json")
    }

    fn journal(&self) -> PathBuf {
        self.directory.path().join("acme.json.dns-records")
    }

    /// A solver that starts from the files of the last one.
    async fn solver(&self) -> Solver {
        self.solver_with(Delegation { is_followed: true, zones: Vec::new() }).await
    }

    async fn solver_with(&self, delegation: Delegation) -> Solver {
        let parts = Parts {
            providers: Box::new(self.provider.clone()),
            exchange: Arc::new(self.dns.clone()),
            name_server_port: 53,
            delegation,
            clock: Clock::system(),
        };
        let solver = Solver::open(&self.storage(), parts).await;
        solver.resume();
        solver
    }

    /// The values of a name on both of the zone's servers.
    fn texts(&self, at: &str) -> Vec<String> {
        let texts = self.dns.texts(NS1, at);
        assert_eq!(texts, self.dns.texts(NS2, at));
        texts
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(3 * 60 * 60), "it never became so");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A provider with the codes `fast`, `slow`, `replacing` and so on: all change the same zone.
#[derive(Clone)]
struct FakeProvider(Arc<Mutex<Provider>>);

struct Provider {
    dns: FakeDns,
    timing: Timing,
    /// Duration of a call, by code.
    takes: HashMap<String, Duration>,
    /// Propagation delay of the second server.
    lag: Duration,
    /// The error of `present`.
    refuses: Option<String>,
    /// The error of `clean_up`.
    keeps: Option<String>,
    /// True if created records never become visible.
    is_blind: bool,
    calls: Vec<Call>,
    /// The names that are being changed.
    busy: Vec<String>,
}

/// A call to the provider.
#[derive(Clone, Debug)]
struct Call {
    is_present: bool,
    record: Record,
    began: Instant,
}

impl Provider {
    fn new(dns: FakeDns) -> Self {
        let timing = Timing {
            propagation_timeout: Duration::from_secs(60),
            polling_interval: Duration::from_secs(2),
            sequence_interval: None,
        };
        Self {
            dns,
            timing,
            takes: HashMap::new(),
            lag: Duration::ZERO,
            refuses: None,
            keeps: None,
            is_blind: false,
            calls: Vec::new(),
            busy: Vec::new(),
        }
    }
}

impl FakeProvider {
    fn state(&self) -> MutexGuard<'_, Provider> {
        self.0.lock().unwrap()
    }

    fn presents(&self) -> Vec<Call> {
        self.state().calls.iter().filter(|call| call.is_present).cloned().collect()
    }

    fn clean_ups(&self) -> Vec<Call> {
        self.state().calls.iter().filter(|call| !call.is_present).cloned().collect()
    }
}

impl Providers for FakeProvider {
    fn find<'a>(&'a self, code: &'a str, _: &'a str) -> BoxFuture<'a, Result<Box<dyn DnsProvider>, String>> {
        async move {
            match code {
                "none" => Err("there is no DNS provider \"none\"".to_owned()),
                code => Ok(Box::new(Coded { provider: self.clone(), code: code.to_owned() }) as Box<dyn DnsProvider>),
            }
        }
        .boxed()
    }
}

struct Coded {
    provider: FakeProvider,
    code: String,
}

impl Coded {
    async fn begin(&self, is_present: bool, record: &Record) {
        let takes = {
            let mut state = self.provider.state();
            state.calls.push(Call { is_present, record: record.clone(), began: Instant::now() });
            assert!(!state.busy.contains(&record.fqdn), "two change {} at once", record.fqdn);
            state.busy.push(record.fqdn.clone());
            state.takes.get(&self.code).copied().unwrap_or_default()
        };
        sleep(takes).await;
        self.provider.state().busy.retain(|fqdn| *fqdn != record.fqdn);
    }
}

impl DnsProvider for Coded {
    fn timing(&self) -> Timing {
        self.provider.state().timing
    }

    fn follows_cnames(&self) -> bool {
        true
    }

    fn may_replace(&self) -> bool {
        self.code == "replacing"
    }

    fn present<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>> {
        async move {
            self.begin(true, record).await;
            let state = self.provider.state();
            if let Some(why) = &state.refuses {
                return Err(why.clone());
            }
            if state.is_blind || state.dns.texts(NS1, &record.fqdn).contains(&record.value) {
                return Ok(());
            }
            state.dns.add(NS1, &record.fqdn, txt(&record.value));
            let (dns, lag, record) = (state.dns.clone(), state.lag, record.clone());
            if lag.is_zero() {
                dns.add(NS2, &record.fqdn, txt(&record.value));
            } else {
                tokio::spawn(async move {
                    sleep(lag).await;
                    dns.add(NS2, &record.fqdn, txt(&record.value));
                });
            }
            Ok(())
        }
        .boxed()
    }

    fn clean_up<'a>(&'a self, record: &'a Record) -> BoxFuture<'a, Result<(), String>> {
        async move {
            self.begin(false, record).await;
            let state = self.provider.state();
            if let Some(why) = &state.keeps {
                return Err(why.clone());
            }
            for server in [NS1, NS2] {
                state.dns.remove(server, &record.fqdn, &txt(&record.value));
            }
            Ok(())
        }
        .boxed()
    }
}

fn checks() -> DnsChecks {
    DnsChecks { resolvers: vec![RECURSIVE.to_owned()], ..DnsChecks::default() }
}

/// A challenge for a name; each number is another token.
fn challenge(domain: &str, number: u32) -> Dns01 {
    let token = format!("{number:032}");
    Dns01 {
        key_authorization: format!("{token}.{}", "t".repeat(43)),
        token,
        resolver: "le".into(),
        domain: domain.into(),
        provider: "fast".into(),
        checks: checks(),
    }
}

fn failure(solved: Result<bool, Unsolved>) -> String {
    match solved {
        Err(Unsolved::Failed(why)) => why,
        other => panic!("expected a failure, found {other:?}"),
    }
}
