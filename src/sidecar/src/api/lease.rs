//! The engine's lease.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use protocol::{Lease, LeaseRequest};

use super::Context;
use super::message::{Answer, Message, SMALL, short};
use super::problem::Refused;
use storage::Claim;

/// `POST`: acquires or renews the lease.
pub(super) async fn claim(
    State(context): State<Arc<Context>>,
    Message(request): Message<LeaseRequest, SMALL>,
) -> Result<Answer<Lease>, Refused> {
    short("holder", &request.holder)?;
    let ttl = Duration::from_millis(request.ttl_millis);
    let claim = Claim { holder: request.holder, epoch: request.epoch, ttl };
    Ok(Answer(context.store.claim(claim).await?))
}
