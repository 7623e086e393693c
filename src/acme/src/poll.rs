//! Waits between looks at what a CA works on: short at first, then longer, within a bound.

use crate::error::Error;
use crate::host::Host;
use std::time::Duration;

/// The first wait of a poll, what it is multiplied by each time, and the longest without the CA asking for one. A CA on
/// the same network is done in milliseconds, one on the Internet in seconds; eight looks reach from the one to the other.
const FIRST_POLL: Duration = Duration::from_millis(5);

const POLL_GROWTH: u32 = 3;

const LONGEST_POLL: Duration = Duration::from_secs(5);

/// The waits of a poll: short at first, then longer; as long as the CA asks where it does; all within a bound.
pub(crate) struct Poll<'a, H> {
    host: &'a H,
    waiting_for: &'static str,
    timeout: Duration,
    waited: Duration,
    next: Duration,
}

impl<'a, H: Host> Poll<'a, H> {
    pub(crate) fn new(host: &'a H, waiting_for: &'static str, timeout: Duration) -> Self {
        Self { host, waiting_for, timeout, waited: Duration::ZERO, next: FIRST_POLL }
    }

    /// True when all the waits together have reached the bound.
    pub(crate) fn is_over(&self) -> bool {
        self.waited >= self.timeout
    }

    /// Waits before the next look; an error when all the waits together are over the bound. A CA that asks for more than
    /// what is left of it is not asked again by this poll: whoever polls comes back when it may.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) -> Result<(), Error> {
        let left = self.timeout.saturating_sub(self.waited);
        if let Some(asked) = asked.filter(|asked| *asked > left) {
            let (waiting_for, timeout) = (self.waiting_for.to_owned(), self.timeout);
            return Err(Error::AskedToWait { waiting_for, timeout, asked });
        }
        if left.is_zero() {
            return Err(Error::TimedOut { waiting_for: self.waiting_for.to_owned(), after: self.timeout });
        }
        let wait = asked.unwrap_or(Duration::ZERO).max(self.next).min(left);
        self.host.sleep(wait).await;
        self.waited = self.waited.saturating_add(wait);
        self.next = self.next.saturating_mul(POLL_GROWTH).min(LONGEST_POLL);
        Ok(())
    }
}
