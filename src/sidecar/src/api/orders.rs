//! Orders under way, and failed attempts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::{Attempt, CertificateId, Order};

use super::Context;
use super::message::{Fenced, Kept, MAX_NAMES, Message, SMALL, certificate_id, name, short, url};
use super::problem::Refused;
use crate::from_memory::About;
use crate::permits;
use storage::{Change, CommitError, Fence, Progress, Revision};

/// The longest reason kept, in characters. It is for a person, and written by a CA.
const MAX_REASON: usize = 1000;

/// `PUT`: stores an order that the CA has created. Another order's key is dropped.
pub(super) async fn order(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(order): Message<Order, SMALL>,
) -> Result<Kept<StatusCode>, Refused> {
    url("url", &order.url)?;
    url("caServer", &order.ca_server)?;
    if let Some(issuer) = &order.issuer {
        short("issuer", issuer)?;
    }
    change(&context, fence, &order.certificate, |progress| {
        if progress.key.as_ref().is_some_and(|key| key.order != order.url) {
            progress.key = None;
        }
        progress.order = Some(order.clone());
    })
    .await
}

/// `PUT`: ends an attempt that failed. A dead order is dropped with its key. Refused names are counted as failed
/// authorizations; reservations that no certificate can come of any more are given back.
pub(super) async fn attempt(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(attempt): Message<Attempt, SMALL>,
) -> Result<Kept<StatusCode>, Refused> {
    let key = certificate_id("certificate", &attempt.certificate)?;
    if let Some(issuer) = &attempt.issuer {
        short("issuer", issuer)?;
    }
    if attempt.refused.len() > MAX_NAMES {
        let found = attempt.refused.len();
        return Err(Refused::bad_request(format!("refused: expected at most {MAX_NAMES} names, found {found}")));
    }
    for (place, refused) in attempt.refused.iter().enumerate() {
        name(&format!("refused[{place}]"), refused)?;
    }
    let reason = attempt.reason.chars().take(MAX_REASON).collect::<String>();
    loop {
        let (expected, mut progress) = in_progress(&context, &key, &attempt.certificate).await?;
        if attempt.order_is_dead {
            progress.order = None;
            progress.key = None;
        }
        let store = context.store.as_ref();
        let mut changes = permits::failed(store, &mut progress, &attempt, context.clock.now_millis()).await?;
        progress.attempt = Some(kept(&attempt, &reason));
        changes.push(Change::Progress { expected, progress });
        match context.commit(fence, changes, About::Certificate(&key)).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(saved) => return Ok(Kept(StatusCode::NO_CONTENT, saved)),
        }
    }
}

/// The part of an attempt to be stored; the rest has had its effect.
fn kept(attempt: &Attempt, reason: &str) -> Attempt {
    Attempt {
        reason: reason.to_owned(),
        order_is_dead: false,
        issuer: None,
        ca_server: String::new(),
        refused: Vec::new(),
        ..attempt.clone()
    }
}

async fn change(
    context: &Context,
    fence: Fence,
    id: &CertificateId,
    change: impl Fn(&mut Progress),
) -> Result<Kept<StatusCode>, Refused> {
    let key = certificate_id("certificate", id)?;
    loop {
        let (expected, mut progress) = in_progress(context, &key, id).await?;
        change(&mut progress);
        let changes = vec![Change::Progress { expected, progress }];
        match context.commit(fence, changes, About::Certificate(&key)).await {
            Err(CommitError::Conflict) => {}
            Err(error) => return Err(error.into()),
            Ok(saved) => return Ok(Kept(StatusCode::NO_CONTENT, saved)),
        }
    }
}

async fn in_progress(
    context: &Context,
    key: &CertificateId,
    id: &CertificateId,
) -> Result<(Revision, Progress), Refused> {
    let stored = context.store.progress(key).await?;
    let expected = Revision::of(stored.as_ref());
    let progress = stored.map_or_else(|| Progress::none(id.clone()), |stored| stored.value);
    Ok((expected, Progress { id: id.clone(), ..progress }))
}
