//! When a certificate is renewed: by its real lifetime, never by a promised one.

use crate::spread::{WHOLE, share};
use crate::vault::Certificate;

/// Certificates that live no longer than this, in seconds, are renewed in the last half of their life: a third of six
/// days would leave two for everything that can go wrong.
const SHORT_LIFETIME: i64 = 10 * 24 * 60 * 60;

/// The jitter is spread over this part of the renewal window, so that most of the window is left for tries.
const JITTER_PART: i64 = 10;

/// When to renew a certificate, in seconds since 1970: at the start of the last third of its lifetime, or of the last
/// half when that is 10 days or less, plus jitter over the first tenth of that window. The jitter follows from the
/// serial number, so that it is the same after a restart, and another one for the next certificate.
pub fn renewal_at(certificate: &Certificate) -> i64 {
    let lifetime = certificate.not_after.saturating_sub(certificate.not_before).max(0);
    let window = if lifetime <= SHORT_LIFETIME { lifetime / 2 } else { lifetime / 3 };
    let jitter = (window / JITTER_PART).saturating_mul(i64::from(share(&certificate.serial)));
    let jitter = jitter.checked_div(i64::from(WHOLE)).unwrap_or_default();
    certificate.not_after.saturating_sub(window).saturating_add(jitter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::arithmetic_side_effects)]

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::vault::CertificateId;

    const DAY: i64 = 24 * 60 * 60;

    fn living(not_before: i64, not_after: i64, serial: &str) -> Certificate {
        let id = CertificateId { resolver: "le".into(), names: vec!["a.example".into()] };
        Certificate { id, not_before, not_after, serial: serial.into(), issuer: String::new() }
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
}
