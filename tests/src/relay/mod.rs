//! Between Envoy and the CA: passes requests on and keeps them; or does with them what a broken or hostile peer does.
//!
//! It ends TLS with a certificate of its own, so it can be a CA with another name, or one that has expired. The CA makes
//! its URLs of the Host it is asked for, so all of them lead through here. What is done is told by [`Resource`] and
//! number of request, as [`Fault`]s; what came, with its JWS decoded, is in the journal, as [`Exchange`]s.

mod body;
mod fault;
mod journal;
mod resource;
mod server;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use tokio::sync::oneshot;

use self::journal::Journal;
use self::server::Shared;
use crate::{Authority, Pebble};

pub use fault::Fault;
pub use journal::Exchange;
pub use resource::Resource;

/// A running relay. Dropped, it ends with all its connections.
pub struct Relay {
    address: SocketAddr,
    host: String,
    root: PathBuf,
    shared: Arc<Shared>,
    over: Option<oneshot::Sender<()>>,
}

impl Relay {
    /// Starts one before a CA, with the server certificate of `authority`.
    ///
    /// # Errors
    /// When its certificate can't be read, or it can't listen.
    pub fn start(pebble: &Pebble, authority: &Authority) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(pebble.api().clone(), authority)?);
        let (over, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = shared.clone();
        std::thread::spawn(move || {
            // What it spawned ends with the runtime.
            runtime.block_on(async {
                tokio::select! { _ = ended => {}, _ = server::accept(listener, served) => {} }
            });
        });
        Ok(Self { address, host: "localhost".to_owned(), root: authority.root.clone(), shared, over: Some(over) })
    }

    /// Is known by this host, which its URLs name, instead of `localhost`.
    pub fn known_as(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// The URL of the CA's directory, through here.
    pub fn directory(&self) -> String {
        self.url("/dir")
    }

    /// The URL of a path here.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}:{}{path}", self.host, self.address.port())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that vouches for its own.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Shows the server certificate of another authority from now on.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn present(&self, authority: &Authority) -> Result<()> {
        self.shared.present(authority)
    }

    /// From now on does this with each request for a resource.
    pub fn treat(&self, resource: Resource, fault: Fault) {
        self.treat_nth(resource, 0..usize::MAX, fault);
    }

    /// Does this with the next request for a resource.
    pub fn treat_next(&self, resource: Resource, fault: Fault) {
        self.treat_nth(resource, 0..1, fault);
    }

    /// Does this with some of the requests for a resource, counted from now on, the next one being 0. Of several faults
    /// of a request all happen.
    pub fn treat_nth(&self, resource: Resource, numbers: Range<usize>, fault: Fault) {
        self.shared.rules().add(resource, numbers, fault);
    }

    /// From now on passes everything on as it is. What is stalled stays so.
    pub fn relent(&self) {
        self.shared.rules().clear();
    }

    /// The requests so far.
    pub fn journal(&self) -> Vec<Exchange> {
        self.shared.journal().exchanges().to_vec()
    }

    /// The requests so far for a resource.
    pub fn asked(&self, resource: Resource) -> Vec<Exchange> {
        let mut exchanges = self.journal();
        exchanges.retain(|exchange| resource.covers(exchange.resource));
        exchanges
    }

    /// That every client so far kept the rules for requests, whatever was done to it: no nonce twice, each request
    /// signed for the URL it went to.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn proper(&self) -> Result<()> {
        Journal::proper(&self.journal(), |path| self.url(path))
    }

    /// How many bytes of endless bodies went out.
    pub fn endless_bytes(&self) -> u64 {
        self.shared.endless_bytes()
    }

    /// Whether a client came that did not like the certificate.
    pub fn was_refused(&self) -> bool {
        self.shared.was_refused()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(());
        }
    }
}
