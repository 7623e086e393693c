//! The certificates to order now, and the time of the next look.
//!
//! The engine works with a queue: built in one pass over all certificates when the wants change, then a heap, so that a
//! tick with nothing due costs one comparison. [`plan`] computes all of it at once.

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

/// A plan: the certificates that are due, and the time of the next look.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Certificates that are due, most urgent first: those that have expired or end within a day, then those never
    /// issued, then those that expire next.
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
