//! Of new certificates that are due together, which wait to see whether they are still needed.

use crate::Why;
use config::coverage::Coverage;
use protocol::CertificateId;

/// More names than any certificate has: a list with a wildcard is broader than all others.
const MAX_LIST: usize = 1 << 20;

/// The places of those that others will cover: of new certificates that are due together, some may cover all names of
/// another. So do those of orders half done. The broadest are looked at first, so of two lists the one within the other
/// waits.
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
