//! Durations as Traefik writes them: Go's form (`1m30s`), or a number of seconds.

use std::time::Duration;

use serde_json::Value;

use super::mistake::Mistake;
use super::node::{Node, whole_number};
pub use protocol::duration::{parse, show};

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

/// A delay: zero and negative values mean none, as in Traefik; the maximum is `most`.
pub(super) fn read_delay(node: &Node<'_>, most: Duration, mistakes: &mut Vec<Mistake>) -> Option<Duration> {
    let is_negative = match node.value() {
        Value::String(text) => text.trim().strip_prefix('-').is_some_and(|rest| parse(rest).is_some()),
        number => number.as_f64().is_some_and(|number| number < 0.0),
    };
    if is_negative { Some(Duration::ZERO) } else { read(node, Duration::ZERO, most, mistakes) }
}
