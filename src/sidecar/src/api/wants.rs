//! Wants of Envoys that don't hold the lease.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use wire::{Wants, WantsOffer};

use super::Context;
use super::message::{Answer, Message, WANTS, certificate_key, short};
use super::problem::Refused;
use crate::wants::Full;

/// What a long poll asks for.
#[derive(Deserialize)]
pub(super) struct Poll {
    /// The revision that is known.
    #[serde(default)]
    after: u64,
    /// How long to wait for another, in seconds.
    #[serde(default)]
    wait: u64,
}

/// `PUT`: what an Envoy wants.
pub(super) async fn offer(
    State(context): State<Arc<Context>>,
    Message(offer): Message<WantsOffer, WANTS>,
) -> Result<StatusCode, Refused> {
    short("holder", &offer.holder)?;
    for (place, want) in offer.wants.iter().enumerate() {
        certificate_key(&format!("wants[{place}].certificate"), &want.certificate)?;
    }
    match context.wants.offer(offer) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(full @ Full) => Err(Refused::unavailable(full.to_string())),
    }
}

/// `GET`: all that is wanted, as soon as its revision is another than the one that is known.
pub(super) async fn poll(
    State(context): State<Arc<Context>>,
    poll: Result<Query<Poll>, QueryRejection>,
) -> Result<Answer<Wants>, Refused> {
    let Query(poll) = poll.map_err(|_| Refused::bad_request("query: after and wait are whole numbers"))?;
    let wait = Duration::from_secs(poll.wait.min(wire::MAX_WAIT_SECONDS));
    let mut stopping = context.stopping.clone();
    tokio::select! {
        wants = context.wants.after(poll.after, wait) => Ok(Answer(wants)),
        _ = stopping.wait_for(|stopping| *stopping) => Ok(Answer(context.wants.now())),
    }
}
