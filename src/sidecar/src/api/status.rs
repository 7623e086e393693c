//! Health and metrics.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Context;
use super::problem::Refused;

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
    match context.store.disk().error {
        Some(error) => Err(Refused::unavailable(format!(
            "the storage can't be written: {error}; certificates are served, and saved when it can"
        ))),
        None => Ok("ready\n"),
    }
}

/// Everything that is counted, in the OpenMetrics text format.
async fn metrics(State(context): State<Arc<Context>>) -> Result<Response, Refused> {
    let certificates = context.store.certificates().await?;
    let text = context.metrics.text(certificates.into_iter().map(|certificate| certificate.facts).collect());
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}
