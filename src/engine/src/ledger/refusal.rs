//! Why a CA is not asked now, and when it may be.

use protocol::Limit;

/// A refusal to send a request to a CA now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When to ask again, seconds since 1970, rounded up.
    pub until: i64,
    /// Why, in one line for a person.
    pub why: String,
    /// True if the refusal applies to every certificate of the account.
    pub whole_account: bool,
}

impl Refusal {
    /// A limit is used up: what it counts, in the plural, and whose. Empty: the account's.
    pub(super) fn limit(ca: &str, limit: Limit, what: &str, whose: &str, until_millis: i64) -> Self {
        let whole_account = whose.is_empty();
        let whose = if whole_account { "this one" } else { whose };
        let until = seconds(until_millis);
        let (count, window) = (limit.count, limit.shown_window());
        let why = format!(
            "{ca} allows {count} {what} in {window}, and {whose} had as many: the next is free at {}",
            shown(until)
        );
        Self { until, why, whole_account }
    }

    /// The CA asked for it. Of which name; empty: of the account.
    pub(super) fn pause(ca: &str, name: &str, why: &str, until_millis: i64) -> Self {
        let until = seconds(until_millis);
        let whole_account = name.is_empty();
        let of = if name.is_empty() { String::new() } else { format!(" for {name}") };
        Self {
            until,
            why: format!("{ca} asked for no requests{of} before {}: {}", shown(until), acme::one_line(why)),
            whole_account,
        }
    }

    /// Tries were interrupted.
    pub(super) fn interrupted(count: u32, until: i64) -> Self {
        let why = format!(
            "the last {count} tries began and never ended: does Envoy, its plugin or the sidecar restart again and again? \
             The next try is at {}",
            shown(until)
        );
        Self { until, why, whole_account: false }
    }
}

/// Rounded up.
fn seconds(millis: i64) -> i64 {
    let rounded = if millis.checked_rem(1000) == Some(0) { 0 } else { 1 };
    millis.div_euclid(1000).saturating_add(rounded)
}

/// The most seconds that are shown as a date: the end of the year 9999.
const MOST_SHOWN: i64 = 253_402_300_799;

/// A time to the minute as a person writes it (RFC 3339 §5.6, without seconds): `2026-11-26T10:00Z`, rounded up.
pub(super) fn shown(seconds: i64) -> String {
    let minutes = seconds.clamp(0, MOST_SHOWN).saturating_add(59).div_euclid(60);
    let (days, minute) = (minutes.div_euclid(24 * 60), minutes.rem_euclid(24 * 60));
    let (year, month, day) = civil(days);
    let (hour, minute) = (minute.div_euclid(60), minute.rem_euclid(60));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z")
}

/// The date of a day since 1970, not negative: Howard Hinnant's `civil_from_days`
/// (<https://howardhinnant.github.io/date_algorithms.html>). The bound of [`shown`] keeps every sum small.
#[expect(clippy::arithmetic_side_effects, reason = "the day is not negative and before the year 10000")]
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_time_is_shown_as_a_person_writes_it() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00Z"),
            (951_782_400, "2000-02-29T00:00Z"),
            (1_795_687_200, "2026-11-26T10:00Z"),
            (1_795_687_201, "2026-11-26T10:01Z"),
            (4_107_542_399, "2100-03-01T00:00Z"),
            (i64::MIN, "1970-01-01T00:00Z"),
            (i64::MAX, "10000-01-01T00:00Z"),
        ] {
            assert_eq!(shown(seconds), text, "{seconds}");
        }
    }
}
