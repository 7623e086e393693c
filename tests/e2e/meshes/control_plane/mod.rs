//! The control plane of a mesh, as its Envoys know it: an ADS server, with what istiod or Envoy Gateway make of
//! objects.
//!
//! Neither runs in tests. So [`istiod`] and [`envoy_gateway`] translate the [`Objects`] that `render` prints into the
//! resources that the real ones make (after their sources: Istio's main of August 2026, Envoy Gateway 1.9), and
//! [`ControlPlane`] serves them: incremental ADS, and SDS in its state-of-the-world form where Istio's agent answers.
//!
//! Promises: every response of an Envoy is judged. A rejection is an error with Envoy's own message, and so is a stream
//! that begins without its node. Refuses objects that the real one would refuse.

pub mod envoy_gateway;
pub mod istiod;

mod objects;
mod pieces;
mod service;
mod session;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryServiceServer;
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryServiceServer;
use tokio::net::UnixListener;
use tokio::sync::{oneshot, watch};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

pub use objects::Objects;
pub use pieces::Resource;

/// A running control plane. When dropped, it ends with all its streams.
#[derive(Debug)]
pub struct ControlPlane {
    shared: Arc<Shared>,
    over: Option<oneshot::Sender<()>>,
}

/// State shared by the streams and the test.
#[derive(Debug)]
pub(crate) struct Shared {
    resources: watch::Sender<Arc<Vec<Resource>>>,
    ledger: Mutex<Ledger>,
}

/// Envoy's verdicts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    /// The id of the node that asked.
    pub(crate) node: String,
    /// Number of responses that Envoy has not answered yet.
    pub(crate) open: usize,
    /// Types of the accepted responses.
    pub(crate) accepted: Vec<String>,
    /// Rejections and violations of the protocol.
    pub(crate) faults: Vec<String>,
}

impl ControlPlane {
    /// Serves these resources on a unix socket.
    ///
    /// # Errors
    /// When the server can't listen.
    pub fn start(socket: &Path, resources: Vec<Resource>) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _context = runtime.enter();
            UnixListener::bind(socket)?
        };
        let shared = Arc::new(Shared {
            resources: watch::channel(Arc::new(resources)).0,
            ledger: Mutex::new(Ledger::default()),
        });
        let (over, ended) = oneshot::channel::<()>();
        let served = service::Discovery::new(shared.clone());
        std::thread::spawn(move || {
            runtime.block_on(async {
                let server = Server::builder()
                    .add_service(AggregatedDiscoveryServiceServer::new(served.clone()))
                    .add_service(SecretDiscoveryServiceServer::new(served))
                    .serve_with_incoming(UnixListenerStream::new(listener));
                // The spawned tasks end with the runtime.
                tokio::select! { _ = ended => {}, _ = server => {} }
            });
        });
        Ok(Self { shared, over: Some(over) })
    }

    /// Replaces the resources: the differences go to the Envoys at once.
    pub fn replace(&self, resources: Vec<Resource>) {
        self.shared.resources.send_replace(Arc::new(resources));
    }

    /// Fails if Envoy rejected anything.
    ///
    /// # Errors
    /// What it refused, in its own words.
    pub fn check(&self) -> Result<()> {
        let faults = self.ledger().faults;
        ensure!(faults.is_empty(), "Envoy and the control plane: {}", faults.join("; "));
        Ok(())
    }

    /// Fails until Envoy has accepted everything sent.
    ///
    /// # Errors
    /// When it refused something, or has not answered.
    pub fn settled(&self) -> Result<()> {
        self.check()?;
        let open = self.ledger().open;
        ensure!(open == 0, "{open} responses are not answered");
        Ok(())
    }

    /// Number of accepted responses with resources of a type; the end of its name is enough.
    pub fn accepted(&self, kind: &str) -> usize {
        self.ledger().accepted.iter().filter(|accepted| accepted.ends_with(kind)).count()
    }

    /// The id of the node that asked.
    pub fn node(&self) -> String {
        self.ledger().node
    }

    fn ledger(&self) -> Ledger {
        self.shared.with_ledger(|ledger| ledger.clone())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(());
        }
    }
}

impl Shared {
    pub(crate) fn with_ledger<T>(&self, look: impl FnOnce(&mut Ledger) -> T) -> T {
        look(&mut self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn resources(&self) -> watch::Receiver<Arc<Vec<Resource>>> {
        self.resources.subscribe()
    }
}
