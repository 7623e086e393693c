//! Orders under way, and what came of failed tries.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use wire::{Attempt, CertificateId, Order};

use super::Context;
use super::message::{Fenced, Message, SMALL, certificate_key, url};
use super::problem::Refused;
use crate::store::{Change, CommitError, Fence, Progress, Revision};

/// The longest reason that is kept, in characters. It is for a person, and written by a CA.
const MAX_REASON: usize = 1000;

/// `PUT`: an order that the CA has created. The key of another order goes.
pub(super) async fn order(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(order): Message<Order, SMALL>,
) -> Result<StatusCode, Refused> {
    url("url", &order.url)?;
    url("caServer", &order.ca_server)?;
    change(&context, fence, &order.certificate, |progress| {
        if progress.key.as_ref().is_some_and(|key| key.order != order.url) {
            progress.key = None;
        }
        progress.order = Some(order.clone());
    })
    .await
}

/// `PUT`: a try that failed. A dead order goes, and its key.
pub(super) async fn attempt(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(attempt): Message<Attempt, SMALL>,
) -> Result<StatusCode, Refused> {
    let reason = attempt.reason.chars().take(MAX_REASON).collect::<String>();
    change(&context, fence, &attempt.certificate, |progress| {
        if attempt.order_is_dead {
            progress.order = None;
            progress.key = None;
        }
        progress.attempt = Some(Attempt { order_is_dead: false, reason: reason.clone(), ..attempt.clone() });
    })
    .await
}

async fn change(
    context: &Context,
    fence: Fence,
    id: &CertificateId,
    change: impl Fn(&mut Progress),
) -> Result<StatusCode, Refused> {
    let key = certificate_key("certificate", id)?;
    loop {
        let stored = context.store.progress(&key).await?;
        let expected = Revision::of(stored.as_ref());
        let mut progress = stored.map_or_else(|| Progress::none(id.clone()), |stored| stored.value);
        progress.id = id.clone();
        change(&mut progress);
        match context.store.commit(fence, vec![Change::Progress { expected, progress }]).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(()) => return Ok(StatusCode::NO_CONTENT),
        }
    }
}
