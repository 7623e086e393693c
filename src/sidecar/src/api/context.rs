//! The context of the API's handlers: created here for the sidecar and for simulations.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

use super::host::Hosts;
use super::reading::Reading;
use crate::challenges::{Challenges, TlsAlpn01Challenges};
use crate::configuration::Configuration;
use crate::deployment::Deployment;
use crate::engine_presence::EnginePresence;
use crate::from_memory::{About, Saved};
use crate::health::{Doors, Health};
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::publisher::Publisher;
use crate::revocation::Revocation;
use crate::wants::WantsBoard;
use crate::watchdog::Watchdog;
use base::clock::Clock;
use dns01::{Dns, NameServers};
use pki::keys::KeyMaker;
use pki::keys::eab::MacKeys;
use sds::catalog::{Catalog, DefaultCertificate};
use storage::{Change, CommitError, Fence, Store, StoreError};

/// The context of the API's handlers.
pub struct Context {
    /// The time of day.
    pub clock: Clock,
    /// The MAC keys of external accounts.
    pub mac_keys: MacKeys,
    /// The name servers that requests may name.
    pub name_servers: NameServers,
    /// The names that this server accepts as its own.
    pub hosts: Hosts,
    /// The store of keys and state.
    pub store: Arc<dyn Store>,
    /// The catalog that SDS serves.
    pub catalog: Arc<Catalog>,
    /// The publisher from the store to the catalog.
    pub publisher: Arc<Publisher>,
    /// Makes keys.
    pub keys: KeyMaker,
    /// HTTP-01 challenges.
    pub challenges: Challenges,
    /// TLS-ALPN-01 challenges.
    pub tls_alpn01: TlsAlpn01Challenges,
    /// DNS-01 and dns-persist-01 challenges.
    pub dns: Dns,
    /// The wants of all Envoys.
    pub wants: Arc<WantsBoard>,
    /// The reservations of rate limits.
    pub permits: Permits,
    /// The metrics for Prometheus.
    pub metrics: Metrics,
    /// The sources of the status.
    pub health: Health,
    /// The rest of the last reading of the state.
    pub reading: Reading,
    /// Turns true when the sidecar is to end.
    pub stopping: watch::Receiver<bool>,
}

/// The parts of a [`Context`] that differ between a sidecar and a simulation.
pub struct Parts {
    /// The time of day.
    pub clock: Clock,
    /// The store of keys and state.
    pub store: Arc<dyn Store>,
    /// The catalog that SDS serves.
    pub catalog: Arc<Catalog>,
    /// The deployment of new certificates.
    pub deployment: Arc<Deployment>,
    /// The publisher from the store to the catalog.
    pub publisher: Arc<Publisher>,
    /// DNS-01 and dns-persist-01 challenges.
    pub dns: Dns,
    /// The name servers that requests may name.
    pub name_servers: NameServers,
    /// The names that this server accepts as its own.
    pub hosts: Hosts,
    /// The MAC keys of external accounts.
    pub mac_keys: MacKeys,
    /// The counts of requests refused for want of a token.
    pub doors: Doors,
    /// The addresses at which a silent engine is woken.
    pub wake_addresses: Vec<SocketAddr>,
    /// True if revocation lists are checked.
    pub checks_crls: bool,
    /// True if revocation lists may be at private addresses.
    pub allows_private_crls: bool,
    /// Turns true when the sidecar is to end.
    pub stopping: watch::Receiver<bool>,
}

impl Context {
    /// Creates a context of these parts.
    pub fn new(parts: Parts) -> Self {
        let Parts { clock, store, catalog, deployment, publisher, dns, .. } = parts;
        let sds = Arc::new(sds::Status::with_judge(deployment.clone()));
        let metrics = Metrics::new(store.clone(), sds.clone(), dns.solver.clone());
        let engine = Arc::new(EnginePresence::new(store.clone()));
        let wants = Arc::new(WantsBoard::new(clock.now_millis().unsigned_abs()));
        let revocation =
            Revocation::new(store.clone(), wants.clone(), clock.clone(), parts.checks_crls, parts.allows_private_crls);
        let health = Health {
            store: store.clone(),
            engine: engine.clone(),
            sds,
            watchdog: Arc::new(Watchdog::new(engine, parts.wake_addresses)),
            deployment,
            revocation: Arc::new(revocation),
            closed: Arc::default(),
            from_memory: Arc::default(),
            configuration: Arc::new(Configuration::new(clock.clone())),
            doors: parts.doors,
            ca_reach: Arc::default(),
        };
        Self {
            clock,
            mac_keys: parts.mac_keys,
            name_servers: parts.name_servers,
            hosts: parts.hosts,
            store,
            catalog,
            publisher,
            keys: KeyMaker::default(),
            challenges: Challenges::default(),
            tls_alpn01: TlsAlpn01Challenges::default(),
            dns,
            wants,
            permits: Permits::new(health.from_memory.clone()),
            metrics,
            health,
            reading: Reading::default(),
            stopping: parts.stopping,
        }
    }

    /// Creates a context around this store and nothing else: no engine is woken, no revocation list is read, no
    /// provided certificate is served. For simulations.
    ///
    /// # Errors
    /// When the store can't be read.
    #[doc(hidden)]
    pub async fn alone(
        store: Arc<dyn Store>,
        storage: &Path,
        clock: Clock,
        dns: Dns,
        stopping: watch::Receiver<bool>,
    ) -> Result<Self, StoreError> {
        let catalog = Arc::new(Catalog::new(DefaultCertificate::None));
        let deployment = Arc::new(Deployment::open(storage, Vec::new(), clock.clone()).await);
        let publisher = Arc::new(Publisher::new(store.clone(), catalog.clone(), deployment.clone()));
        publisher.publish_all().await?;
        Ok(Self::new(Parts {
            clock,
            store,
            catalog,
            deployment,
            publisher,
            dns,
            name_servers: NameServers::default(),
            hosts: Hosts::default(),
            mac_keys: MacKeys::default(),
            doors: Doors::default(),
            wake_addresses: Vec::new(),
            checks_crls: false,
            allows_private_crls: false,
            stopping,
        }))
    }

    /// Makes changes durable. Where the storage can't be written, changes of a certificate whose renewal goes on all
    /// the same are kept in memory.
    pub(super) async fn commit(
        &self,
        fence: Fence,
        changes: Vec<Change>,
        about: About<'_>,
    ) -> Result<Saved, CommitError> {
        let saved = self.store.commit(fence, changes).await;
        self.health.from_memory.excuse(self.store.as_ref(), saved, about, self.clock.now_seconds()).await
    }
}
