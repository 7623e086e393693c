//! Wanted certificates, and the names that need no certificate of their own.

use std::collections::HashSet;

use super::ready::View;
use config::coverage::Coverage;
use protocol::CertificateId;

/// Wanted and covered names, indexed for lookups.
pub(super) struct Known<'a> {
    wanted: HashSet<&'a CertificateId>,
    in_flight: HashSet<&'a CertificateId>,
    /// Names covered by certificates that are valid, provided, or being ordered.
    pub(super) coverage: Coverage<'a>,
    /// When the first of the valid ones ceases to, seconds since 1970.
    pub(super) next_uncovering: Option<i64>,
}

impl<'a> Known<'a> {
    pub(super) fn of(wants: &'a [CertificateId], view: &View<'a>, in_flight: &'a HashSet<CertificateId>) -> Self {
        let wanted: HashSet<&'a CertificateId> = wants.iter().collect();
        let mut coverage = Coverage::default();
        let mut next_uncovering = None;
        for (_, record) in view.records.iter() {
            let Some(stored) = &record.stored else { continue };
            let due = view.renewal_at(record);
            let until = covers_until(stored.not_after, due, wanted.contains(&*record.id));
            if until > view.now {
                coverage.add_all(&stored.names);
                next_uncovering = Some(next_uncovering.map_or(until, |next: i64| next.min(until)));
            }
        }
        view.records.provided.iter().for_each(|names| coverage.add_all(names));
        in_flight.iter().for_each(|id| coverage.add_all(&id.names));
        Self { wanted, in_flight: in_flight.iter().collect(), coverage, next_uncovering }
    }

    pub(super) fn is_wanted(&self, id: &CertificateId) -> bool {
        self.wanted.contains(&id)
    }

    pub(super) fn is_in_flight(&self, id: &CertificateId) -> bool {
        self.in_flight.contains(&id)
    }
}

/// Until when a stored certificate makes another one needless, in seconds since 1970.
///
/// One that nothing wants any more need not be renewed, so what it covers needs its own when it would be due: a name
/// taken off a router's list leaves the others on that list, and they must not go dark at its end. One that is wanted
/// has half of its window to be renewed in; should that fail for so long, what it covers gets its own while it still
/// serves.
fn covers_until(not_after: i64, due: i64, is_wanted: bool) -> i64 {
    if is_wanted { due.saturating_add(not_after.saturating_sub(due) / 2) } else { due }
}
