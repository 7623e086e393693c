//! Attempts that began and never ended: their process died before it could report a result.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Refusal;

/// The wait before the second new try; it doubles with each further one.
const FIRST: Duration = Duration::from_secs(60);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// Tries in a row that began and have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Interruption {
    /// How many.
    pub count: u32,
    /// When the last one began, seconds since 1970.
    pub since: i64,
}

impl Interruption {
    /// The next try begins.
    pub fn after(before: Option<Self>, now_seconds: i64) -> Self {
        Self { count: before.map_or(0, |before| before.count).saturating_add(1), since: now_seconds }
    }

    /// Why the next try may not begin now; `None` when it may.
    pub fn refusal(&self, now_seconds: i64) -> Option<Refusal> {
        Some(Refusal::interrupted(self.count, self.wait(now_seconds)?))
    }

    /// When the next try may begin, in seconds since 1970; `None` when it may now. A time that is still to come was
    /// kept before the clock was set back, and says nothing: taken to be now, it would be now whenever it is asked, and
    /// no try would ever begin.
    fn wait(&self, now_seconds: i64) -> Option<i64> {
        if self.since > now_seconds {
            return None;
        }
        let wait = i64::try_from(wait_after_interruptions(self.count).as_secs()).unwrap_or(i64::MAX);
        let next = self.since.saturating_add(wait);
        (next > now_seconds).then_some(next)
    }
}

/// The wait after the beginning of the last of so many tries that never ended: none after the first, since a restart is
/// nothing unusual; then a minute, doubling to six hours. It never shrinks.
pub fn wait_after_interruptions(count: u32) -> Duration {
    let Some(doublings) = count.checked_sub(2) else { return Duration::ZERO };
    let times = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
    FIRST.saturating_mul(times).min(LONGEST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn a_restart_is_nothing_unusual_and_a_loop_waits_longer_and_longer() {
        let minutes = |count| wait_after_interruptions(count).as_secs() / 60;
        let waits: Vec<u64> = (0..12).map(minutes).collect();
        assert_eq!(waits, [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 360]);
        assert!([33, 34, 35, 1000, u32::MAX].into_iter().all(|count| minutes(count) == 360));
    }

    #[test]
    fn ten_minutes_of_restarts_every_second_make_few_tries() {
        let (mut last, mut tries) = (None::<Interruption>, 0);
        for now in NOW..NOW + 600 {
            if last.is_none_or(|last| last.wait(now).is_none()) {
                last = Some(Interruption::after(last, now));
                tries += 1;
            }
        }
        // At 0 and 1 s, then after 1, 2 and 4 minutes.
        assert_eq!(tries, 5);
    }

    #[test]
    fn a_clock_that_jumps_makes_no_wait_longer() {
        let last = Interruption { count: 3, since: NOW };
        assert_eq!(last.wait(NOW), Some(NOW + 120));
        for back in [86_400, 10 * 31_557_600, i64::MAX] {
            let now = NOW.saturating_sub(back);
            assert_eq!(last.wait(now), None);
            // The try that begins then counts, and the next one waits by the clock as it is now.
            assert_eq!(Interruption::after(Some(last), now).wait(now), Some(now + 240));
        }
        for on in [86_400, 10 * 31_557_600, i64::MAX - NOW] {
            assert_eq!(last.wait(NOW + on), None);
        }
    }
}
