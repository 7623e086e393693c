//! The time that one operation may take with all its repetitions, and what the CA asked for meanwhile.
//!
//! Promises: an operation ends within its time; one that ends in a wait that the CA asked for says so, so that whoever
//! tries again does it no sooner.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use crate::error::Error;
use crate::host::Host;

/// The time of one operation.
pub(crate) struct Patience {
    timeout: Duration,
    /// The wait that the CA asked for, while it lasts.
    asked: Cell<Option<Duration>>,
}

impl Patience {
    /// An operation may take this long.
    pub(crate) fn new(timeout: Duration) -> Self {
        Self { timeout, asked: Cell::new(None) }
    }

    /// True when a wait may fit into the operation at all.
    pub(crate) fn suffices_for(&self, wait: Duration) -> bool {
        wait < self.timeout
    }

    /// Waits before a repetition, at least for as long as the CA asked.
    pub(crate) async fn wait<H: Host>(&self, host: &H, least: Duration, asked: Option<Duration>) {
        self.asked.set(asked.filter(|asked| !asked.is_zero()));
        host.sleep(asked.map_or(least, |asked| asked.max(least))).await;
        self.asked.set(None);
    }

    /// Ends the operation with an error when it takes longer.
    pub(crate) async fn bound<H: Host, T>(
        &self,
        host: &H,
        waiting_for: &str,
        operation: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        match select(pin!(operation), pin!(host.sleep(self.timeout))).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => {
                let (waiting_for, timeout) = (waiting_for.to_owned(), self.timeout);
                Err(match self.asked.get() {
                    Some(asked) => Error::AskedToWait { waiting_for, timeout, asked },
                    None => Error::TimedOut { waiting_for, after: timeout },
                })
            }
        }
    }
}
