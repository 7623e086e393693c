//! Overlaps between certificates that are due together: one whose names another covers is deferred.

use crate::Why;
use config::coverage::Coverage;
use protocol::CertificateId;

/// More names than any certificate has: a list with a wildcard is broader than all others.
const MAX_LIST: usize = 1 << 20;

/// Indexes of new certificates that need no order of their own: another certificate that is due at the same time, or
/// whose order is resumed, covers all their names. The certificates with most names are considered first, so that of
/// two sets the smaller one is deferred.
pub(super) fn needless(due: &[(usize, &CertificateId, Why)]) -> Vec<usize> {
    let mut coming = Coverage::default();
    due.iter().filter(|(_, _, why)| *why == Why::Resume).for_each(|(_, id, _)| coming.add_all(&id.names));
    let mut new: Vec<_> = due.iter().filter(|(_, _, why)| *why == Why::First).collect();
    new.sort_unstable_by_key(|(place, id, _)| (std::cmp::Reverse(breadth(id)), *place));
    let mut needless = Vec::new();
    for (place, id, _) in new {
        if coming.covers_all(&id.names) {
            needless.push(*place);
        } else {
            coming.add_all(&id.names);
        }
    }
    needless
}

fn breadth(id: &CertificateId) -> usize {
    let has_wildcard = id.names.iter().any(|name| name.starts_with('*'));
    id.names.len().saturating_add(if has_wildcard { MAX_LIST } else { 0 })
}
