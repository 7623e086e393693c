//! The SDS server: gives Envoys their certificates over gRPC, and pushes new ones when they change.
//!
//! Serves SDS (`DeltaSecrets`, `StreamSecrets`) and the same type of resource by ADS, to any number of clients at once.
//! A secret's name is a DNS name or an IP address, also in the forms that Istio gives it. The answer bears the very
//! name asked for, and holds the best certificate of the [`crate::catalog`]. Refuses: names that are no host's, and
//! requests for CA certificates; both are logged.
//!
//! | folder or file | what it does |
//! |---|---|
//! | `session/` | the protocol of one stream: pure state machines |
//! | `admission.rs` | admission of streams by tokens |
//! | `stream.rs` | drives a session with a gRPC stream |
//! | `service.rs` | the gRPC services |
//! | `messages.rs` | the messages of the protocol |
//! | `secret.rs` | a pair as Envoy's message |
//! | `status.rs` | connected nodes, pushes and rejections |
//! | `resource_name.rs`, `unanswered.rs` | resource names, and warnings about those that never exist |
//! | `greeting.rs` | connections until the HTTP/2 preface |
//! | `authority.rs` | the `:authority` that gRPC clients make of the socket's path |
//! | `limits.rs` | all bounds |

#![forbid(unsafe_code)]

mod admission;
mod authority;
pub mod catalog;
mod greeting;
pub mod limits;
pub mod messages;
mod resource_name;
mod scope;
mod secret;
mod service;
pub mod session;
mod status;
mod stream;
pub mod tokens;
mod unanswered;

use std::io;
use std::sync::Arc;

use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio_stream::{Stream, StreamExt};
use tonic::transport::Server;

pub use admission::{Admission, TOKEN_HEADER};
pub use scope::{Catalogs, SCOPE_HEADER};
pub use secret::TYPE_URL;
pub use status::{Judge, Rejection, Snapshot, Status};

use base::clock::Clock;

/// Serves until `shutdown` completes. Then every stream ends with `UNAVAILABLE`, so that its client connects again, and
/// this returns when the last connection is closed.
///
/// `connections` are accepted connections whose peers have been checked; `admission` says what their streams need
/// besides. The stored certificates must be in the catalogs before the call: else an Envoy that has a good certificate
/// from before a restart would get the default one instead.
///
/// # Errors
/// When `connections` fails.
pub async fn serve(
    connections: impl Stream<Item = io::Result<UnixStream>>,
    admission: Admission,
    catalogs: Catalogs,
    clock: Clock,
    status: Arc<Status>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (stop, stopping) = watch::channel(false);
    let service = service::Secrets::new(admission, catalogs.clone(), clock.clone(), status, stopping);
    let stopped = async {
        shutdown.await;
        stop.send_replace(true);
    };
    let room = Arc::new(Semaphore::new(limits::MAX_CONNECTIONS));
    let connections = connections.then(move |connection| {
        let room = room.clone();
        async move {
            let place = room.acquire_owned().await.map_err(io::Error::other)?;
            Ok::<_, io::Error>(greeting::Greeted::new(connection?, place))
        }
    });
    let server = Server::builder()
        .max_concurrent_streams(u32::try_from(limits::MAX_STREAMS).unwrap_or(u32::MAX))
        .http2_keepalive_interval(Some(limits::KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(limits::KEEPALIVE_TIMEOUT))
        .add_routes(service::routes(service))
        .serve_with_incoming_shutdown(Box::pin(connections), stopped);
    tokio::select! {
        served = server => served,
        () = catalogs.ordinary.keep_time(&clock) => Ok(()),
        () = catalogs.tls_alpn01.keep_time(&clock) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
