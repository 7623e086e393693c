//! Connections of the API: taken, served, and ended in good order.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::admission::Peer;

/// The most connections at once. Envoy opens one for each callout under way on each of its threads.
const MAX_CONNECTIONS: usize = 1024;
/// How long a connection may wait for a request, or a request's head take: longer than the hour after which Envoy
/// closes an idle connection itself, as a request could be on its way when we did.
const IDLE: Duration = Duration::from_secs(65 * 60);
/// The largest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The wait after the system could not give us a connection: there are too many open files, say.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// Where connections come from.
pub trait Listener: Send + 'static {
    /// The connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection, with the uid of a local peer.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<u32>)>> + Send;
}

impl Listener for UnixListener {
    type Stream = tokio::net::UnixStream;

    async fn accept(&self) -> io::Result<(Self::Stream, Option<u32>)> {
        let (stream, _) = self.accept().await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, Some(uid)))
    }
}

impl Listener for TcpListener {
    type Stream = tokio::net::TcpStream;

    async fn accept(&self) -> io::Result<(Self::Stream, Option<u32>)> {
        let (stream, _) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, None))
    }
}

/// Serves until `stopping` turns true; then takes no more connections, and returns when every request under way has
/// its answer.
pub async fn serve(listener: impl Listener, router: Router, mut stopping: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = room.clone().acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stopping) => break,
        };
        match accepted {
            Ok((stream, uid)) => {
                let peer = uid.map_or(Peer::Network, Peer::Uid);
                let served = connection(stream, peer, router.clone(), stopping.clone());
                connections.spawn(async move {
                    served.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(IDLE).max_buf_size(MAX_HEAD);
    let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Ends when `stopping` turns true, or nobody is left to turn it.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Neither outcome has anything to tell; the value it lends must not be held over an await.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
