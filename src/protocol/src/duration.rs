//! Durations as text, in Go's form: `1m30s`.

use std::time::Duration;

/// Parses Go's form without signs: numbers with units, or a bare number of seconds.
pub fn parse(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        sum = sum.checked_add(Duration::from_nanos(nanos(number, nanos_of(unit)?)?))?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

/// A decimal number of units. Digits beyond the ninth after the point are below a nanosecond for every unit that
/// matters, and refused.
fn nanos(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if !number.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok() };
    let scale = 10_u64.checked_pow(u32::try_from(fraction.len()).ok().filter(|len| *len <= 9)?)?;
    // Nine digits times the nanoseconds of an hour overflow 64 bits, so the fraction is reckoned in two steps.
    let (quotient, remainder) = (unit.checked_div(scale)?, unit.checked_rem(scale)?);
    let fraction = digits(fraction)?;
    let fraction = fraction.checked_mul(quotient)?.checked_add(fraction.checked_mul(remainder)?.checked_div(scale)?)?;
    digits(whole)?.checked_mul(unit)?.checked_add(fraction)
}

fn nanos_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// The shortest form of a duration.
pub fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
        0 => "0s".to_owned(),
        _ if millis.is_multiple_of(3_600_000) => format!("{}h", millis / 3_600_000),
        _ if millis.is_multiple_of(60_000) => format!("{}m", millis / 60_000),
        _ if millis.is_multiple_of(1_000) => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn goes_forms() {
        for (text, millis) in [
            ("2m", 120_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("1.5h", 5_400_000),
            ("30", 30_000),
            ("1.000000001h", 3_600_000),
            (".5s", 500),
            ("1.h", 3_600_000),
            ("2h45m", 9_900_000),
        ] {
            assert_eq!(parse(text).map(|found| found.as_millis()), Some(millis), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "s", "-1s", "1 s", "1d", "1s2", "..s", "1e400h", "99999999999999999999", "1m-"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
