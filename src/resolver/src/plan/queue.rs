//! Which of the due certificates are tried for now, and in which order.

use super::{Due, Task};
use crate::coverage::Coverage;
use crate::engine::Why;

/// More names than any certificate has: a list with a wildcard is broader than all others.
const MAX_LIST: usize = 1 << 20;

/// What is needed, the most urgent first.
pub(super) fn in_order(tasks: Vec<Task>) -> Vec<Task> {
    let mut tasks = without_overlap(tasks);
    sort(&mut tasks);
    tasks
}

/// Of new certificates that are due together, some may cover all names of another: that one waits to see whether it is
/// still needed. So does one that orders half done will cover. The broadest are looked at first, so of two lists the
/// one within the other waits.
fn without_overlap(mut tasks: Vec<Task>) -> Vec<Task> {
    for Task { rank, urgency, due, .. } in &mut tasks {
        let breadth = due.id.names.len().saturating_add(if has_wildcard(due) { MAX_LIST } else { 0 });
        *rank = (i64::try_from(breadth).unwrap_or(i64::MAX).saturating_neg(), urgency.1);
    }
    sort(&mut tasks);
    let mut coming = Coverage::default();
    tasks.iter().filter(|task| task.due.why == Why::Resume).for_each(|task| coming.add_all(&task.due.id.names));
    let mut needed = Vec::with_capacity(tasks.len());
    for Task { due, .. } in &tasks {
        let is_needed = due.why != Why::First || !coming.covers_all(&due.id.names);
        if is_needed && due.why == Why::First {
            coming.add_all(&due.id.names);
        }
        needed.push(is_needed);
    }
    let needed = tasks.into_iter().zip(needed).filter(|(_, is_needed)| *is_needed);
    needed.map(|(task, _)| Task { rank: task.urgency, ..task }).collect()
}

fn has_wildcard(due: &Due) -> bool {
    due.id.names.iter().any(|name| name.starts_with('*'))
}

/// The one sort there is: each has its price in the plugin's size.
fn sort(tasks: &mut [Task]) {
    tasks.sort_unstable_by_key(|task| task.rank);
}
