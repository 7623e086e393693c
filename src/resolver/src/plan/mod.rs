//! What is to be done now, and when to look again.

mod known;
mod queue;

use std::collections::HashSet;

use crate::config::EngineOptions;
use crate::engine::{Census, Why};
use crate::key::Key;
use crate::schedule::Schedule;
use crate::vault::{Attempt, Certificate, CertificateId, Inventory, PendingOrder};
use known::{Facts, Known};

/// The longest a stored retry time is believed, beyond `retryMax` and its jitter: a CA's longest `Retry-After`. A time
/// further ahead was written by a clock that has been set back since.
const LONGEST_RETRY_AFTER: i64 = 24 * 60 * 60;

/// A name that never had a certificate goes before those whose certificate has this long to live, or longer, in
/// seconds. What ends sooner goes first: ten thousand new names must not let what is served go dark meanwhile.
const SOON: i64 = 24 * 60 * 60;

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is due, most urgent first: what has expired or ends within a day, then what has no certificate at all, then
    /// what expires next.
    pub due: Vec<Due>,
    /// When something else becomes due, seconds since 1970.
    pub next_wake: Option<i64>,
    /// How many are in which state.
    pub census: Census,
}

/// A certificate that is to be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Which one.
    pub id: CertificateId,
    /// Why.
    pub why: Why,
}

/// Compares what is wanted with what there is. `in_flight` are the certificates that are being worked on.
///
/// A want whose names are all covered by another valid certificate, a provided one, or one in flight is left alone,
/// unless it has a certificate of its own: that one is kept up. A certificate covers others only while it need not be
/// renewed, or is sure to be. Linear in the number of certificates, but for sorting.
pub fn plan(
    wants: &[CertificateId],
    inventory: &Inventory,
    in_flight: &HashSet<CertificateId>,
    now: i64,
    schedule: &Schedule<'_>,
    options: &EngineOptions,
) -> Plan {
    let Tasks { tasks, next_wake, census } = tasks(wants, inventory, in_flight, now, schedule, options);
    Plan { due: tasks.into_iter().map(|task| task.due).collect(), next_wake, census }
}

/// A [`Plan`] whose certificates come with what is known of them.
#[derive(Default)]
pub(crate) struct Tasks {
    pub(crate) tasks: Vec<Task>,
    pub(crate) next_wake: Option<i64>,
    pub(crate) census: Census,
}

/// A certificate that is to be ordered, and what is known of it.
pub(crate) struct Task {
    pub(crate) due: Due,
    /// The order that is under way.
    pub(crate) order: Option<PendingOrder>,
    /// How many tries have failed since the last success.
    pub(crate) failures: u32,
    /// The least comes first.
    rank: (i64, usize),
    /// The end of what is served now, seconds since 1970; then the place among the wants.
    urgency: (i64, usize),
}

/// [`plan`], for the engine.
pub(crate) fn tasks(
    wants: &[CertificateId],
    inventory: &Inventory,
    in_flight: &HashSet<CertificateId>,
    now: i64,
    schedule: &Schedule<'_>,
    options: &EngineOptions,
) -> Tasks {
    let known = Known::of(wants, inventory, in_flight, now, schedule);
    let mut plan = Tasks { next_wake: known.next_uncovering, ..Tasks::default() };
    for (position, id) in wants.iter().enumerate() {
        let Some(facts) = known.facts.get(&Key(id)).filter(|facts| facts.wanted_at == Some(position)) else {
            continue;
        };
        let Facts { stored, attempt, order, .. } = *facts;
        plan.census.failing = plan.census.failing.saturating_add(u64::from(attempt.is_some()));
        let renewal = stored.map(|stored| schedule.renewal_at(stored));
        let is_covered = stored.is_none() && known.coverage.covers_all(&id.names);
        plan.census.count(stored, is_covered, renewal.is_some_and(|at| at <= now), now);
        if facts.is_in_flight {
            plan.census.in_progress = plan.census.in_progress.saturating_add(1);
            continue;
        }
        let ready_at = match (renewal, attempt) {
            _ if is_covered => continue,
            (Some(renewal), Some(attempt)) => renewal.max(believed(attempt, now, options)),
            (Some(renewal), None) => renewal,
            (None, Some(attempt)) => believed(attempt, now, options),
            (None, None) => now,
        };
        if ready_at > now {
            plan.next_wake = Some(plan.next_wake.map_or(ready_at, |wake| wake.min(ready_at)));
            continue;
        }
        let why = match () {
            () if order.is_some() => Why::Resume,
            () if attempt.is_some() => Why::Retry,
            () if stored.is_some() => Why::Renewal,
            () => Why::First,
        };
        let urgency = (stored.map_or(now.saturating_add(SOON), |stored| stored.not_after), position);
        plan.tasks.push(Task {
            due: Due { id: id.clone(), why },
            order: order.cloned(),
            failures: attempt.map_or(0, |attempt| attempt.failures),
            rank: urgency,
            urgency,
        });
    }
    plan.tasks = queue::in_order(plan.tasks);
    plan
}

/// When an attempt may be repeated.
fn believed(attempt: &Attempt, now: i64, options: &EngineOptions) -> i64 {
    let longest = i64::try_from(options.retry_max.as_secs()).unwrap_or(i64::MAX);
    let longest = longest.saturating_add(longest / 4).max(LONGEST_RETRY_AFTER);
    if attempt.retry_at > now.saturating_add(longest) { now } else { attempt.retry_at }
}

impl Census {
    fn count(&mut self, stored: Option<&Certificate>, is_covered: bool, is_due: bool, now: i64) {
        let state = match stored {
            Some(stored) if stored.not_after <= now => &mut self.expired,
            Some(_) if is_due => &mut self.due,
            None if !is_covered => &mut self.missing,
            _ => &mut self.valid,
        };
        *state = state.saturating_add(1);
    }
}

#[cfg(test)]
mod tests;
