//! What became of the configuration that `run` read last: for people, for `/status` and for the metrics.
//!
//! Promises: a refused one is known until a good one is taken, also after its lines have left the log.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use base::clock::Clock;

/// The most lines that are kept. Who has more to mend begins with these.
const MAX_LINES: usize = 100;

/// The configuration that was read last. Nothing is known of it in a sidecar alone: Envoy's is somebody else's.
#[derive(Debug)]
pub struct Configuration {
    last: Mutex<Option<Reload>>,
    clock: Clock,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reload {
    /// When the one in force was taken, seconds since 1970.
    pub taken_at: i64,
    /// The one that was read since and refused; none when that in force is what stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// A configuration that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Refused {
    /// Since when what stands there is refused, seconds since 1970.
    pub since: i64,
    /// What is wrong with it, a line each.
    pub lines: Vec<String>,
}

impl Configuration {
    /// Nothing is known yet.
    pub fn new(clock: Clock) -> Self {
        Self { last: Mutex::default(), clock }
    }

    /// Takes down that what stands there is in force, and says whether it was refused before.
    pub fn taken(&self) -> bool {
        self.taken_at(self.clock.now_seconds())
    }

    /// Takes down that what stands there is refused for this, and what was there before stays in force.
    pub fn refused(&self, lines: &[String]) {
        self.refused_at(lines, self.clock.now_seconds());
    }

    /// What is known.
    pub fn last(&self) -> Option<Reload> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn taken_at(&self, now: i64) -> bool {
        // A panic while the lock is held would be a bug of ours; what is known goes on.
        let before =
            self.last.lock().unwrap_or_else(PoisonError::into_inner).replace(Reload { taken_at: now, refused: None });
        before.is_some_and(|before| before.refused.is_some())
    }

    fn refused_at(&self, lines: &[String], now: i64) {
        let mut known = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reload) = known.as_mut() else { return };
        let since = reload.refused.as_ref().map_or(now, |refused| refused.since);
        reload.refused = Some(Refused { since, lines: lines.iter().take(MAX_LINES).cloned().collect() });
    }
}

impl Reload {
    /// For a person: that the last one is refused.
    pub fn warning(&self) -> Option<String> {
        let Refused { lines, .. } = self.refused.as_ref()?;
        let (first, others) = lines.split_first()?;
        let others = match others.len() {
            0 => String::new(),
            1 => " (and 1 more line: see /status)".to_owned(),
            count => format!(" (and {count} more lines: see /status)"),
        };
        Some(format!("the changed configuration is refused, and the one before stays in force: {first}{others}"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_refused_configuration_is_known_until_a_good_one_is_taken() {
        let configuration = Configuration::new(Clock::system());
        configuration.refused_at(&["a".into()], 1);
        assert_eq!(configuration.last(), None, "nobody has a configuration");
        assert!(!configuration.taken_at(2));
        assert_eq!(configuration.last().unwrap().warning(), None);
        configuration.refused_at(&["a".into(), "b".into()], 3);
        configuration.refused_at(&["c".into(), "d".into()], 4);
        let last = configuration.last().unwrap();
        assert_eq!(last.refused, Some(Refused { since: 3, lines: vec!["c".into(), "d".into()] }));
        let told =
            "the changed configuration is refused, and the one before stays in force: c (and 1 more line: see /status)";
        assert_eq!((last.taken_at, last.warning().as_deref()), (2, Some(told)));
        assert!(configuration.taken_at(5));
        assert_eq!(configuration.last(), Some(Reload { taken_at: 5, refused: None }));
    }
}
