//! Health and metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Context;
use super::problem::Refused;
use crate::store::StorageStatus;

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new().route("/healthz", get(alive)).route("/metrics", get(metrics)).route("/readyz", get(ready))
}

/// Whether the process runs.
async fn alive() -> &'static str {
    "ok\n"
}

/// Whether it does all it should. The sockets are opened only after every stored certificate can be served.
async fn ready(State(context): State<Arc<Context>>) -> Result<&'static str, Refused> {
    if *context.stopping.borrow() {
        return Err(Refused::unavailable("the sidecar is shutting down"));
    }
    let unsaved: Vec<String> = context.store.storages().iter().filter_map(unsaved).collect();
    if unsaved.is_empty() {
        return Ok("ready\n");
    }
    let unsaved = unsaved.join("; ");
    Err(Refused::unavailable(format!("{unsaved}; certificates are served, and saved when it can")))
}

/// What can't be saved there, if something can't.
fn unsaved(storage: &StorageStatus) -> Option<String> {
    let error = storage.disk.error.as_ref()?;
    let of = match storage.resolvers.as_slice() {
        [] => String::new(),
        resolvers => format!(" (of {})", resolvers.join(", ")),
    };
    Some(format!("the storage {}{of} can't be written: {error}", storage.place))
}

/// Everything that is counted, in the OpenMetrics text format.
async fn metrics(State(context): State<Arc<Context>>) -> Result<Response, Refused> {
    let certificates = context.store.certificates().await?;
    let text = context.metrics.text(certificates.into_iter().map(|certificate| certificate.facts).collect());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
