//! The API for the plugin: version 1 of [`protocol`], HTTP/1.1 with JSON.
//!
//! Promises: what is answered with a 2xx is on disk, unless the answer says otherwise; every error is a problem
//! document; every body, answer and wait is bounded. Refuses: peers that are not on its list, those without a token, and
//! requests for other hosts.
//!
//! | file | what it does |
//! |---|---|
//! | `admission.rs` | who may use it |
//! | `host.rs` | whether a request is meant for it |
//! | `server.rs`, `places.rs` | connections, their places and their end |
//! | `message.rs`, `page.rs`, `problem.rs` | requests, answers and errors |
//! | the others | one path each |

mod accounts;
mod admission;
mod certificates;
mod challenges;
mod csr;
mod dns01;
mod dns_persist01;
mod eab;
mod host;
mod lease;
mod message;
mod orders;
mod page;
mod permits;
mod places;
mod problem;
mod renewals;
mod server;
mod state;
mod status;
mod tls_alpn01;
mod wants;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use protocol::path;
use tokio::sync::watch;

pub use admission::{Admission, Peer};
pub use host::Hosts;
pub use server::{Local, serve};
pub use state::Reading;

use crate::challenges::{Challenges, TlsAlpn01Challenges};
use crate::configuration::Configuration;
use crate::deployment::Deployment;
use crate::engine::Engine;
use crate::from_memory::{About, Saved};
use crate::health::{Doors, Health};
use crate::metrics::Metrics;
use crate::permits::Permits;
use crate::revocation::Revocation;
use crate::shelf::Shelf;
use crate::wants::WantsBoard;
use crate::watchdog::Watchdog;
use ::dns01::{Dns, NameServers};
use admission::Door;
use base::clock::Clock;
use pki::keys::KeyMaker;
use pki::keys::eab::MacKeys;
use problem::Refused;
use sds;
use sds::catalog::Catalog;
use sds::catalog::DefaultCertificate;
use storage::{Change, CommitError, Fence, Store, StoreError};

/// How long a request may take: longer than a held poll and a slow disk.
const TIMEOUT: Duration = Duration::from_secs(protocol::MAX_WAIT_SECONDS + 10);
/// How long the making of a key may take: RSA8192 on a slow machine, behind others.
const KEY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// What the API works with.
pub struct Context {
    /// The time of day.
    pub clock: Clock,
    /// Where the MAC keys of external accounts are.
    pub mac_keys: MacKeys,
    /// Which name servers requests may name.
    pub name_servers: NameServers,
    /// The names by which this server is called.
    pub hosts: Hosts,
    /// Where keys and state are.
    pub store: Arc<dyn Store>,
    /// What SDS serves.
    pub catalog: Arc<Catalog>,
    /// The way from the one to the other.
    pub shelf: Arc<Shelf>,
    /// Makes keys.
    pub keys: KeyMaker,
    /// HTTP-01 challenges.
    pub challenges: Challenges,
    /// TLS-ALPN-01 challenges.
    pub tls_alpn01: TlsAlpn01Challenges,
    /// DNS-01 and dns-persist-01 challenges.
    pub dns: Dns,
    /// What other Envoys want.
    pub wants: Arc<WantsBoard>,
    /// Whether CAs may be asked.
    pub permits: Permits,
    /// What is told to Prometheus.
    pub metrics: Metrics,
    /// What is amiss.
    pub health: Health,
    /// What is left of the last reading of the state.
    pub reading: Reading,
    /// Turns true when the sidecar is to end.
    pub stopping: watch::Receiver<bool>,
}

impl Context {
    /// One around this store and nothing else: nobody is woken, no revocation list is read, nothing provided is served.
    /// For simulations.
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
        let shelf = Arc::new(Shelf::new(store.clone(), catalog.clone(), deployment.clone()));
        shelf.fill().await?;
        let sds = Arc::new(sds::Status::with_judge(deployment.clone()));
        let metrics = Metrics::new(store.clone(), sds.clone(), dns.solver.clone());
        let engine = Arc::new(Engine::new(store.clone()));
        let wants = Arc::new(WantsBoard::new(clock.now_millis().unsigned_abs()));
        let health = Health {
            store: store.clone(),
            engine: engine.clone(),
            sds,
            watchdog: Arc::new(Watchdog::new(engine, Vec::new())),
            deployment,
            revocation: Arc::new(Revocation::new(store.clone(), wants.clone(), clock.clone(), false, false)),
            closed: Arc::default(),
            from_memory: Arc::default(),
            configuration: Arc::new(Configuration::new(clock.clone())),
            doors: Doors::default(),
            ca_reach: Arc::default(),
        };
        Ok(Self {
            clock,
            mac_keys: MacKeys::default(),
            name_servers: NameServers::default(),
            hosts: Hosts::default(),
            store,
            catalog,
            shelf,
            keys: KeyMaker::default(),
            challenges: Challenges::default(),
            tls_alpn01: TlsAlpn01Challenges::default(),
            dns,
            wants,
            permits: Permits::new(health.from_memory.clone()),
            metrics,
            health,
            reading: Reading::default(),
            stopping,
        })
    }
}

impl Context {
    /// Makes changes durable; where the storage can't be written, they may be about a certificate whose renewal goes on all
    /// the same.
    async fn commit(&self, fence: Fence, changes: Vec<Change>, about: About<'_>) -> Result<Saved, CommitError> {
        let saved = self.store.commit(fence, changes).await;
        self.health.from_memory.excuse(self.store.as_ref(), saved, about, self.clock.now_seconds()).await
    }
}

/// Everything: the API, and health and metrics. Every request must have its [`Peer`] among its extensions.
pub fn router(context: Arc<Context>, admission: Admission) -> Router {
    let one = format!("{}/{{token}}", path::HTTP_01);
    let api = Router::new()
        .route(path::ACCOUNTS, post(accounts::account).put(accounts::register))
        .route(path::ATTEMPTS, put(orders::attempt))
        .route(path::CERTIFICATES, post(certificates::publish))
        .route(path::CSR, post(csr::csr))
        .route(path::DNS_01, put(dns01::publish))
        .route(&format!("{}/{{token}}", path::DNS_01), delete(dns01::retract))
        .route(path::DNS_PERSIST_01, put(dns_persist01::look))
        .route(path::EAB, post(eab::bind))
        .route(path::HTTP_01, put(challenges::publish))
        .route(&one, get(challenges::find).merge(delete(challenges::retract)))
        .route(path::LEASE, post(lease::claim))
        .route(path::ORDERS, put(orders::order))
        .route(path::PAUSES, put(permits::pause))
        .route(path::PERMITS, post(permits::ask))
        .route(path::RENEWALS, put(renewals::renewals))
        .route(path::STATE, get(state::state))
        .route(path::TLS_ALPN_01, put(tls_alpn01::publish))
        .route(&format!("{}/{{token}}", path::TLS_ALPN_01), delete(tls_alpn01::retract))
        .route(path::UNWANTED, put(renewals::unwanted))
        .route(path::WANTS, put(wants::offer).merge(get(wants::poll)));
    let (outer, inner) = admission.doors();
    let api = api.layer(from_fn(server::seat_admitted)).layer(from_fn_with_state(inner, admission::admit));
    let status = status::routes().layer(from_fn(server::seat_admitted));
    finished(api.merge(status), context, outer)
}

/// Health and metrics alone: they hold no secret, and are for anybody who reaches them.
pub fn status_router(context: Arc<Context>) -> Router {
    finished(status::routes(), context, Door::Open)
}

fn finished(routes: Router<Arc<Context>>, context: Arc<Context>, door: Door) -> Router {
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state(context.hosts.clone(), host::ours))
        .layer(from_fn_with_state(context.clone(), count_and_bound))
        .layer(from_fn_with_state(door, admission::admit))
        .with_state(context)
}

async fn nothing_here(uri: Uri) -> Refused {
    Refused::not_found(StatusCode::NOT_FOUND, format!("there is nothing at {:?}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    Refused::not_found(StatusCode::METHOD_NOT_ALLOWED, format!("{:?} does not know {method}", uri.path()))
}

/// Counts requests by path and status, and ends those that take too long.
async fn count_and_bound(State(context): State<Arc<Context>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    // A path that is none of ours is a stranger's text.
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let timeout = if path == path::CSR { KEY_TIMEOUT } else { TIMEOUT };
    let answered = tokio::time::timeout(timeout, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| {
        Refused::unavailable(format!("not done within {} s; send it again", timeout.as_secs())).into_response()
    });
    context.metrics.count_request(&method, path, response.status());
    response
}
