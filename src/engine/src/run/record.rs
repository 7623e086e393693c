//! The record of a failed attempt: when to try again, with which resolver, and why it failed.

use std::time::Duration;

use acme::Host;

use super::attempt_error::AttemptError;
use super::event::Event;
use super::outcome::{Course, Outcome};
use super::session::Session;
use crate::backoff;
use crate::fingerprint::fingerprint;
use crate::restart::{Before, permanent};
use crate::state_store::{StateStore, StateStoreError};
use protocol::{Attempt, FallbackAttempt};

/// Stores a failure, and when to try again.
pub(super) async fn record<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    course: Course<'_>,
    error: &AttemptError,
) -> Outcome {
    let Course { task, order, refused, has_named_replaced } = course;
    let (id, class) = (&task.due.id, error.class());
    let before = task.attempt.clone().unwrap_or_default();
    let is_own = id.resolver == task.issuer;
    let failures = failures_with(&before, is_own, &task.issuer).saturating_add(1);
    let lifetime = task.lifetime.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or_default()));
    let delay = backoff::delay(failures, class, &session.config.engine, id, lifetime);
    // Whole seconds are stored, and no wait may become shorter.
    let delay = i64::try_from(delay.as_millis()).unwrap_or(i64::MAX);
    let retry_in = delay.saturating_add(999).div_euclid(1000);
    let retry_at = session.host.now_millis().saturating_add(delay).saturating_add(999).div_euclid(1000);
    let last = Before::of(&before, &task.issuer, &session.config.engine, id, lifetime);
    let permanent = permanent(class, last, session.host.now_millis().div_euclid(1000));
    let mut refused = refused.into_inner();
    // A CA can name whatever it likes.
    refused.retain(|name| id.names.contains(name));
    let mut attempt = Attempt {
        certificate: id.clone(),
        reason: error.to_string(),
        order_is_dead: error.ends_order(),
        has_named_replaced: has_named_replaced.get(),
        failed_challenges: session.failures.of_names(&id.names),
        issuer: session.resolver.issuer_of(id),
        ca_server: session.resolver.ca_server.clone(),
        refused,
        ..before
    };
    if is_own {
        attempt.failures = failures;
        attempt.retry_at = retry_at;
        attempt.permanent = permanent;
        attempt.fingerprint = Some(fingerprint(session.config, session.resolver, class));
    } else {
        attempt.reason = format!("{}: {}", task.issuer, attempt.reason);
        attempt.fallback_attempts.retain(|known| known.resolver != task.issuer);
        attempt.fallback_attempts.push(FallbackAttempt {
            resolver: task.issuer.clone(),
            failures,
            retry_at,
            permanent,
        });
    }
    let (class, reason) = (error.label(), attempt.reason.as_str());
    session.observer.notice(Event::Failed { id, class, reason, failures, retry_in });
    match session.store.save_attempt(attempt.clone()).await {
        Err(error @ StateStoreError::Unavailable(_)) => Outcome::StoreUnavailable(error),
        // Refused or not, the engine itself keeps to it.
        Ok(()) | Err(StateStoreError::Refused(_)) => Outcome::Failed { attempt, order: order.into_inner() },
    }
}

/// How many tries with this resolver have failed since the last success.
pub(super) fn failures_with(attempt: &Attempt, is_own: bool, resolver: &str) -> u32 {
    if is_own {
        return attempt.failures;
    }
    attempt.with_fallback(resolver).map_or(0, |fallback| fallback.failures)
}
