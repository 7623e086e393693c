//! The randomness of a simulation, which follows from the seed.

use std::cell::Cell;

/// The dice (splitmix64).
pub struct Dice(Cell<u64>);

impl Dice {
    /// Creates the dice of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d))
    }

    /// Any number.
    pub fn any(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below `end`, which is not 0.
    pub fn below(&self, end: u64) -> u64 {
        self.any() % end
    }

    /// From `from` up to and with `to`, in milliseconds or whatever else is counted.
    pub fn between(&self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.below((to - from + 1).unsigned_abs())).unwrap_or_default()
    }

    /// True with this chance in percent.
    pub fn percent(&self, chance: u64) -> bool {
        self.below(100) < chance
    }

    /// Any of these.
    pub fn one_of<T: Copy>(&self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap_or_default()]
    }
}
