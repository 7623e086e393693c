//! How long a CA is left alone, as the engine notes it in memory. However long that is, it is believed: a limit of a week
//! frees its next place after more than a day. But not when it was noted by a clock that has been set back since.

/// How far the clock may go back without what was noted before losing its meaning, in seconds.
const SMALL_JUMP: i64 = 60;

/// A time until when a CA is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cooldown {
    noted: i64,
    until: i64,
}

impl Cooldown {
    /// No cooldown.
    pub(crate) const NONE: Self = Self { noted: i64::MIN, until: i64::MIN };

    /// Until then, as it is noted now; both in seconds since 1970.
    pub(crate) fn new(until: i64, now: i64) -> Self {
        Self { noted: now, until }
    }

    /// When it ends, seconds since 1970; long ago, where it was noted by a clock that has been set back since.
    pub(crate) fn until(self, now: i64) -> i64 {
        if self.noted.saturating_sub(now) > SMALL_JUMP { i64::MIN } else { self.until }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const WEEK: i64 = 7 * 86_400;

    #[test]
    fn it_lasts_for_as_long_as_was_said() {
        let cooldown = Cooldown::new(NOW + WEEK, NOW);
        assert_eq!([NOW - 60, NOW, NOW + WEEK].map(|now| cooldown.until(now)), [NOW + WEEK; 3]);
        assert_eq!(Cooldown::NONE.until(NOW), i64::MIN);
    }

    #[test]
    fn it_says_nothing_to_a_clock_that_was_set_back() {
        let cooldown = Cooldown::new(NOW + 60, NOW);
        assert_eq!([NOW - 61, NOW - 10 * 31_557_600, i64::MIN].map(|now| cooldown.until(now)), [i64::MIN; 3]);
    }
}
