//! Rate-limit reservations, and pauses that a CA asked for.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use protocol::limit::MOST_WINDOW;
use protocol::{Pause, Permit, PermitRequest};

use super::Context;
use super::message::{Answer, Fenced, MAX_NAMES, Message, SMALL, certificate_id, name, short, url};
use super::problem::Refused;
use crate::permits::{self, ReserveError};

/// `POST`: asks for a permit. A grant is counted on disk before it is answered.
pub(super) async fn ask(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(request): Message<PermitRequest, SMALL>,
) -> Result<Answer<Permit>, Refused> {
    certificate_id("certificate", &request.certificate)?;
    short("issuer", &request.issuer)?;
    let ca = url("caServer", &request.ca_server)?;
    let limits = &request.limits;
    for (field, limit) in [
        ("orders", limits.orders),
        ("certificates", limits.certificates),
        ("duplicates", limits.duplicates),
        ("failures", limits.failures),
    ] {
        if !limit.is_none_or(protocol::Limit::is_bounded) {
            let expected = format!("a count of at least 1 in 1 to {MOST_WINDOW} seconds");
            return Err(Refused::bad_request(format!("limits.{field}: expected {expected}")));
        }
    }
    let asked = context.permits.reserve(context.store.as_ref(), fence, &request, &ca, context.clock.now_millis()).await;
    Ok(Answer(asked?))
}

/// `PUT`: stores a pause that a CA asked for.
pub(super) async fn pause(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(pause): Message<Pause, SMALL>,
) -> Result<StatusCode, Refused> {
    short("issuer", &pause.issuer)?;
    let ca = url("caServer", &pause.ca_server)?;
    if pause.names.len() > MAX_NAMES {
        let found = pause.names.len();
        return Err(Refused::bad_request(format!("names: expected at most {MAX_NAMES} names, found {found}")));
    }
    for (place, paused) in pause.names.iter().enumerate() {
        name(&format!("names[{place}]"), paused)?;
    }
    permits::pause(context.store.as_ref(), fence, &pause, &ca, context.clock.now_millis()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<ReserveError> for Refused {
    fn from(error: ReserveError) -> Self {
        match error {
            ReserveError::Commit(error) => error.into(),
            ReserveError::Store(error) => error.into(),
        }
    }
}
