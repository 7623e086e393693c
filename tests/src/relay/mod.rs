//! A relay between Envoy and the CA: forwards requests and records them, or does with them what a broken or hostile
//! peer does.
//!
//! The relay ends TLS with a certificate of its own, so it can be a CA with another name, or with an expired
//! certificate. The CA makes its URLs of the request's Host, so all of them lead through the relay. [`Fault`]s are
//! selected by [`Resource`] and number of request; the journal has the requests received, with their JWS decoded, as
//! [`Exchange`]s.

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

/// A running relay. When dropped, it ends with all its connections.
pub struct Relay {
    address: SocketAddr,
    host: String,
    root: PathBuf,
    shared: Arc<Shared>,
    over: Option<oneshot::Sender<()>>,
}

impl Relay {
    /// Starts a relay before a CA, with the server certificate of `authority`.
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
            // The spawned tasks end with the runtime.
            runtime.block_on(async {
                tokio::select! { _ = ended => {}, _ = server::accept(listener, served) => {} }
            });
        });
        Ok(Self { address, host: "localhost".to_owned(), root: authority.root.clone(), shared, over: Some(over) })
    }

    /// Names this host in its URLs, instead of `localhost`.
    pub fn known_as(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// The URL of the CA's directory, through the relay.
    pub fn directory(&self) -> String {
        self.url("/dir")
    }

    /// The URL of a path of the relay.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}:{}{path}", self.host, self.address.port())
    }

    /// The relay's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The root of the relay's certificate.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Shows the server certificate of another authority from now on.
    ///
    /// # Errors
    /// When the file can't be read.
    pub fn present(&self, authority: &Authority) -> Result<()> {
        self.shared.present(authority)
    }

    /// Injects this fault into each request for a resource from now on.
    pub fn treat(&self, resource: Resource, fault: Fault) {
        self.treat_nth(resource, 0..usize::MAX, fault);
    }

    /// Injects this fault into the next request for a resource.
    pub fn treat_next(&self, resource: Resource, fault: Fault) {
        self.treat_nth(resource, 0..1, fault);
    }

    /// Injects this fault into some of the requests for a resource, counted from now on, the next one being 0. All
    /// faults of a request happen.
    pub fn treat_nth(&self, resource: Resource, numbers: Range<usize>, fault: Fault) {
        self.shared.rules().add(resource, numbers, fault);
    }

    /// Forwards everything unaltered from now on. Stalled requests stay stalled.
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

    /// Fails if a client broke the rules for requests, whatever faults it met: no nonce twice, each request signed for
    /// the URL it went to.
    ///
    /// # Errors
    /// The first rule that was broken.
    pub fn proper(&self) -> Result<()> {
        Journal::proper(&self.journal(), |path| self.url(path))
    }

    /// Number of bytes of endless bodies sent.
    pub fn endless_bytes(&self) -> u64 {
        self.shared.endless_bytes()
    }

    /// True if a client refused the certificate.
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
