//! The API's connections: accepted, served, and closed gracefully.
//!
//! Promises: an unauthenticated peer has seconds for a request, and takes no admitted peer's slot ([`super::connection_limit`]).
//! Refuses: processes of users that are not on the allow-list of a unix socket, before they take a slot.

use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::admission::Peer;
use super::connection_limit::{ADMITTED_WAIT, ConnectionLimit, Slot};
use crate::peers::Peers;

/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The wait after the system could not accept a connection, for example for too many open files.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// A source of connections.
pub trait Listener: Send + 'static {
    /// The connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Accepts the next connection; returns it with its peer and, over a network, the peer's address.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Peer, Option<IpAddr>)>> + Send;
}

/// A unix socket for the processes of some users.
pub struct Local {
    listener: UnixListener,
    peers: Arc<Peers>,
}

impl Local {
    /// Listens on this socket for these users; other connections are closed.
    pub fn new(listener: UnixListener, peers: Arc<Peers>) -> Self {
        Self { listener, peers }
    }
}

impl Listener for Local {
    type Stream = UnixStream;

    async fn accept(&self) -> io::Result<(Self::Stream, Peer, Option<IpAddr>)> {
        let (stream, uid) = self.peers.next(&self.listener).await?;
        Ok((stream, Peer::Uid(uid), None))
    }
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&self) -> io::Result<(Self::Stream, Peer, Option<IpAddr>)> {
        let (stream, address) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Peer::Network, Some(address.ip().to_canonical())))
    }
}

/// Serves until `stopping` turns true; then accepts no more connections, and returns when every request under way is
/// answered.
pub async fn serve(listener: impl Listener, router: Router, mut stopping: watch::Receiver<bool>) {
    let limit = ConnectionLimit::new();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, peer, from)) => {
                if let Some(slot) = limit.acquire(from) {
                    connections.spawn(connection(stream, peer, slot, router.clone(), stopping.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        while connections.try_join_next().is_some() {}
        // Closed connections end before the next one is accepted.
        while connections.len() > ConnectionLimit::MOST && connections.join_next().await.is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    slot: Slot,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let slot = Arc::new(slot);
    let of_requests = slot.clone();
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(of_requests.clone());
        let router = router.clone();
        let slot = of_requests.clone();
        async move {
            slot.begin();
            let answer = router.oneshot(request).await;
            slot.end();
            answer
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(ADMITTED_WAIT).max_buf_size(MAX_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let mut expired = pin!(slot.expired());
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            ended = connection.as_mut() => break ended,
            () = expired.as_mut() => return,
            () = stopped(&mut stopping), if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Moves an admitted request's connection to an admitted slot.
pub(super) fn admit_connection(request: &Request) {
    if let Some(slot) = request.extensions().get::<Arc<Slot>>() {
        slot.admit();
    }
}

/// Ends when `stopping` turns true, or its sender is dropped.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Both outcomes are the end; the borrowed value must not be held over an await.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
