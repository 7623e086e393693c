//! The table of certified hosts in shared data, as the sidecar's state says.
//!
//! Whoever leads in this Envoy writes the table, also where another Envoy's engine holds the sidecar's lease: whatever
//! the engine reads and publishes at once, and every minute the state, for what changes without the engine (the user's
//! own files, certificates of another Envoy's engine).

use std::cell::Cell;
use std::time::Duration;

use protocol::{ProvidedCertificate, State, StoredCertificate};

use super::{AskError, Sidecar, parse};
use crate::certified::{self, Certificate, Snapshot};
use crate::context::Context;
use crate::proxy::Status;

/// The wait before the first reading, in which an engine's own comes.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The wait for a sidecar that is away.
const RETRY: Duration = Duration::from_secs(3);

/// How old the table may be, in milliseconds.
const PERIOD: u64 = 60_000;

/// How much longer than a reading took the wait for the next one is, so that a state of tens of megabytes takes a
/// thousandth of the time.
const SHARE: u64 = 1_000;

/// The longest wait, however long a reading takes, in milliseconds.
const MAX_PERIOD: u64 = 60 * 60 * 1_000;

/// The table's age, and what changed it last.
#[derive(Default)]
pub(super) struct Upkeep {
    /// The last reading, by the steady clock; `None` before the first.
    read_at: Cell<Option<u64>>,
    /// How many certificates were published.
    publications: Cell<u64>,
    /// Whether it was told that the table can't be written.
    has_told: Cell<bool>,
}

/// A state that is being read, page by page.
pub(super) struct Reading {
    snapshot: Snapshot,
    /// [`Upkeep::publications`] when the reading began.
    publications: u64,
}

impl Sidecar {
    /// Keeps the table as the sidecar's state is, for ever.
    pub(crate) async fn keep_certified(&self) {
        let Context { clock, timers, .. } = &*self.context;
        let (mut pause, mut period) = (FIRST_PAUSE, PERIOD);
        loop {
            timers.sleep(pause).await;
            let start = clock.steady();
            let age = self.upkeep.read_at.get().map_or(u64::MAX, |read_at| start.saturating_sub(read_at));
            if age < period {
                pause = Duration::from_millis(period.saturating_sub(age));
                continue;
            }
            pause = match self.read_certified().await {
                Ok(()) => {
                    let took = clock.steady().saturating_sub(start);
                    period = took.saturating_mul(SHARE).clamp(PERIOD, MAX_PERIOD);
                    Duration::from_millis(period)
                }
                // It is told elsewhere that the sidecar is away. Until it is back, each line holds to its end.
                Err(_) => RETRY,
            };
        }
    }

    async fn read_certified(&self) -> Result<(), AskError> {
        let mut reading = self.begin_reading();
        let mut page = super::state_store::first_page();
        for _ in 0..super::state_store::MAX_PAGES {
            let state: State = parse(&page, &self.once(&page).await?).map_err(AskError::Refused)?;
            reading.add(&state, &self.context);
            let Some(next) = &state.next else {
                self.end_reading(&reading);
                break;
            };
            page = super::state_store::page_after(next);
        }
        Ok(())
    }

    /// Begins to read the state.
    pub(super) fn begin_reading(&self) -> Reading {
        Reading { snapshot: Snapshot::new(), publications: self.upkeep.publications.get() }
    }

    /// Writes the table anew after the whole state was read. What was published meanwhile may be missing in it: then the
    /// table stays, and the next reading counts.
    pub(super) fn end_reading(&self, reading: &Reading) {
        if reading.publications == self.upkeep.publications.get() {
            let context = &self.context;
            self.upkeep.read_at.set(Some(context.clock.steady()));
            self.written(certified::replace(
                &context.shared,
                self.leader.epoch,
                &reading.snapshot,
                context.now_seconds(),
            ));
        }
    }

    /// Adds a certificate that was just published.
    pub(super) fn add_certified(&self, stored: &StoredCertificate) {
        let now = self.context.now_seconds();
        self.upkeep.publications.set(self.upkeep.publications.get().wrapping_add(1));
        let certificate = Certificate { rank: now, ..certificate(stored) };
        self.written(certified::publish(&self.context.shared, self.leader.epoch, &certificate, now));
    }

    fn written(&self, result: Result<(), Status>) {
        if let Err(status) = result
            && !self.upkeep.has_told.replace(true)
        {
            log::warn!("the table of certified hosts can't be written to shared data: {status}");
        }
    }
}

impl Reading {
    /// Adds a page of the state.
    pub(super) fn add(&mut self, state: &State, context: &Context) {
        let now = context.now_seconds();
        for stored in &state.certificates {
            self.snapshot.add(&context.shared, &certificate(stored), now);
        }
        for ProvidedCertificate { names, not_after } in &state.provided {
            let certificate = Certificate { names, serial: "", issuer: "", not_after: *not_after, rank: 0 };
            self.snapshot.add(&context.shared, &certificate, now);
        }
    }
}

fn certificate(stored: &StoredCertificate) -> Certificate<'_> {
    Certificate {
        names: &stored.names,
        serial: &stored.serial,
        issuer: &stored.issuer,
        not_after: stored.not_after,
        rank: stored.not_before,
    }
}
