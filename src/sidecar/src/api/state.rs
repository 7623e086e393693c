//! All that an engine needs to go on.

use std::sync::Arc;

use axum::extract::State;

use super::Context;
use super::message::Answer;
use super::problem::Refused;

/// `GET`: everything stored, without any key.
pub(super) async fn state(State(context): State<Arc<Context>>) -> Result<Answer<wire::State>, Refused> {
    let certificates = context.store.certificates().await?;
    let mut state = wire::State {
        certificates: certificates.into_iter().map(|certificate| certificate.facts).collect(),
        provided: context.catalog.provided(),
        ..wire::State::default()
    };
    for progress in context.store.all_progress().await? {
        state.orders.extend(progress.order);
        state.attempts.extend(progress.attempt);
    }
    Ok(Answer(state))
}
