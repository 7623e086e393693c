//! `rateLimits`: the CA's rate limits.

use super::super::mistake::Mistake;
use super::super::node::{Node, Table};
use crate::default_limits::default_limits;
use protocol::{Limit, Limits};

/// The explicit choice of no limit.
const NONE: &str = "none";

/// The form of a limit, for mistakes.
const LIMIT: &str = "COUNT/WINDOW (a second to a year), as 300/3h or 50/7d, or none";

/// Reads the limits. Absent ones are those of [`default_limits`].
pub(super) fn read(acme: &mut Table<'_>, ca_server: Option<&str>, mistakes: &mut Vec<Mistake>) -> Limits {
    let limits = ca_server.map(default_limits).unwrap_or_default();
    match acme.take("rateLimits") {
        None => limits,
        Some(node) if is_none(&node) => Limits::default(),
        Some(node) if node.value().is_object() => table(&node, limits, mistakes),
        Some(node) => {
            let expected = "an object with limits, or none";
            mistakes.push(node.mistake(expected));
            limits
        }
    }
}

fn table(node: &Node<'_>, mut limits: Limits, mistakes: &mut Vec<Mistake>) -> Limits {
    let Some(mut table) = node.table(mistakes) else { return limits };
    set(&mut limits.orders, table.take("ordersPerAccount"), mistakes);
    set(&mut limits.certificates, table.take("certificatesPerDomain"), mistakes);
    set(&mut limits.duplicates, table.take("duplicateCertificates"), mistakes);
    set(&mut limits.failures, table.take("failedAuthorizations"), mistakes);
    table.finish(mistakes);
    limits
}

fn set(limit: &mut Option<Limit>, node: Option<Node<'_>>, mistakes: &mut Vec<Mistake>) {
    let Some(node) = node else { return };
    let found = node.value().as_str().and_then(Limit::parse);
    if found.is_none() && !is_none(&node) {
        mistakes.push(node.mistake(LIMIT));
    }
    *limit = found;
}

fn is_none(node: &Node<'_>) -> bool {
    node.value().as_str().is_some_and(|text| text.trim() == NONE)
}
