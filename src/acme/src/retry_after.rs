//! `Retry-After` (RFC 9110 §10.2.3): seconds or an HTTP-date, and whatever else peers write there.

use std::time::Duration;

/// The longest wait a peer can ask for: a day. Let's Encrypt's longest rate limit resets sooner or refills meanwhile.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// The wait a `Retry-After` asks for, from 0 to [`MAX_RETRY_AFTER`]; `None` when it is neither form.
pub fn parse(value: &str, now_millis: i64) -> Option<Duration> {
    let value = value.trim();
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // More digits than fit mean "very long".
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let then = httpdate::parse_http_date(value).ok()?;
        let then = then.duration_since(std::time::UNIX_EPOCH).ok()?;
        let now = Duration::from_millis(u64::try_from(now_millis).ok()?);
        then.saturating_sub(now)
    };
    Some(wait.min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// 1999-12-31 23:59:59 GMT, the date of RFC 9110 §10.2.3's example.
    const FRI_31_DEC_1999: i64 = 946_684_799_000;

    #[test]
    fn both_forms_of_the_rfc() {
        assert_eq!(parse("120", 0), Some(Duration::from_secs(120)));
        let before = FRI_31_DEC_1999 - 90_000;
        assert_eq!(parse("Fri, 31 Dec 1999 23:59:59 GMT", before), Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_date_in_the_past_is_no_wait() {
        assert_eq!(parse("Fri, 31 Dec 1999 23:59:59 GMT", FRI_31_DEC_1999 + 1), Some(Duration::ZERO));
    }

    #[test]
    fn absurd_waits_are_clamped() {
        assert_eq!(parse("18446744073709551616", 0), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("Fri, 31 Dec 9999 23:59:59 GMT", 0), Some(MAX_RETRY_AFTER));
        assert_eq!(parse("0", 0), Some(Duration::ZERO));
    }

    #[test]
    fn garbage_is_none() {
        for value in ["", "-1", "1.5", "soon", "+3", "Fri, 99 Foo 1999"] {
            assert_eq!(parse(value, 0), None, "{value}");
        }
    }
}
