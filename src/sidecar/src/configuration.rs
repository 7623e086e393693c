//! The result of the last configuration that `run` read: for people, for `/status` and for the metrics.
//!
//! Promises: a refused configuration is reported until a good one is taken, also after its lines have left the log.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use base::clock::Clock;

/// The most lines kept; to mend the first ones is a start.
const MAX_LINES: usize = 100;

/// The last configuration read. Without `run` it is unknown: then Envoy's configuration is not ours.
#[derive(Debug)]
pub struct Configuration {
    last: Mutex<Option<Reload>>,
    clock: Clock,
}

/// The configuration in force, and the refused one read after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reload {
    /// The time at which the configuration in force was taken, in seconds since 1970.
    pub taken_at: i64,
    /// The configuration read since and refused; `None` if the files are as in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// The time since when the files are refused, in seconds since 1970.
    pub since: i64,
    /// The faults, a line each.
    pub lines: Vec<String>,
}

impl Configuration {
    /// Creates the state before the first configuration.
    pub fn new(clock: Clock) -> Self {
        Self { last: Mutex::default(), clock }
    }

    /// Notes that the files are in force now; returns whether they were refused before.
    pub fn taken(&self) -> bool {
        self.taken_at(self.clock.now_seconds())
    }

    /// Notes that the files are refused for these reasons, and the previous configuration stays in force; returns whether
    /// they were refused for other reasons before, or not at all.
    pub fn refused(&self, lines: &[String]) -> bool {
        self.refused_at(lines, self.clock.now_seconds())
    }

    /// The last result; `None` before the first configuration.
    pub fn last(&self) -> Option<Reload> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn taken_at(&self, now: i64) -> bool {
        // A panic while the lock is held would be our bug; the last result goes on.
        let before =
            self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(Reload { taken_at: now, refused: None });
        before.is_some_and(|before| before.refused.is_some())
    }

    fn refused_at(&self, lines: &[String], now: i64) -> bool {
        let mut known = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reload) = known.as_mut() else { return true };
        let since = reload.refused.as_ref().map_or(now, |refused| refused.since);
        let now_refused = Refused { since, lines: lines.iter().take(MAX_LINES).cloned().collect() };
        let is_new = reload.refused.as_ref() != Some(&now_refused);
        reload.refused = Some(now_refused);
        is_new
    }
}

impl Reload {
    /// A warning for a person if the last configuration was refused.
    pub fn warning(&self) -> Option<String> {
        let Refused { lines, .. } = self.refused.as_ref()?;
        let (first, others) = lines.split_first()?;
        let others = match others.len() {
            0 => String::new(),
            1 => " (and 1 more line: see /status)".to_owned(),
            count => format!(" (and {count} more lines: see /status)"),
        };
        Some(format!("the changed configuration is refused, and the previous one stays in force: {first}{others}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_refused_configuration_is_known_until_a_good_one_is_taken() {
        let configuration = Configuration::new(Clock::system());
        assert!(configuration.refused_at(&["a".into()], 1));
        assert_eq!(configuration.last(), None, "nobody has a configuration");
        assert!(!configuration.taken_at(2));
        assert_eq!(configuration.last().unwrap().warning(), None);
        assert!(configuration.refused_at(&["a".into(), "b".into()], 3));
        assert!(configuration.refused_at(&["c".into(), "d".into()], 4));
        assert!(!configuration.refused_at(&["c".into(), "d".into()], 4), "that is known");
        let last = configuration.last().unwrap();
        assert_eq!(last.refused, Some(Refused { since: 3, lines: vec!["c".into(), "d".into()] }));
        let told = "the changed configuration is refused, and the previous one stays in force: c (and 1 more line: see /status)";
        assert_eq!((last.taken_at, last.warning().as_deref()), (2, Some(told)));
        assert!(configuration.taken_at(5));
        assert_eq!(configuration.last(), Some(Reload { taken_at: 5, refused: None }));
    }
}
