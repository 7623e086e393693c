//! Health, status and metrics.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::Context;
use super::message::Answer;
use super::problem::Refused;
use crate::health::{Report, Waiting};

pub(super) fn routes() -> Router<Arc<Context>> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/metrics", get(metrics))
        .route("/readyz", get(ready))
        .route("/status", get(status))
}

/// Liveness: the process runs.
async fn alive() -> &'static str {
    "ok\n"
}

/// Readiness: the sidecar does all it should; with warnings. The sockets are opened only after every stored certificate
/// can be served.
async fn ready(State(context): State<Arc<Context>>) -> Result<String, Refused> {
    let report = report(&context).await?;
    if !report.ready {
        return Err(Refused::unavailable(report.problems.join("; ")));
    }
    let mut text = "ready\n".to_owned();
    for warning in report.warnings() {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{warning}");
    }
    Ok(text)
}

/// Returns the whole status.
async fn status(State(context): State<Arc<Context>>) -> Result<Answer<Report>, Refused> {
    Ok(Answer(report(&context).await?))
}

/// Returns the metrics in the OpenMetrics text format.
async fn metrics(State(context): State<Arc<Context>>) -> Result<Response, Refused> {
    let text = context.metrics.text(report(&context).await?);
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, content_type)], text).into_response())
}

async fn report(context: &Context) -> Result<Report, Refused> {
    let stopping = *context.stopping.borrow();
    let now = context.clock.now_seconds();
    let waiting = context.permits.waiting(now).into_iter().map(Waiting::from).collect();
    Ok(context.health.report(stopping, waiting, now).await?)
}
