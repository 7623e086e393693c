//! The sidecar's status at one moment: the same for `/readyz`, `/status` and the metrics.
//!
//! Promises: each fault comes with its reason and its consequence; lists are bounded, their counts are not; it holds no
//! secret. Refuses: to take a sidecar out of service for one certificate. The sidecar is unready only when it can't do
//! its work at all: it is ending, a storage can't be written, or no engine is there to order. A certificate that
//! expired or fails is listed, as the others are served all the same.

mod bounds;
mod certificates;
mod doors;
mod envoys;
mod pauses;

pub use bounds::MAX_LISTED;
use std::sync::Arc;

use serde::Serialize;

use crate::ca_reach::{CaReach, Unreachable};
use crate::closed::{Closed, ClosedRouters};
use crate::configuration::{Configuration, Reload};
use crate::deployment::{Deployment, DeploymentCounts};
use crate::engine_presence::{EnginePresence, Presence};
use crate::from_memory::FromMemory;
use crate::revocation::{Lists, Revocation};
use crate::watchdog::Watchdog;
use certificates::Faults;
pub use certificates::{Certificates, Counts, Dated, Failing, Unsaved, Waiting};
pub use doors::{Doors, RefusedTokens};
pub use envoys::{Envoy, Rejected};
pub use pauses::Paused;
use sds;
use storage::{StorageStatus, Store, StoreError};

/// The most lines of warnings in `/readyz`: people read it on a terminal.
const MAX_LINES: usize = 20;

/// The sources of the status.
pub struct Health {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The presence of the engine.
    pub engine: Arc<EnginePresence>,
    /// The SDS server's clients.
    pub sds: Arc<sds::Status>,
    /// The watchdog.
    pub watchdog: Arc<Watchdog>,
    /// The deployment of new certificates.
    pub deployment: Arc<Deployment>,
    /// The revoked certificates.
    pub revocation: Arc<Revocation>,
    /// The closed routers.
    pub closed: Arc<ClosedRouters>,
    /// The renewals that go on though the storage can't be written.
    pub from_memory: Arc<FromMemory>,
    /// The result of the last configuration read.
    pub configuration: Arc<Configuration>,
    /// The counts of requests refused for want of a token.
    pub doors: Doors,
    /// The unreachable CAs.
    pub ca_reach: Arc<CaReach>,
}

/// The whole status.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// True if the sidecar does its work.
    pub ready: bool,
    /// The reasons for not being ready, a line each.
    pub problems: Vec<String>,
    /// The engine.
    pub engine: EngineReport,
    /// The certificates that need attention.
    pub certificates: Certificates,
    /// The pauses that CAs asked for.
    pub pauses: Vec<Paused>,
    /// The storages.
    pub storages: Vec<Storage>,
    /// The outcomes of deployments of new certificates since the start.
    pub deployments: DeploymentCounts,
    /// The revocation lists.
    pub revocation_lists: Lists,
    /// The routers closed because middlewares guarding them are not supported.
    pub closed_routers: Vec<Closed>,
    /// The result of the last configuration read; `None` without `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration: Option<Reload>,
    /// The CAs that Envoy can't reach; known under `run` alone.
    pub unreachable_cas: Vec<Unreachable>,
    /// The clients refused at present for want of a good token.
    pub refused_tokens: Vec<RefusedTokens>,
    /// The connected Envoys, by node.
    pub envoys: Vec<Envoy>,
    /// The numbers of refusals since the start.
    #[serde(skip)]
    pub refusals: [(&'static str, u64); 2],
    /// All certificates from CAs.
    #[serde(skip)]
    pub stored: Vec<protocol::StoredCertificate>,
}

/// The engine's presence.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineReport {
    /// `present`, `awaited` (it may still come), or `absent`.
    pub presence: &'static str,
    /// The instance that holds the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Seconds since the last heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_age_seconds: Option<u64>,
    /// The fencing token: it grows whenever another engine takes the lease.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// The rounds of requests sent through Envoy to wake the engine.
    pub wakes: u64,
}

/// A storage.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Storage {
    /// The storage's file.
    pub place: String,
    /// The resolvers that have this storage as their own; empty for the storage of all others.
    pub resolvers: Vec<String>,
    /// True if the last write succeeded.
    pub writable: bool,
    /// The reason of the last failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Faults of the stored records: an account whose key is lost.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

impl Health {
    /// Collects the status. `waiting` are the certificates held up by a rate limit; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn report(&self, stopping: bool, waiting: Vec<Waiting>, now: i64) -> Result<Report, StoreError> {
        let stored = self.store.certificates().await?.into_iter().map(|certificate| certificate.facts);
        let stored: Vec<protocol::StoredCertificate> = stored.collect();
        let progress = self.store.all_progress().await?;
        let faults = Faults {
            waiting,
            rolled_back: self.deployment.rolled_back(),
            revoked: self.revocation.revoked(),
            unsaved: self.from_memory.all(self.store.as_ref(), now).into_iter().map(Unsaved::from).collect(),
        };
        let certificates = Certificates::of(&stored, &progress, faults, now);
        let ledgers = self.store.all_ledgers().await?;
        let ledgers = ledgers.iter().map(|(resolver, ca, ledger)| (resolver.as_str(), ca, ledger.as_ref()));
        let pauses = Paused::all(ledgers, now);
        let storages: Vec<Storage> = self.store.storages().into_iter().map(Storage::from).collect();
        let sight = self.engine.heartbeat();
        let mut problems = Vec::new();
        if stopping {
            problems.push("the sidecar is shutting down".to_owned());
        }
        problems.extend(storages.iter().filter_map(Storage::problem));
        problems.extend(certificates.unsaved_problem());
        let refused_tokens = self.doors.refused();
        if sight.presence == Presence::Absent {
            // The refused client may be the missing engine.
            problems.extend(refused_tokens.iter().filter(|refused| refused.door == "api").map(RefusedTokens::warning));
            let advice = if self.watchdog.is_armed() { "" } else { " (with --wake-address one that trapped is woken)" };
            problems.push(format!(
                "no engine for {} s: nothing is issued or renewed; is Envoy running, with the plugin?{advice}",
                sight.silence.as_secs()
            ));
        }
        let engine = EngineReport {
            presence: sight.presence.as_str(),
            holder: sight.lease.holder,
            heartbeat_age_seconds: sight.lease.heartbeat_age.map(|age| age.as_secs()),
            fence: sight.lease.fence,
            wakes: self.watchdog.wakes(),
        };
        let envoys = envoys::of(&self.sds.snapshot());
        let ready = problems.is_empty();
        let deployments = self.deployment.counts();
        let revocation_lists = self.revocation.lists();
        Ok(Report {
            ready,
            problems,
            engine,
            certificates,
            pauses,
            storages,
            deployments,
            revocation_lists,
            closed_routers: self.closed.first(MAX_LISTED),
            configuration: self.configuration.last(),
            unreachable_cas: self.ca_reach.unreachable(),
            refused_tokens,
            refusals: self.doors.all().map(|(door, refusals)| (door, refusals.count())),
            envoys,
            stored,
        })
    }
}

impl Report {
    /// Warnings about single certificates, CAs and Envoys, for a person: a line each, the worst first.
    pub fn warnings(&self) -> Vec<String> {
        let rejected = self.envoys.iter().filter_map(Envoy::warning);
        let paused = self.pauses.iter().map(Paused::warning);
        let faults = self.storages.iter().flat_map(Storage::warnings);
        let configuration = self.configuration.as_ref().and_then(Reload::warning);
        let refused = self.refused_tokens.iter().map(RefusedTokens::warning);
        let unreachable = self.unreachable_cas.iter().map(Unreachable::warning);
        let of_all = faults.chain(configuration).chain(refused).chain(unreachable);
        let all = of_all.chain(self.certificates.warnings()).chain(paused).chain(rejected);
        let mut lines: Vec<String> = all.take(MAX_LINES + 1).collect();
        if lines.len() > MAX_LINES {
            lines.truncate(MAX_LINES);
            lines.push("and more: see /status".to_owned());
        }
        lines
    }
}

impl Storage {
    fn warnings(&self) -> impl Iterator<Item = String> {
        self.faults.iter().map(|fault| format!("in the storage {}: {fault}", self.place))
    }

    fn problem(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let of = match self.resolvers.as_slice() {
            [] => String::new(),
            resolvers => format!(" (of {})", resolvers.join(", ")),
        };
        let place = &self.place;
        Some(format!(
            "the storage {place}{of} can't be written: {error}; certificates are served, and saved when it can"
        ))
    }
}

impl From<StorageStatus> for Storage {
    fn from(status: StorageStatus) -> Self {
        let StorageStatus { place, resolvers, disk, faults } = status;
        let writable = disk.error.is_none();
        let error = disk.error.map(|error| error.to_string());
        Self { place, resolvers, writable, error, faults }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;
    use crate::wants::WantsBoard;
    use base::clock::Clock;
    use storage::{Claim, FileStore, LeaseBounds, Storages};

    #[tokio::test]
    async fn it_is_not_ready_without_an_engine_when_it_had_time_to_come_and_when_it_ends() {
        let directory = tempfile::tempdir().unwrap();
        let storage = directory.path().join("acme.json");
        let storages = Storages::from(storage.as_path());
        let store: Arc<dyn Store> =
            Arc::new(FileStore::open(&storages, LeaseBounds::default(), Clock::system()).unwrap());
        let engine = Arc::new(EnginePresence::new(store.clone()));
        let health = Health {
            store: store.clone(),
            engine: engine.clone(),
            sds: Arc::default(),
            watchdog: Arc::new(Watchdog::new(engine, Vec::new())),
            deployment: Arc::new(Deployment::open(&storage, Vec::new(), Clock::system()).await),
            revocation: Arc::new(Revocation::new(
                store.clone(),
                Arc::new(WantsBoard::new(1)),
                Clock::system(),
                false,
                false,
            )),
            closed: Arc::default(),
            from_memory: Arc::default(),
            configuration: Arc::new(Configuration::new(Clock::system())),
            doors: Doors::default(),
            ca_reach: Arc::default(),
        };
        tokio::time::pause();
        assert!(health.report(false, Vec::new(), 0).await.unwrap().ready);
        tokio::time::advance(Duration::from_secs(61)).await;
        let report = health.report(false, Vec::new(), 0).await.unwrap();
        assert!(!report.ready && report.problems[0].starts_with("no engine for 61 s"), "{:?}", report.problems);
        assert!(report.problems[0].contains("--wake-address"), "{:?}", report.problems);
        health.doors.api.tell("a request to the API: the token is none of the sidecar's", None);
        health.doors.sds.tell("an SDS stream: the stream bears no token", None);
        let report = health.report(false, Vec::new(), 0).await.unwrap();
        let told = "a request to the API: the token is none of the sidecar's; it was refused 0 s ago";
        assert_eq!(report.problems[0], told, "it may be the engine's");
        let claim = Claim { holder: "a".into(), epoch: 1, ttl: Duration::from_secs(10) };
        store.claim(claim).await.unwrap();
        let report = health.report(false, Vec::new(), 0).await.unwrap();
        assert!(report.ready && report.warnings()[1].starts_with("an SDS stream: "), "{:?}", report.warnings());
        let report = health.report(true, Vec::new(), 0).await.unwrap();
        assert_eq!(report.problems, ["the sidecar is shutting down"]);
    }
}
