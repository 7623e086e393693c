//! Moments in a CA's answers: the date-times of RFC 3339 §5.6, whatever their offset.
//!
//! Years before 1970, such as Go's zero time, count as 1970: over. (The library `time` reads offsets too, in ten times
//! the code; the plugin has a budget of bytes.)

use std::borrow::Cow;
use std::time::SystemTime;

/// Length of an offset such as `+01:00`.
const OFFSET: usize = 6;

/// Length of a year.
const YEAR: usize = 4;

/// A leap year, in which every date of another year exists.
const LEAP_YEAR: &str = "1972";

/// The moment that a text tells, in seconds since 1970. A text without an offset is in UTC.
pub(crate) fn moment_of(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let (clock, offset) = match text.split_at_checked(text.len().saturating_sub(OFFSET)) {
        Some((clock, offset)) if clock.ends_with(|c: char| c.is_ascii_digit()) && offset.starts_with(['+', '-']) => {
            (clock, seconds_of(offset)?)
        }
        _ => (text.as_str(), 0),
    };
    let (year, rest) = clock.split_at_checked(YEAR)?;
    let is_before_1970 = digits(year)? < 1970;
    let clock = if is_before_1970 { Cow::Owned(format!("{LEAP_YEAR}{rest}")) } else { Cow::Borrowed(clock) };
    let since_1970 = humantime::parse_rfc3339_weak(&clock).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    if is_before_1970 {
        return Some(0);
    }
    i64::try_from(since_1970.as_secs()).ok()?.checked_sub(offset)
}

/// The seconds of an offset, negative west of Greenwich.
fn seconds_of(offset: &str) -> Option<i64> {
    let (sign, offset) = offset.split_at_checked(1)?;
    let (hours, minutes) = offset.split_once(':').filter(|(hours, minutes)| hours.len() == 2 && minutes.len() == 2)?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours.saturating_mul(3600).saturating_add(minutes.saturating_mul(60));
    Some(if sign == "-" { seconds.saturating_neg() } else { seconds })
}

fn digits(text: &str) -> Option<i64> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn moments_are_read_with_and_without_an_offset() {
        for text in [
            "2016-01-20T14:09:07Z",
            "2016-01-20t14:09:07z",
            "2016-01-20T14:09:07.99Z",
            "2016-01-20T15:09:07+01:00",
            "2016-01-20T13:39:07.5-00:30",
            "2016-01-20T04:39:07-09:30",
            " 2016-01-20 14:09:07 ",
        ] {
            assert_eq!(moment_of(text), Some(1_453_298_947), "{text}");
        }
    }

    /// The vectors of RFC 3339 §5.8, but the leap seconds, which count as the second before.
    #[test]
    fn the_examples_of_rfc_3339_are_read() {
        assert_eq!(moment_of("1985-04-12T23:20:50.52Z"), Some(482_196_050));
        assert_eq!(moment_of("1996-12-19T16:39:57-08:00"), Some(851_042_397));
        assert_eq!(moment_of("1990-12-31T23:59:60Z"), Some(662_687_999));
        assert_eq!(moment_of("1990-12-31T15:59:60-08:00"), Some(662_687_999));
    }

    #[test]
    fn a_year_before_1970_is_over() {
        for text in ["0001-01-01T00:00:00Z", "1937-01-01T12:00:27.87+00:20", "1968-02-29T00:00:00Z"] {
            assert_eq!(moment_of(text), Some(0), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "soon",
            "2016-01-20",
            "2016-01-20T14:09",
            "2016-02-30T14:09:07Z",
            "2016-01-20T25:09:07Z",
            "2016-01-20T14:09:07+0100",
            "2016-01-20T14:09:07+24:00",
            "2016-01-20T14:09:07+01:60",
            "2016-01-20T14:09:07+-1:00",
            "2016-01-20T14:09:07+01:+1",
            "2016-01-20T14:09:07+010:0",
            "2016-01-20T14:09:07+01:-1",
            "2016-01-20T14:09:07Z+01:00",
            "2016-01-20T14:09:07é:00",
            "0001-02-30T00:00:00Z",
            "-001-01-01T00:00:00Z",
        ] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
