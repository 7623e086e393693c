//! The API for the plugin: version 1 of [`protocol`], HTTP/1.1 with JSON.
//!
//! Promises: a change answered with a 2xx is on disk, unless the answer says otherwise; every error is a problem
//! document; every body, answer and wait is bounded. Refuses: peers that are not on its list, those without a token, and
//! requests for other hosts.
//!
//! | file | what it does |
//! |---|---|
//! | `admission.rs` | admission of peers |
//! | `host.rs` | check of the request's host |
//! | `server.rs`, `connection_limit.rs` | connections, their limits and their end |
//! | `message.rs`, `page.rs`, `problem.rs` | requests, answers and errors |
//! | `context.rs` | the handlers' context |
//! | the others | one path each |

mod accounts;
mod admission;
mod certificates;
mod challenges;
mod connection_limit;
mod context;
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

mod problem;
mod reading;
mod renewals;
mod server;
mod state;
mod status;
mod tls_alpn01;
mod wants;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Extension, Router};
use protocol::path;

pub use admission::{Admission, Peer};
pub use context::{Context, Parts};
pub use host::Hosts;
pub use reading::Reading;
pub use server::{Local, serve};

use admission::Door;
use problem::Refused;

/// The timeout of a request: longer than a held poll and a slow disk.
const TIMEOUT: Duration = Duration::from_secs(protocol::MAX_WAIT_SECONDS + 10);
/// The timeout of a request that makes a key: RSA8192 on a slow machine, behind others.
const KEY_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// The whole API, with health and metrics. Every request must have its [`Peer`] among its extensions.
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
    let status = status::routes().layer(from_fn_with_state(Door::Open, admit));
    finished(api.layer(from_fn_with_state(inner, admit)).merge(status), context, outer)
}

/// Health and metrics alone: they hold no secret, and need no token.
pub fn status_router(context: Arc<Context>) -> Router {
    finished(status::routes(), context, Door::Open)
}

fn finished(routes: Router<Arc<Context>>, context: Arc<Context>, door: Door) -> Router {
    routes
        .fallback(nothing_here)
        .method_not_allowed_fallback(wrong_method)
        .layer(from_fn_with_state((context.clone(), door), enter))
        .with_state(context)
}

async fn nothing_here(uri: Uri) -> Refused {
    Refused::not_found(StatusCode::NOT_FOUND, format!("there is nothing at {:?}", uri.path()))
}

async fn wrong_method(method: Method, uri: Uri) -> Refused {
    Refused::not_found(StatusCode::METHOD_NOT_ALLOWED, format!("{:?} does not know {method}", uri.path()))
}

/// Refuses whom the server does not know, and then what is not for it. Counts requests by path and status, and ends those
/// that take too long. One layer, since each costs a request more than all of these do.
async fn enter(
    State((context, door)): State<(Arc<Context>, Door)>,
    Extension(peer): Extension<Peer>,
    request: Request,
    next: Next,
) -> Response {
    if let Err(refused) = door.admit(&request, peer) {
        return refused.into_response();
    }
    let method = request.method().clone();
    // An unknown path is arbitrary text from the client.
    let path = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).to_owned();
    let timeout = if path == path::CSR { KEY_TIMEOUT } else { TIMEOUT };
    let response = match context.hosts.admit(&request, peer) {
        Err(refused) => refused.into_response(),
        Ok(()) => tokio::time::timeout(timeout, next.run(request)).await.unwrap_or_else(|_| {
            Refused::unavailable(format!("not done within {} s; send it again", timeout.as_secs())).into_response()
        }),
    };
    context.metrics.count_request(&method, path, response.status());
    response
}

/// Passes a request on that this door admits, and whose connection is admitted with it.
async fn admit(State(door): State<Door>, Extension(peer): Extension<Peer>, request: Request, next: Next) -> Response {
    if let Err(refused) = door.admit(&request, peer) {
        return refused.into_response();
    }
    server::admit_connection(&request);
    next.run(request).await
}
