//! Moments in a CA's answers: the date-times of RFC 3339 §5.6, whatever their offset.
//!
//! Refuses years before 1970, in which nothing is issued and nothing expires. (The library `time` reads offsets too, in
//! ten times the code; the plugin has a budget of bytes.)

use std::time::SystemTime;

/// Length of an offset such as `+01:00`.
const OFFSET: usize = 6;

/// The moment that a text tells, in seconds since 1970. A text without an offset is in UTC.
pub(crate) fn moment_of(text: &str) -> Option<i64> {
    let text = text.trim().to_ascii_uppercase();
    let (clock, offset) = match text.split_at_checked(text.len().saturating_sub(OFFSET)) {
        Some((clock, offset)) if clock.ends_with(|c: char| c.is_ascii_digit()) && offset.starts_with(['+', '-']) => {
            (clock, seconds_of(offset)?)
        }
        _ => (text.as_str(), 0),
    };
    let since_1970 = humantime::parse_rfc3339_weak(clock).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    i64::try_from(since_1970.as_secs()).ok()?.checked_sub(offset)
}

/// The seconds of an offset, negative west of Greenwich.
fn seconds_of(offset: &str) -> Option<i64> {
    let (hours, minutes) = offset.split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    if !(-23..=23).contains(&hours) || !(0..=59).contains(&minutes) {
        return None;
    }
    let minutes = if offset.starts_with('-') { minutes.saturating_neg() } else { minutes };
    Some(hours.saturating_mul(3600).saturating_add(minutes.saturating_mul(60)))
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
            "2016-01-20T14:09:07+01:-1",
            "2016-01-20T14:09:07Z+01:00",
            "2016-01-20T14:09:07é:00",
            "0001-01-01T00:00:00Z",
            "1937-01-01T12:00:27.87+00:20",
        ] {
            assert_eq!(moment_of(text), None, "{text}");
        }
    }
}
