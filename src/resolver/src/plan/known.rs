//! What is wanted and what there is, each certificate's facts in one place.

use std::collections::{HashMap, HashSet};

use crate::coverage::Coverage;
use crate::key::Key;
use crate::schedule::Schedule;
use crate::vault::{Attempt, Certificate, CertificateId, Inventory, PendingOrder};

/// All that is known of one certificate.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// The first place among the wants that it has.
    pub(super) wanted_at: Option<usize>,
    pub(super) stored: Option<&'a Certificate>,
    /// The last try, if it failed.
    pub(super) attempt: Option<&'a Attempt>,
    pub(super) order: Option<&'a PendingOrder>,
    pub(super) is_in_flight: bool,
}

/// What is wanted and what there is, ready to be asked.
pub(super) struct Known<'a> {
    pub(super) facts: HashMap<Key<'a>, Facts<'a>>,
    /// What valid, provided and coming certificates cover.
    pub(super) coverage: Coverage<'a>,
    /// When the first of the valid ones ceases to, seconds since 1970.
    pub(super) next_uncovering: Option<i64>,
}

impl<'a> Known<'a> {
    pub(super) fn of(
        wants: &'a [CertificateId],
        inventory: &'a Inventory,
        in_flight: &'a HashSet<CertificateId>,
        now: i64,
        schedule: &Schedule<'_>,
    ) -> Self {
        let mut facts: HashMap<Key<'a>, Facts<'a>> = HashMap::with_capacity(wants.len());
        for (position, id) in wants.iter().enumerate() {
            facts.entry(Key(id)).or_default().wanted_at.get_or_insert(position);
        }
        let mut coverage = Coverage::default();
        let mut next_uncovering = None;
        for certificate in &inventory.certificates {
            let facts = facts.get_mut(&Key(&certificate.id));
            let until = covers_until(certificate, facts.is_some(), schedule);
            if until > now {
                coverage.add_all(&certificate.id.names);
                next_uncovering = Some(next_uncovering.map_or(until, |next: i64| next.min(until)));
            }
            if let Some(facts) = facts {
                facts.stored = Some(certificate);
            }
        }
        inventory.provided.iter().for_each(|names| coverage.add_all(names));
        in_flight.iter().for_each(|id| coverage.add_all(&id.names));
        let mut note = |id: &'a CertificateId, fact: &mut dyn FnMut(&mut Facts<'a>)| {
            facts.get_mut(&Key(id)).into_iter().for_each(fact);
        };
        let failed = inventory.attempts.iter().filter(|attempt| attempt.failures > 0);
        failed.for_each(|attempt| note(&attempt.id, &mut |facts| facts.attempt = Some(attempt)));
        inventory.orders.iter().for_each(|order| note(&order.id, &mut |facts| facts.order = Some(order)));
        in_flight.iter().for_each(|id| note(id, &mut |facts| facts.is_in_flight = true));
        Self { facts, coverage, next_uncovering }
    }
}

/// Until when a stored certificate makes another one needless, in seconds since 1970.
///
/// One that nothing wants any more is not renewed, so what it covers needs its own when it would be due: a name taken
/// off a router's list leaves the others on that list, and they must not go dark at its end. One that is wanted has half
/// of its window to be renewed in; should that fail for so long, what it covers gets its own while it still serves.
fn covers_until(certificate: &Certificate, is_wanted: bool, schedule: &Schedule<'_>) -> i64 {
    let due = schedule.renewal_at(certificate);
    if is_wanted { due.saturating_add(certificate.not_after.saturating_sub(due) / 2) } else { due }
}
