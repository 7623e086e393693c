//! Shorter waits after a restart: an operator who has fixed the cause of a permanent error, at the CA perhaps, where
//! nothing here changes, restarts to have the order tried again.
//!
//! Promises: after a restart such an attempt waits no longer than `retryMin`, counted from the failure; each further
//! one before the full wait is over waits twice as long, so that a crash loop reaches the CA no more often than a
//! healthy instance does. All other waits hold over restarts.

use std::time::Duration;

use acme::Class;

use crate::backoff;
use config::EngineOptions;
use protocol::{Attempt, CertificateId, PermanentFailure, State};

/// The record of a permanent failure at `now`, in seconds since 1970; `None` for errors of other classes.
pub(crate) fn permanent(class: Class, before: Option<Before<'_>>, now: i64) -> Option<PermanentFailure> {
    if class != Class::Permanent {
        return None;
    }
    let early_retries =
        before.map_or(0, |before| before.permanent.early_retries.saturating_add(before.was_waiting(now).into()));
    Some(PermanentFailure { since: now, early_retries })
}

/// The permanent refusal before this try.
#[derive(Clone, Copy)]
pub(crate) struct Before<'a> {
    permanent: PermanentFailure,
    failures: u32,
    options: &'a EngineOptions,
    id: &'a CertificateId,
    lifetime: Option<Duration>,
}

impl<'a> Before<'a> {
    /// The attempt, if it was the last try with this resolver.
    pub(crate) fn of(
        attempt: &Attempt,
        resolver: &str,
        options: &'a EngineOptions,
        id: &'a CertificateId,
        lifetime: Option<Duration>,
    ) -> Option<Self> {
        let (permanent, failures) = if id.resolver == resolver {
            (attempt.permanent?, attempt.failures)
        } else {
            let fallback = attempt.with_fallback(resolver)?;
            (fallback.permanent?, fallback.failures)
        };
        Some(Self { permanent, failures, options, id, lifetime })
    }

    /// True while the full wait after the failure is not over.
    fn was_waiting(&self, now: i64) -> bool {
        let wait = backoff::delay(self.failures, Class::Permanent, self.options, self.id, self.lifetime);
        now < after(self.permanent.since, wait)
    }
}

/// Shortens the waits after permanent refusals: the engine has been started anew. `now` is in seconds since 1970.
pub(crate) fn shorten_waits(state: &mut State, options: &EngineOptions, now: i64) {
    for attempt in &mut state.attempts {
        let own = (attempt.permanent, &mut attempt.retry_at);
        let fallbacks =
            attempt.fallback_attempts.iter_mut().map(|fallback| (fallback.permanent, &mut fallback.retry_at));
        for (permanent, retry_at) in fallbacks.chain([own]) {
            let Some(PermanentFailure { since, early_retries }) = permanent else { continue };
            // A time ahead was noted by a clock that has been set back since.
            let until = after(since.min(now), backoff::rest(early_retries.saturating_add(1), options));
            *retry_at = until.min(*retry_at);
        }
    }
}

fn after(at: i64, wait: Duration) -> i64 {
    at.saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX))
}
