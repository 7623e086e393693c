//! When a certificate is renewed: by what its CA suggests, else by its real lifetime, never by a promised one.

use std::time::Duration;

use crate::jitter::{WHOLE, share};
use acme::test_system;
use config::Resolver;
use protocol::{OtherCa, Renewal, StoredCertificate, Suggestion};

/// Certificates that live no longer than this, in seconds, are renewed in the last half of their life: a third of six
/// days would leave two for everything that can go wrong.
const SHORT_LIFETIME: i64 = 10 * 24 * 60 * 60;

/// The jitter is spread over this part of the renewal window, so that most of the window is left for tries.
const JITTER_PART: i64 = 10;

/// Traefik's table for `certificatesDuration`: from this many hours on, the seconds before the end to renew at.
const TABLE: [(u64, i64); 5] =
    [(8760, 120 * 86_400), (2160, 30 * 86_400), (720, 10 * 86_400), (144, 2 * 86_400), (24, 6 * 3600)];

/// In the last part of this many of the lifetime a CA's suggestion can't postpone the renewal any more.
const LAST_PART: i64 = 20;

/// The table's value for any shorter duration, in seconds.
const SHORTEST_WINDOW: i64 = 20 * 60;

/// When the certificates of each resolver are renewed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schedule<'a> {
    /// The resolvers whose users say how long their certificates live.
    durations: Vec<(&'a str, Duration)>,
    /// All resolvers, whose CAs tell which certificates are of another one.
    resolvers: &'a [Resolver],
}

impl<'a> Schedule<'a> {
    /// The schedule of these resolvers.
    pub fn of(resolvers: &'a [Resolver]) -> Self {
        let said = |resolver: &'a Resolver| Some((resolver.name.as_str(), resolver.certificates_duration?));
        Self { durations: resolvers.iter().filter_map(said).collect(), resolvers }
    }

    /// When to renew a certificate, in seconds since 1970: at the moment that was chosen in the window its CA suggests
    /// (RFC 9773 §4.2), but not in the last twentieth of its life; where there is no window that makes sense, as its
    /// lifetime asks. Where the user set `certificatesDuration`, the CA can only hasten it. What a test system issued is
    /// replaced at once when its resolver has the real CA.
    pub fn renewal_at(&self, certificate: &StoredCertificate, renewal: Option<&Renewal>) -> i64 {
        if self.is_of_test_system(certificate, renewal) {
            return certificate.not_before.max(renewal.map_or(i64::MIN, |renewal| renewal.early_renewal_after));
        }
        let by_lifetime = self.by_lifetime(certificate);
        let Some(Renewal { suggestion: Some(suggestion), early_renewal_after, .. }) = renewal else {
            return by_lifetime;
        };
        if !makes_sense(suggestion, certificate) {
            return by_lifetime;
        }
        let last = certificate.not_after.saturating_sub(lifetime(certificate) / LAST_PART);
        let suggested = suggestion.renew_at.max(*early_renewal_after).min(last);
        if self.said(certificate).is_some() { suggested.min(by_lifetime) } else { suggested }
    }

    /// When to renew a certificate by its lifetime, in seconds since 1970: where its window begins, plus jitter over the
    /// window's first tenth. The jitter follows from the serial number, so that it is the same after a restart, and another one for the
    /// next certificate.
    ///
    /// The window is the last third of the lifetime, or the last half when that is 10 days or less. Where the user set
    /// `certificatesDuration`, it is the table's, but never longer than that, or a certificate that lives shorter than
    /// was said would be renewed at every look; and never shorter than half of it, or one that lives longer would have
    /// no time left for a second try.
    pub fn by_lifetime(&self, certificate: &StoredCertificate) -> i64 {
        let lifetime = lifetime(certificate);
        let own = if lifetime <= SHORT_LIFETIME { lifetime / 2 } else { lifetime / 3 };
        let window = self.said(certificate).map_or(own, |duration| tabled(duration).clamp(own / 2, own));
        let jitter = (window / JITTER_PART).saturating_mul(i64::from(share(&certificate.serial)));
        let jitter = jitter.checked_div(i64::from(WHOLE)).unwrap_or_default();
        certificate.not_after.saturating_sub(window).saturating_add(jitter)
    }

    /// True for a certificate of a staging server whose resolver has another CA by now.
    pub(crate) fn is_of_test_system(&self, certificate: &StoredCertificate, renewal: Option<&Renewal>) -> bool {
        self.resolver_of(certificate, renewal).is_some_and(|resolver| {
            let made_at = renewal.and_then(|renewal| renewal.ca_server.as_deref());
            test_system::made(made_at, &certificate.issuer, &resolver.ca_server, resolver.staging_server.as_deref())
        })
    }

    /// True for a certificate of another CA than its resolver has by now, as far as is known. The resolver's CA can
    /// neither be told that it is replaced nor be asked for a renewal window.
    pub(crate) fn is_of_another_ca(&self, certificate: &StoredCertificate, renewal: Option<&Renewal>) -> bool {
        let made_at = renewal.and_then(|renewal| renewal.ca_server.as_deref());
        let resolver = self.resolver_of(certificate, renewal);
        let is_another = made_at.zip(resolver).is_some_and(|(made_at, resolver)| made_at != resolver.ca_server);
        is_another || self.is_of_test_system(certificate, renewal)
    }

    /// The CA that the resolver of a certificate has by now, where that is another.
    pub(crate) fn other_ca(&self, certificate: &StoredCertificate, renewal: Option<&Renewal>) -> Option<OtherCa> {
        let resolver = self.resolver_of(certificate, renewal)?;
        let at_once = self.is_of_test_system(certificate, renewal);
        self.is_of_another_ca(certificate, renewal).then(|| OtherCa { ca_server: resolver.ca_server.clone(), at_once })
    }

    fn resolver_of(&self, certificate: &StoredCertificate, renewal: Option<&Renewal>) -> Option<&'a Resolver> {
        let issued_by = renewal.and_then(|renewal| renewal.issued_by.as_deref());
        let name = issued_by.unwrap_or(&certificate.resolver);
        self.resolvers.iter().find(|resolver| resolver.name == name)
    }

    /// How long its user says that it lives.
    fn said(&self, certificate: &StoredCertificate) -> Option<Duration> {
        let said = self.durations.iter().find(|(resolver, _)| *resolver == certificate.resolver);
        said.map(|(_, duration)| *duration)
    }
}

/// True for a window that says anything: it opens before the certificate ends, and is not the whole of the
/// certificate's life, as Pebble's is of a certificate that lives for a day.
pub(crate) fn makes_sense(suggestion: &Suggestion, certificate: &StoredCertificate) -> bool {
    let Suggestion { start, end, .. } = *suggestion;
    let is_whole_life = start <= certificate.not_before && end >= certificate.not_after;
    start < end && start < certificate.not_after && !is_whole_life
}

/// In seconds, never negative.
pub(crate) fn lifetime(certificate: &StoredCertificate) -> i64 {
    certificate.not_after.saturating_sub(certificate.not_before).max(0)
}

/// How long before its end Traefik renews a certificate of this duration, in seconds.
fn tabled(duration: Duration) -> i64 {
    let hours = duration.as_secs() / 3600;
    TABLE.iter().find(|(from, _)| hours >= *from).map_or(SHORTEST_WINDOW, |(_, window)| *window)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const HOUR: i64 = 60 * 60;
    const DAY: i64 = 24 * HOUR;

    fn living(not_before: i64, not_after: i64, serial: &str) -> StoredCertificate {
        StoredCertificate {
            resolver: "le".into(),
            names: vec!["a.example".into()],
            not_before,
            not_after,
            serial: serial.into(),
            ..StoredCertificate::default()
        }
    }

    fn renewal_at(certificate: &StoredCertificate) -> i64 {
        Schedule::default().by_lifetime(certificate)
    }

    /// How long before its end a certificate of this lifetime is renewed, at the earliest, with `certificatesDuration`.
    fn window(hours: u64, lifetime: i64) -> i64 {
        let schedule = Schedule {
            durations: vec![("other", Duration::ZERO), ("le", Duration::from_secs(hours * 3600))],
            resolvers: &[],
        };
        let ats = (0..200).map(|serial| schedule.by_lifetime(&living(0, lifetime, &format!("{serial:x}"))));
        let (earliest, latest) = (ats.clone().min().unwrap(), ats.max().unwrap());
        let window = lifetime - earliest;
        assert!(latest - earliest <= window / 10, "jitter of {} s in a window of {window} s", latest - earliest);
        window
    }

    /// At most the jitter's first two hundredths later.
    fn about(found: i64, expected: i64) -> bool {
        (expected - expected / 100 - 1..=expected).contains(&found)
    }

    #[test]
    fn what_the_user_says_is_renewed_by_traefiks_table() {
        for (hours, expected) in [
            (100_000, 120 * DAY),
            (8760, 120 * DAY),
            (8759, 30 * DAY),
            (2160, 30 * DAY),
            (2159, 10 * DAY),
            (720, 10 * DAY),
            (719, 2 * DAY),
            (144, 2 * DAY),
            (143, 6 * HOUR),
            (24, 6 * HOUR),
            (23, 20 * 60),
            (1, 20 * 60),
        ] {
            assert_eq!(tabled(Duration::from_secs(hours * 3600)), expected, "{hours} h");
        }
        // Where the CA keeps to what was said, the table holds to the second.
        for (hours, lifetime, expected) in [
            (8760, 365 * DAY, 120 * DAY),
            (2160, 90 * DAY, 30 * DAY),
            (720, 30 * DAY, 10 * DAY),
            (144, 6 * DAY, 2 * DAY),
            (24, DAY, 6 * HOUR),
            (1, HOUR, 20 * 60),
        ] {
            let window = window(hours, lifetime);
            assert!(about(window, expected), "{hours} h: {window} s, expected {expected} s");
        }
    }

    #[test]
    fn a_real_lifetime_that_is_another_bounds_it_both_ways() {
        for (hours, lifetime, expected) in [
            // Shorter than was said: Traefik would renew at every look.
            (2160, 6 * DAY, 3 * DAY),
            (8760, 90 * DAY, 30 * DAY),
            (2160, 45, 22),
            (1, 45, 22),
            (2160, 47 * DAY, 47 * DAY / 3),
            // Longer than was said: twenty minutes are no time for a CA's bad day.
            (1, 90 * DAY, 15 * DAY),
            (24, 6 * DAY, 36 * HOUR),
            (720, 365 * DAY, 365 * DAY / 6),
        ] {
            let window = window(hours, lifetime);
            assert!(about(window, expected), "{hours} h, {lifetime} s: {window} s, expected {expected} s");
        }
    }

    #[test]
    fn absurd_lifetimes_with_a_duration_overflow_nothing() {
        let schedule = Schedule { durations: vec![("le", Duration::MAX)], resolvers: &[] };
        for (not_before, not_after) in [(100, 50), (i64::MIN, i64::MAX), (i64::MAX, i64::MIN), (0, 0)] {
            schedule.by_lifetime(&living(not_before, not_after, "1"));
        }
    }

    #[test]
    fn ninety_days_are_renewed_in_the_last_third() {
        for serial in ["1", "2", "3", "ab"] {
            let at = renewal_at(&living(0, 90 * DAY, serial));
            assert!((60 * DAY..=63 * DAY).contains(&at), "{at}");
        }
    }

    #[test]
    fn six_days_are_renewed_in_the_last_half() {
        let at = renewal_at(&living(1_000, 1_000 + 6 * DAY, "1"));
        assert!((1_000 + 3 * DAY..=1_000 + 3 * DAY + 3 * DAY / 10).contains(&at), "{at}");
    }

    #[test]
    fn a_minute_leaves_most_of_its_last_half() {
        let at = renewal_at(&living(0, 60, "1"));
        assert!((30..=33).contains(&at), "{at}");
    }

    #[test]
    fn jitter_differs_between_certificates_and_not_between_restarts() {
        let ats: Vec<i64> = (0..100).map(|i| renewal_at(&living(0, 90 * DAY, &format!("{i:x}")))).collect();
        let again: Vec<i64> = (0..100).map(|i| renewal_at(&living(0, 90 * DAY, &format!("{i:x}")))).collect();
        assert_eq!(ats, again);
        let distinct: std::collections::HashSet<i64> = ats.into_iter().collect();
        assert!(distinct.len() > 80, "{}", distinct.len());
    }

    #[test]
    fn absurd_dates_are_due_and_nothing_overflows() {
        assert_eq!(renewal_at(&living(100, 50, "1")), 50);
        renewal_at(&living(i64::MIN, i64::MAX, "1"));
        renewal_at(&living(i64::MAX, i64::MIN, "1"));
        renewal_at(&living(0, i64::MAX, "1"));
    }

    /// The renewal time of a certificate that lives from 0 to 90 days, given this window.
    fn suggested(start: i64, end: i64, renew_at: i64, schedule: &Schedule<'_>) -> i64 {
        let suggestion = Some(Suggestion { start, end, renew_at, explanation: None });
        schedule.renewal_at(&living(0, 90 * DAY, "1"), Some(&Renewal { suggestion, ..Renewal::default() }))
    }

    #[test]
    fn the_moment_in_the_cas_window_comes_before_the_lifetime() {
        for at in [10 * DAY, 59 * DAY, 62 * DAY, 80 * DAY] {
            assert_eq!(suggested(at - 1, at + 1, at, &Schedule::default()), at);
        }
    }

    #[test]
    fn a_suggestion_can_not_postpone_into_the_last_twentieth() {
        let last = 90 * DAY - 90 * DAY / 20;
        assert_eq!(suggested(80 * DAY, 95 * DAY, 94 * DAY, &Schedule::default()), last);
        assert_eq!(suggested(80 * DAY, i64::MAX, i64::MAX, &Schedule::default()), last);
    }

    #[test]
    fn a_window_that_makes_no_sense_leaves_it_to_the_lifetime() {
        let by_lifetime = renewal_at(&living(0, 90 * DAY, "1"));
        let year_9999 = 253_370_764_800;
        for (start, end) in [
            (0, 90 * DAY),
            (-DAY, 91 * DAY),
            (10 * DAY, 10 * DAY),
            (10 * DAY, 9 * DAY),
            (year_9999, year_9999 + DAY),
            (90 * DAY, 91 * DAY),
        ] {
            assert_eq!(suggested(start, end, start, &Schedule::default()), by_lifetime, "{start} to {end}");
        }
        assert_eq!(Schedule::default().renewal_at(&living(0, 90 * DAY, "1"), None), by_lifetime);
    }

    #[test]
    fn where_the_user_said_how_long_they_live_the_ca_can_only_hasten() {
        let schedule = Schedule { durations: vec![("le", Duration::from_secs(2160 * 3600))], resolvers: &[] };
        let by_lifetime = schedule.by_lifetime(&living(0, 90 * DAY, "1"));
        assert_eq!(suggested(10 * DAY, 12 * DAY, 11 * DAY, &schedule), 11 * DAY);
        assert_eq!(suggested(80 * DAY, 82 * DAY, 81 * DAY, &schedule), by_lifetime);
    }

    #[test]
    fn what_was_replaced_in_a_hurry_rests_before_it_is_again() {
        let suggestion = Some(Suggestion { start: -2, end: -1, renew_at: -1, explanation: None });
        let renewal = Renewal { suggestion, early_renewal_after: 60, ..Renewal::default() };
        assert_eq!(Schedule::default().renewal_at(&living(0, 90 * DAY, "1"), Some(&renewal)), 60);
    }
}
