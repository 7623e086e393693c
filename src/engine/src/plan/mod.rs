//! What is to be done now, and when to look again.
//!
//! A queue is what the engine works with: built in one pass over all certificates when the wants change, then a
//! heap, so that a tick with nothing due costs one comparison. [`plan`] is one look at everything.

mod census;
mod due;
mod fallbacks;
mod known;
mod overlap;
mod queue;
mod ready;
mod unwanted;

use std::collections::HashSet;

use crate::Census;
use crate::records::Records;
use crate::schedule::Schedule;
use config::EngineOptions;
pub use due::Due;
pub(crate) use fallbacks::Fallbacks;
use protocol::{CertificateId, State};
pub(crate) use queue::{CertificateQueue, Task};
pub(crate) use ready::View;
pub(crate) use unwanted::Departed;

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

/// Compares what is wanted with what there is. `in_flight` are the certificates that are being worked on.
///
/// A want whose names are all covered by another valid certificate, a provided one, or one in flight is left alone,
/// unless it has a certificate of its own: that one is kept up. A certificate covers others only while it need not be
/// renewed, or is sure to be. Linear in the number of certificates, but for sorting.
pub fn plan(
    wants: &[CertificateId],
    state: &State,
    in_flight: &HashSet<CertificateId>,
    now: i64,
    schedule: &Schedule<'_>,
    options: &EngineOptions,
) -> Plan {
    let records = Records::of(state.clone());
    let view = View::new(&records, schedule, options, now);
    let (mut queue, _) = CertificateQueue::of(wants.to_vec(), &view, in_flight);
    let census = queue.census(&view);
    let mut due = Vec::new();
    while let Some(task) = queue.next(&view) {
        due.push(task.due);
    }
    Plan { due, next_wake: queue.due_at().into_iter().chain(queue.outdated_at()).min(), census }
}

#[cfg(test)]
mod tests;
