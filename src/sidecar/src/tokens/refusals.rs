//! What is logged of those who ask without a token: a line a minute, since Envoy asks again every second.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Tokens;

/// How often a refusal is a line of the log.
const PAUSE: Duration = Duration::from_secs(60);

/// The refusals of one door.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    last: Option<Instant>,
    /// Those since then.
    silent: u64,
}

impl Refusals {
    /// Logs a refusal by these tokens, unless one was logged a moment ago.
    pub fn tell(&self, why: &str, tokens: &Tokens) {
        if let Some(others) = self.others(Instant::now()) {
            tracing::warn!("{}", line(why, tokens.file(), others));
        }
    }

    /// Logs a refusal that no token had to do with, unless one was logged a moment ago.
    pub fn tell_of(&self, why: &str) {
        if let Some(others) = self.others(Instant::now()) {
            tracing::warn!("{}", line(why, None, others));
        }
    }

    /// How many were not logged, if it is time to log one.
    fn others(&self, now: Instant) -> Option<u64> {
        // A panic while the lock is held would be a bug of ours; what it holds is whole at every moment.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.last.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            told.silent = told.silent.saturating_add(1);
            return None;
        }
        told.last = Some(now);
        Some(std::mem::take(&mut told.silent))
    }
}

/// The file is for whoever reads the log; who is refused doesn't learn it.
fn line(why: &str, file: Option<&Path>, others: u64) -> String {
    let file = file.map(|path| format!("; the tokens are in {}", path.display())).unwrap_or_default();
    let others = if others == 0 { String::new() } else { format!(" ({others} like it since the last such line)") };
    format!("refused: {why}{file}{others}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_file_and_counts_the_others() {
        let file = Path::new("/var/lib/acme.json.sds-token");
        let told =
            "refused: no token; the tokens are in /var/lib/acme.json.sds-token (131 like it since the last such line)";
        assert_eq!(line("no token", Some(file), 131), told);
        assert_eq!(line("no token", None, 0), "refused: no token");
    }

    #[test]
    fn a_refusal_is_told_once_a_minute_with_the_number_of_the_others() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.others(start), Some(0));
        assert_eq!(refusals.others(start), None);
        assert_eq!(refusals.others(start + PAUSE / 2), None);
        assert_eq!(refusals.others(start + PAUSE), Some(2));
    }
}
