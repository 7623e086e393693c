//! Durations as Traefik takes them: Go's form (`1m30s`), or a number of seconds.

use std::time::Duration;

use serde_json::Value;

use super::mistake::Mistake;
use super::node::{Node, whole_number};

/// A duration within bounds.
pub(super) fn read(node: &Node<'_>, least: Duration, most: Duration, mistakes: &mut Vec<Mistake>) -> Option<Duration> {
    let duration = match node.value() {
        Value::String(text) => parse(text.trim()),
        number => whole_number(number).map(Duration::from_secs),
    };
    let within = duration.filter(|duration| (least..=most).contains(duration));
    if within.is_none() {
        let (least, most) = (show(least), show(most));
        mistakes.push(node.mistake(&format!("a duration from {least} to {most}, as 90s, 1m30s or seconds")));
    }
    within
}

/// Go's form without signs: numbers with units, or a bare number of seconds.
fn parse(text: &str) -> Option<Duration> {
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
        let number: f64 = number.parse().ok()?;
        let seconds = number * seconds_of(unit)?;
        sum = sum.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(sum)
}

fn seconds_of(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    })
}

fn show(duration: Duration) -> String {
    let millis = duration.as_millis();
    match millis {
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
            ("2h45m", 9_900_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn other_texts_are_none() {
        for text in ["", "s", "-1s", "1 s", "1d", "1s2", "..s", "1e400h", "99999999999999999999", "1m-"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
