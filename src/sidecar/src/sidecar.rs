//! The sidecar's life: everything opened in order, served, and closed with nothing lost.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::stream;
use protocol::Want;
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::api::{self, Admission, Context, Hosts, Parts};
use crate::ca_reach::CaReach;
use crate::closed::ClosedRouters;
use crate::configuration::Configuration;
use crate::deployment::{self, Deployment};
use crate::health::{self, Health};
use crate::holder::{Holder, Protocol};
use crate::options::{Options, TokenSource};
use crate::peers::Peers;
use crate::provided::{self, Provided};
use crate::publisher::Publisher;
use crate::socket::{BoundSocket, SocketError};
use crate::standing::{self, Sources, Standing};
use crate::wants::WantsBoard;
use base::clock::Clock;
use dns01::{Dns, NameServers};
use sds::catalog::{Catalog, DefaultCertificate};
use sds::tokens::{self, SocketTokens, UnfitFile};
use sds::{self, Catalogs};
use storage::{self, OpenError, StorageStatus, Store, StoreError};

/// The time for running requests, and for DNS records being removed, when the sidecar is to end. Together with [`SAVE`]
/// it is below the 10 s after which containers are killed.
const DRAIN: Duration = Duration::from_secs(5);
/// The time for SDS clients to disconnect. Their streams have been ended.
const SDS_DRAIN: Duration = Duration::from_secs(1);
/// The time for the last write.
const SAVE: Duration = Duration::from_secs(4);
/// The wait after the system could not accept a connection, for example for too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A running sidecar.
pub struct Sidecar {
    stop: watch::Sender<bool>,
    /// The tasks that answer requests; they end by themselves.
    servers: JoinSet<()>,
    /// The SDS server's task; it ends by itself.
    sds: JoinSet<()>,
    /// The tasks that only watch; they are aborted on drop.
    _watchers: JoinSet<()>,
    context: Arc<Context>,
    _sockets: Vec<BoundSocket>,
}

impl Sidecar {
    /// Starts the sidecar; returns when it serves.
    ///
    /// # Errors
    /// When something can't be used as configured; nothing has been changed then.
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let store = open_store(&options).await?;
        let started = Self::serve(options, store.clone()).await;
        if started.is_err() {
            // Closing frees the store's file at once. There is nothing to save.
            let _ = store.close().await;
        }
        started
    }

    async fn serve(options: Options, store: Arc<dyn Store>) -> Result<Self, StartError> {
        let Options { clock, storages, sockets, upkeep, dns, mac_keys, provided, .. } = options;
        let storage = storages.default.as_path();
        let catalog = Arc::new(Catalog::new(default_certificate(options.has_default_certificate, &clock)?));
        let deployment = Arc::new(Deployment::open(storage, upkeep.verify_addresses, clock.clone()).await);
        let publisher = Arc::new(Publisher::new(store.clone(), catalog.clone(), deployment.clone()));
        let stored = publisher.publish_all().await?;
        let provided = read_provided(provided, catalog.clone(), clock.clone()).await?;
        mac_keys.warn_of_missing().await;
        let (stop, stopping) = watch::channel(false);
        let name_servers = NameServers::new(dns.name_server_port, dns.resolvers);
        let dns = Dns::open(storage, dns.name_server_port, dns.delegation_zones, clock.clone()).await;
        let (tokens, token_files) = match options.tokens {
            TokenSource::Given(tokens) => (tokens, Vec::new()),
            TokenSource::Files { api, sds } => SocketTokens::open(storage, api.as_deref(), sds.as_deref())?,
        };
        let doors = health::Doors { api: tokens.api.refusals().clone(), sds: tokens.sds.refusals().clone() };
        let context = Arc::new(Context::new(Parts {
            clock: clock.clone(),
            store: store.clone(),
            catalog: catalog.clone(),
            deployment: deployment.clone(),
            publisher: publisher.clone(),
            dns,
            name_servers,
            hosts: Hosts::new(&options.allowed_hosts),
            mac_keys,
            doors,
            wake_addresses: options.wake_addresses,
            checks_crls: upkeep.checks_crls,
            allows_private_crls: upkeep.allows_private_crls,
            stopping: stopping.clone(),
        }));
        let Health { engine, watchdog, revocation, sds: sds_status, .. } = &context.health;
        let surroundings = deployment::Surroundings {
            publisher: publisher.clone(),
            catalog: catalog.clone(),
            sds: sds_status.clone(),
            wants: context.wants.clone(),
        };

        let own = rustix::process::geteuid().as_raw();
        let peers = Arc::new(Peers::new([0, own].into_iter().chain(sockets.uids)));
        let (api_listener, api_socket) = BoundSocket::bind(&sockets.api, sockets.group)?;
        let (sds_listener, sds_socket) = BoundSocket::bind(&sockets.sds, sockets.group)?;
        let mut servers = JoinSet::new();
        let api = api::router(context.clone(), Admission::Local(peers.clone(), tokens.api.clone()));
        servers.spawn(api::serve(api::Local::new(api_listener, peers.clone()), api, stopping.clone()));
        let mut sds = JoinSet::new();
        let catalogs = Catalogs { ordinary: catalog.clone(), tls_alpn01: context.tls_alpn01.catalog().clone() };
        let admission = sds::Admission::Tokens(tokens.sds);
        let serve = |listener, admission| {
            let served = Served { catalogs: catalogs.clone(), clock: clock.clone(), status: sds_status.clone() };
            serve_sds(listener, peers.clone(), admission, served, stopping.clone())
        };
        sds.spawn(serve(sds_listener, admission));
        let mut bound = vec![api_socket, sds_socket];
        if let Some(path) = &sockets.mesh_sds {
            let (listener, socket) = BoundSocket::bind_apart(path, sockets.group)?;
            tracing::warn!(path = %path.display(), "SDS asks for no token here: every filter of a connected Envoy gets keys");
            sds.spawn(serve(listener, sds::Admission::Anyone));
            bound.push(socket);
        }
        if let Some(address) = options.api_address {
            let listener = listen(address).await?;
            let router = api::router(context.clone(), Admission::Token(tokens.api));
            servers.spawn(api::serve(listener, router, stopping.clone()));
        }
        if let Some(address) = options.status_address {
            let router = api::status_router(context.clone());
            servers.spawn(api::serve(listen(address).await?, router, stopping));
        }

        context.dns.resume();
        let mut watchers = JoinSet::new();
        let engine = engine.clone();
        let watchdog = watchdog.clone();
        let revocation = revocation.clone();
        watchers.spawn(async move { publisher.follow().await });
        watchers.spawn(async move { engine.watch().await });
        watchers.spawn(async move { watchdog.run().await });
        watchers.spawn(async move { deployment.run(&surroundings).await });
        watchers.spawn(async move { revocation.run().await });
        watchers.spawn(provided.keep_current(catalog));
        watchers.spawn(tokens::follow(token_files));
        let api_path = sockets.api.display();
        let sds_path = sockets.sds.display();
        let storage = storages_of(store.as_ref());
        tracing::info!(storage, certificates = stored, api = %api_path, sds = %sds_path, "sidecar ready");
        Ok(Self { stop, servers, sds, _watchers: watchers, context, _sockets: bound })
    }

    /// The board of wanted certificates.
    pub fn wants(&self) -> &WantsBoard {
        &self.context.wants
    }

    /// The standing of each of these certificates; `None` if the store can't be read.
    pub async fn standings(&self, wants: &[Want]) -> Option<Vec<Standing>> {
        let Context { store, catalog, health, permits, clock, .. } = self.context.as_ref();
        let now = clock.now_seconds();
        let waiting = permits.waiting(now);
        let store = store.as_ref();
        let deployment = health.deployment.as_ref();
        standing::all(wants, Sources { store, catalog, deployment, waiting: &waiting, now }).await.ok()
    }

    /// Sets the addresses at which served certificates are verified from now on.
    pub fn set_verify_addresses(&self, addresses: Vec<SocketAddr>) {
        self.context.health.deployment.set_verify_addresses(addresses);
    }

    /// The routers that are closed.
    pub fn closed(&self) -> &ClosedRouters {
        &self.context.health.closed
    }

    /// The CAs that can't be reached.
    pub fn ca_reach(&self) -> Arc<CaReach> {
        self.context.health.ca_reach.clone()
    }

    /// The clock of the whole sidecar.
    pub fn clock(&self) -> Clock {
        self.context.clock.clone()
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn Store> {
        self.context.store.clone()
    }

    /// The result of the last configuration read.
    pub fn configuration(&self) -> &Configuration {
        &self.context.health.configuration
    }

    /// Accepts no more requests, answers those under way, and saves everything.
    ///
    /// # Errors
    /// When something could not be saved in time; the text says why.
    pub async fn stop(mut self) -> Result<(), String> {
        self.stop.send_replace(true);
        let deadline = Instant::now() + DRAIN;
        let (drained, _) = tokio::join!(drain(&mut self.servers, DRAIN), drain(&mut self.sds, SDS_DRAIN));
        if !drained {
            tracing::warn!("some requests were still under way and are cut off");
        }
        self.context.dns.stop(deadline.saturating_duration_since(Instant::now())).await;
        self.context.health.deployment.save().await;
        match timeout(SAVE, self.context.store.close()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the last write was not done within {} s", SAVE.as_secs())),
        }
    }
}

/// Waits until all tasks have ended, `most` at the longest; returns whether they have.
async fn drain(servers: &mut JoinSet<()>, most: Duration) -> bool {
    let ended = timeout(most, async { while servers.join_next().await.is_some() {} }).await.is_ok();
    servers.abort_all();
    ended
}

async fn open_store(options: &Options) -> Result<Arc<dyn Store>, StartError> {
    let storages = options.storages.clone();
    let lease = options.lease;
    let clock = options.clock.clone();
    let opened = tokio::task::spawn_blocking(move || storage::open(&storages, lease, clock)).await;
    // The task is cancelled only when the runtime ends, and panics only by a bug.
    Ok(opened.map_err(|error| StartError::Task(error.to_string()))??)
}

/// The storages as given on the command line.
fn storages_of(store: &dyn Store) -> String {
    let text = |storage: StorageStatus| match storage.resolvers.as_slice() {
        [] => storage.place,
        resolvers => format!("{}={}", resolvers.join("+"), storage.place),
    };
    store.storages().into_iter().map(text).collect::<Vec<_>>().join(",")
}

/// Reads the user's own certificates, before any client is served a lesser one.
async fn read_provided(
    sources: provided::Sources,
    catalog: Arc<Catalog>,
    clock: Clock,
) -> Result<Provided, StartError> {
    let mut provided = Provided::new(sources, clock);
    let read = tokio::task::spawn_blocking(move || {
        provided.read(&catalog);
        provided
    });
    read.await.map_err(|error| StartError::Task(error.to_string()))
}

/// The certificate for names that nothing covers. Until the user's files are read, and if they can't be, it is
/// self-signed.
fn default_certificate(is_wanted: bool, clock: &Clock) -> Result<DefaultCertificate, StartError> {
    if !is_wanted {
        return Ok(DefaultCertificate::None);
    }
    DefaultCertificate::self_signed(clock).map_err(|error| StartError::Task(error.to_string()))
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|error| {
        let is_taken = error.kind() == io::ErrorKind::AddrInUse;
        let holder = is_taken.then(|| Holder::of(address, Protocol::Tcp));
        StartError::Address { address, error, holder }
    })
}

/// The parts that SDS serves, to all clients.
struct Served {
    catalogs: Catalogs,
    clock: Clock,
    status: Arc<sds::Status>,
}

async fn serve_sds(
    listener: UnixListener,
    peers: Arc<Peers>,
    admission: sds::Admission,
    served: Served,
    mut stopping: watch::Receiver<bool>,
) {
    let connections = stream::unfold(listener, move |listener| {
        let peers = peers.clone();
        async move { Some((Ok(next_admitted(&listener, &peers).await), listener)) }
    });
    let shutdown = async move {
        // Both a true value and a dropped sender are the end.
        let _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let Served { catalogs, clock, status } = served;
    if let Err(error) = sds::serve(Box::pin(connections), admission, catalogs, clock, status, shutdown).await {
        tracing::error!(%error, "SDS ended");
    }
}

/// Accepts the next connection of a process that may have keys.
async fn next_admitted(listener: &UnixListener, peers: &Peers) -> UnixStream {
    loop {
        match peers.next(listener).await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Reasons why the sidecar does not start.
#[derive(Debug)]
pub enum StartError {
    /// The address can't be listened on.
    Address {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        error: io::Error,
        /// The process that listens there, if there is one.
        holder: Option<Holder>,
    },
    /// The socket can't be created.
    Socket(SocketError),
    /// The storage can't be opened.
    Storage(OpenError),
    /// The store can't be read.
    Store(StoreError),
    /// A task of the sidecar failed by a bug.
    Task(String),
    /// The tokens can't be had.
    Tokens(UnfitFile),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address { address, holder: Some(holder), .. } => {
                write!(
                    f,
                    "can't listen on {address}: it is in use by {holder}; end that one, or choose another address"
                )
            }
            Self::Address { address, error, holder: None } => {
                let advice = match error.kind() {
                    io::ErrorKind::AddrNotAvailable => "; `ip address` lists this machine's",
                    _ => "",
                };
                write!(f, "can't listen on {address}: {error}{advice}")
            }
            Self::Socket(error) => error.fmt(f),
            Self::Storage(error) => error.fmt(f),
            Self::Store(error) => error.fmt(f),
            Self::Task(why) => f.write_str(why),
            Self::Tokens(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StartError {}

impl From<OpenError> for StartError {
    fn from(error: OpenError) -> Self {
        Self::Storage(error)
    }
}

impl From<SocketError> for StartError {
    fn from(error: SocketError) -> Self {
        Self::Socket(error)
    }
}

impl From<StoreError> for StartError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<UnfitFile> for StartError {
    fn from(error: UnfitFile) -> Self {
        Self::Tokens(error)
    }
}
