//! Live TLS-ALPN-01 challenges.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::{Readiness, TlsAlpn01};
use tokio::time::{Instant, sleep_until};

use super::Context;
use super::challenges::{check_host, check_key_authorization};
use super::message::{Answer, Fenced, Message, SMALL};
use super::problem::Refused;
use crate::challenges::{self, Placing};

/// `PUT`: publishes a challenge, whose certificate is served as soon as no other challenge has its name.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(challenge): Message<TlsAlpn01, SMALL>,
) -> Result<Answer<Readiness>, Refused> {
    check_key_authorization(&challenge.token, &challenge.key_authorization)?;
    check_host(&challenge.host)?;
    let deadline = Instant::now() + Duration::from_secs(protocol::MAX_CHALLENGE_WAIT_SECONDS);
    let mut stopping = context.stopping.clone();
    loop {
        let freed = context.tls_alpn01.freed();
        // The fence is checked each time: another engine may have taken over while this one waited.
        context.store.check(fence)?;
        let now = context.clock.now_seconds();
        let until = match context.tls_alpn01.put(challenge.clone(), fence, now)? {
            Placing::Served => {
                // An Envoy that still has the previous certificate would show it to the CA.
                context.tls_alpn01.arrived().await;
                return Ok(Answer(Readiness { ready: true }));
            }
            Placing::Taken { until } => until,
        };
        if Instant::now() >= deadline {
            return Ok(Answer(Readiness { ready: false }));
        }
        let dead = Instant::now() + Duration::from_secs(until.abs_diff(now));
        tokio::select! {
            () = freed => {}
            () = sleep_until(dead.min(deadline)) => {}
            _ = stopping.wait_for(|stopping| *stopping) => {
                return Err(Refused::unavailable("the sidecar is shutting down; send the request again"));
            }
        }
    }
}

/// `DELETE`: removes a challenge.
pub(super) async fn retract(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    token: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refused> {
    context.store.check(fence)?;
    // A path that is not UTF-8 names no challenge.
    if let Ok(Path(token)) = token {
        context.tls_alpn01.remove(&token);
    }
    Ok(StatusCode::NO_CONTENT)
}

impl From<challenges::Refused> for Refused {
    fn from(refused: challenges::Refused) -> Self {
        match refused {
            challenges::Refused::Crypto(_) => Self::challenge(refused.to_string()),
            challenges::Refused::Dead | challenges::Refused::Host => Self::bad_request(refused.to_string()),
            challenges::Refused::Full => Self::unavailable(refused.to_string()),
        }
    }
}
