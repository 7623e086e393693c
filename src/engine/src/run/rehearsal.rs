//! A trial with the CA's test system: a certificate that keeps failing must not use up what the CA itself allows.

use std::cell::RefCell;

use acme::{Host, Identifier, issuance};

use super::attempt_error::AttemptError;
use super::delegate::AttemptDelegate;
use super::event::Event;
use super::record::failures_with;
use super::session::Session;
use crate::plan::Task;
use crate::state_store::StateStore;

/// After this many failed tries in a row the names are proved to the test system first.
const AFTER_FAILURES: u32 = 3;

/// Proves the names to the test system, where there is one and the certificate keeps failing. When that passes, the CA
/// itself is worth another try. So it is when the test system is away: then it tells nothing.
pub(super) async fn rehearse<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    staging: Option<&Session<'_, H, V>>,
    task: &Task,
    names: &[Identifier],
    is_http_unserved: bool,
) -> Result<(), AttemptError> {
    let id = &task.due.id;
    let failures =
        task.attempt.as_ref().map_or(0, |attempt| failures_with(attempt, id.resolver == task.issuer, &task.issuer));
    let Some(staging) = staging.filter(|_| failures >= AFTER_FAILURES) else { return Ok(()) };
    let order = RefCell::new(None);
    let delegate = AttemptDelegate::new(staging, id, &order, is_http_unserved);
    let trial = async { Ok::<_, AttemptError>(issuance::rehearse(&*staging.client().await?, &delegate, names).await?) };
    match trial.await {
        Ok(()) => {
            session.observer.notice(Event::Rehearsed { id });
            Ok(())
        }
        Err(error @ AttemptError::StoreUnavailable(_)) => Err(error),
        Err(error) if error.is_of_names() => Err(AttemptError::Rehearsal(Box::new(error))),
        Err(_) => Ok(()),
    }
}
