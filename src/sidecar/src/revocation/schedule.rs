//! Schedules when to fetch which list.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// The bounds of the wait for the next list, in seconds: some CAs announce minutes, some weeks, and all of them publish
/// early when they revoke in bulk.
const SHORTEST: i64 = 60 * 60;
/// See [`SHORTEST`].
const LONGEST: i64 = 24 * 60 * 60;
/// The waits after failures, doubling, in seconds.
const FIRST_RETRY: i64 = 10 * 60;
/// See [`FIRST_RETRY`].
const LAST_RETRY: i64 = 6 * 60 * 60;
/// The jitter, as one part of so many of the wait: many sidecars share a list.
const JITTER_PART: i64 = 5;
/// The longest wait of a list that is new, in seconds.
const FIRST_SPREAD: i64 = 5;
/// The most lists. The CAs that shard theirs the most have some hundred shards.
const MAX_LISTS: usize = 10_000;

/// The lists that are followed.
#[derive(Default)]
pub(super) struct Schedule {
    lists: HashMap<String, Turn>,
}

#[derive(Default)]
struct Turn {
    /// The time of the next fetch, in seconds since 1970.
    at: i64,
    failures: u32,
}

impl Schedule {
    /// Follows these lists and no others.
    pub(super) fn keep<'a>(&mut self, urls: impl Iterator<Item = &'a str>, now: i64) {
        let urls: HashSet<&str> = urls.collect();
        self.lists.retain(|url, _| urls.contains(url.as_str()));
        for url in urls {
            if !self.lists.contains_key(url) && self.lists.len() < MAX_LISTS {
                let at = now.saturating_add(random_below(FIRST_SPREAD));
                self.lists.insert(url.to_owned(), Turn { at, failures: 0 });
            }
        }
    }

    /// The lists that are due.
    pub(super) fn due(&self, now: i64) -> Vec<&str> {
        // A clock that went back must not make a list wait for years.
        let is_due = |turn: &Turn| turn.at <= now || turn.at.saturating_sub(now) > LONGEST;
        self.lists.iter().filter(|(_, turn)| is_due(turn)).map(|(url, _)| url.as_str()).collect()
    }

    /// The time until the next list is due; `None` if there are no lists.
    pub(super) fn rest(&self, now: i64) -> Option<Duration> {
        let next = self.lists.values().map(|turn| turn.at).min()?;
        Some(Duration::from_secs(u64::try_from(next.saturating_sub(now)).unwrap_or(0)))
    }

    /// Reschedules a list that was read; `next_update` is in seconds since 1970.
    pub(super) fn was_read(&mut self, url: &str, next_update: Option<i64>, now: i64) {
        let wait = next_update.map_or(LONGEST, |next| next.saturating_sub(now)).clamp(SHORTEST, LONGEST);
        self.wait(url, wait, now, 0);
    }

    /// Reschedules a list that could not be fetched or is ignored.
    pub(super) fn has_failed(&mut self, url: &str, now: i64) {
        let failures = self.lists.get(url).map_or(0, |turn| turn.failures).saturating_add(1);
        let doublings = failures.saturating_sub(1).min(10);
        let wait = FIRST_RETRY.saturating_mul(1_i64.checked_shl(doublings).unwrap_or(1)).min(LAST_RETRY);
        self.wait(url, wait, now, failures);
    }

    fn wait(&mut self, url: &str, wait: i64, now: i64, failures: u32) {
        if let Some(turn) = self.lists.get_mut(url) {
            let early = random_below(wait / JITTER_PART);
            *turn = Turn { at: now.saturating_add(wait.saturating_sub(early)), failures };
        }
    }
}

/// A random number from 0 to below `bound`. Without randomness it is 0: no jitter, no harm.
fn random_below(bound: i64) -> i64 {
    let mut bytes = [0; 8];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return 0;
    }
    i64::from_ne_bytes(bytes).checked_rem_euclid(bound).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: i64 = 1_800_000_000;
    const URL: &str = "http://ca.example/1.crl";

    fn schedule() -> Schedule {
        let mut schedule = Schedule::default();
        schedule.keep([URL].into_iter(), NOW);
        schedule
    }

    fn wait(schedule: &Schedule) -> i64 {
        i64::try_from(schedule.rest(NOW).unwrap().as_secs()).unwrap()
    }

    #[test]
    fn a_new_list_is_fetched_soon_and_one_that_nobody_names_is_not() {
        let mut schedule = schedule();
        assert_eq!(schedule.due(NOW + FIRST_SPREAD), [URL]);
        schedule.keep(std::iter::empty(), NOW);
        assert_eq!((schedule.due(NOW + LONGEST).len(), schedule.rest(NOW)), (0, None));
    }

    #[test]
    fn the_next_one_is_fetched_when_it_is_due_within_bounds_and_a_little_early() {
        let mut schedule = schedule();
        for (next_update, longest) in [
            (Some(NOW + 7200), 7200),
            (Some(NOW + 1), SHORTEST),
            (Some(i64::MAX), LONGEST),
            (Some(i64::MIN), SHORTEST),
            (None, LONGEST),
        ] {
            schedule.was_read(URL, next_update, NOW);
            let range = longest - longest / JITTER_PART..=longest;
            assert!(range.contains(&wait(&schedule)), "{next_update:?}: {}", wait(&schedule));
        }
    }

    #[test]
    fn failures_are_further_and_further_apart() {
        let mut schedule = schedule();
        let mut waits = Vec::new();
        for _ in 0..100 {
            schedule.has_failed(URL, NOW);
            waits.push(wait(&schedule));
        }
        assert!(waits[0] <= FIRST_RETRY && waits[1] > FIRST_RETRY && waits[99] <= LAST_RETRY, "{waits:?}");
        schedule.was_read(URL, Some(NOW + 7200), NOW);
        schedule.has_failed(URL, NOW);
        assert!(wait(&schedule) <= FIRST_RETRY);
    }

    #[test]
    fn a_clock_that_went_back_makes_nobody_wait_for_years() {
        let mut schedule = schedule();
        schedule.was_read(URL, None, NOW);
        assert_eq!(schedule.due(NOW - 10 * 365 * LONGEST), [URL]);
    }
}
