//! How long to wait after a failure.

use std::time::Duration;

use acme::Class;

use crate::jitter::{WHOLE, share};
use config::EngineOptions;
use protocol::CertificateId;

/// Least wait after a permanent error: somebody has to change something first.
const PERMANENT_AT_LEAST: Duration = Duration::from_secs(60 * 60);

/// The wait after the first failed renewal is no longer than this part of the certificate's lifetime: it is renewed with
/// a third of it left at least, which the first three or four waits fit into.
const OF_LIFETIME: u32 = 30;

/// However short a certificate lives, its CA is not asked again sooner, unless `retryMin` says so.
const LEAST: Duration = Duration::from_secs(1);

/// Waits that double from the first to the longest, for whatever is tried again until it succeeds.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `first`; no wait is longer than `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The wait after one more failure.
    pub fn next_wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = wait.saturating_mul(2).min(self.longest);
        wait
    }

    /// Begins anew, after a success.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The wait before the next try of a certificate that has failed this many times in a row.
///
/// It doubles from `retryMin` to `retryMax`. Below that, up to a quarter is added, the same for the same certificate:
/// so many that failed together spread, and for each of them no wait is shorter than the one before. Where the CA asked
/// for a longer wait, that is it. A permanent error waits an hour at least (never longer than `retryMax`).
///
/// Where the certificate that is to be renewed has a `lifetime` of less than half an hour, it doubles from less: there
/// is time for some tries before the end. Not so where the CA said that it was asked too often.
pub fn delay(
    failures: u32,
    class: Class,
    options: &EngineOptions,
    id: &CertificateId,
    lifetime: Option<Duration>,
) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
    let step = first(class, options, lifetime).saturating_mul(doubled);
    let quarter = step.checked_div(4).unwrap_or_default();
    let jitter = quarter.saturating_mul(share(&id.to_string())).checked_div(WHOLE).unwrap_or_default();
    let wait = step.saturating_add(jitter).min(options.retry_max);
    match class {
        Class::Permanent => wait.max(PERMANENT_AT_LEAST.min(options.retry_max)),
        Class::RateLimited(asked) | Class::Transient(asked) => asked.map_or(wait, |asked| wait.max(asked)),
        Class::Validation => wait,
    }
}

/// The wait after the first failure.
fn first(class: Class, options: &EngineOptions, lifetime: Option<Duration>) -> Duration {
    let of_lifetime = lifetime.and_then(|lifetime| lifetime.checked_div(OF_LIFETIME));
    match of_lifetime {
        Some(part) if !matches!(class, Class::RateLimited(_)) => part.max(LEAST).min(options.retry_min),
        _ => options.retry_min,
    }
}

/// How long a certificate rests before it may be replaced early again, when that has happened this many times in a row.
/// The first replacement is at once.
pub(crate) fn rest(early: u32, options: &EngineOptions) -> Duration {
    let doubled = 1_u32.checked_shl(early.saturating_sub(1)).unwrap_or(u32::MAX);
    options.retry_min.saturating_mul(doubled).min(options.retry_max)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn wait(failures: u32, class: Class, name: &str) -> Duration {
        let id = CertificateId { resolver: "le".into(), names: vec![name.into()] };
        delay(failures, class, &EngineOptions::default(), &id, None)
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let waits = [(); 4].map(|()| backoff.next_wait().as_secs());
        backoff.reset();
        assert_eq!((waits, backoff.next_wait().as_secs()), ([1, 2, 4, 5], 1));
    }

    #[test]
    fn it_doubles_from_a_minute_to_six_hours() {
        for (failures, minutes) in (1..).zip([1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]) {
            let wait = wait(failures, Class::Validation, "a.example");
            let most = (minutes * MINUTE * 5 / 4).min(360 * MINUTE);
            assert!((minutes * MINUTE..=most).contains(&wait), "{wait:?} after {failures} failures");
        }
    }

    #[test]
    fn it_never_shrinks() {
        for name in ["a.example", "b.example", "c.example"] {
            let waits: Vec<Duration> = (0..100).map(|n| wait(n, Class::Transient(None), name)).collect();
            assert!(waits.is_sorted(), "{name}: {waits:?}");
        }
    }

    #[test]
    fn certificates_that_fail_together_spread() {
        let waits: std::collections::HashSet<Duration> =
            (0..100).map(|i| wait(5, Class::Validation, &format!("n{i}.example"))).collect();
        assert!(waits.len() > 80, "{}", waits.len());
    }

    #[test]
    fn any_number_of_failures_stays_at_the_longest_step() {
        for failures in [33, 1_000, u32::MAX] {
            assert_eq!(wait(failures, Class::Validation, "a.example"), 360 * MINUTE);
        }
    }

    #[test]
    fn the_ca_may_ask_for_longer_but_not_for_shorter() {
        let asked = |secs| wait(1, Class::RateLimited(Some(Duration::from_secs(secs))), "a.example");
        assert_eq!(asked(86_400), Duration::from_secs(86_400));
        assert!(asked(1) >= MINUTE);
    }

    #[test]
    fn what_a_retry_cannot_cure_waits_an_hour_at_least() {
        assert_eq!(wait(1, Class::Permanent, "a.example"), 60 * MINUTE);
        let short = EngineOptions { retry_max: Duration::from_secs(2), ..EngineOptions::default() };
        let id = CertificateId { resolver: "le".into(), names: vec!["a.example".into()] };
        assert_eq!(delay(1, Class::Permanent, &short, &id, None), Duration::from_secs(2));
    }

    #[test]
    fn what_lives_for_minutes_is_tried_again_within_a_thirtieth_of_its_life() {
        let id = CertificateId { resolver: "le".into(), names: vec!["a.example".into()] };
        let options = EngineOptions::default();
        let wait = |failures, class, secs| {
            let lifetime = Some(Duration::from_secs(secs));
            delay(failures, class, &options, &id, lifetime).as_secs_f64().floor()
        };
        let transient = Class::Transient(None);
        for (lifetime, least) in [(10, 1.0), (24, 1.0), (60, 2.0), (600, 20.0), (1800, 60.0), (86_400, 60.0)] {
            let first = wait(1, transient, lifetime);
            assert!((least..=least * 1.25).contains(&first), "{first} s after the first failure of {lifetime} s");
            assert!((least * 8.0..=least * 10.0).contains(&wait(4, transient, lifetime)));
        }
        assert_eq!(wait(40, transient, 60), 21_600.0);
        assert!(wait(1, Class::RateLimited(None), 60) >= 60.0);
        assert_eq!(wait(1, Class::Permanent, 60), 3600.0);
        let quick = EngineOptions { retry_min: Duration::from_millis(500), ..EngineOptions::default() };
        let wait = delay(1, transient, &quick, &id, Some(Duration::from_secs(24)));
        assert!((0.5..=0.625).contains(&wait.as_secs_f64()));
    }
}
