//! Refusals of clients without a token: one log line a minute, since Envoy asks again every second, and the present
//! state for `/health`.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Interval of log lines; and time without a refusal after which the client counts as gone.
const PAUSE: Duration = Duration::from_secs(60);

/// The refusals of one socket.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    /// Time of the last log line.
    logged: Option<Instant>,
    /// Number of refusals since then.
    silent: u64,
    /// Number of all refusals.
    count: u64,
    /// Time and reason of the last refusal.
    last: Option<(Instant, String)>,
}

/// The state of a socket at which clients still fail to authenticate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Number of refusals since the start.
    pub count: u64,
    /// Time since the last one.
    pub age: Duration,
    /// The reason.
    pub why: String,
}

impl Refusals {
    /// Records a refusal, and logs it unless one was logged a moment ago. `file` is the token file.
    pub fn tell(&self, why: &str, file: Option<&Path>) {
        if let Some(others) = self.others(why, Instant::now()) {
            tracing::warn!("{}", line(why, file, others));
        }
    }

    /// Number of refusals since the start.
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// The last refusal, if it is recent.
    pub fn now(&self) -> Option<Refusal> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Refusal> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = counts.last.as_ref()?;
        let age = now.saturating_duration_since(*at);
        (age < PAUSE).then(|| Refusal { count: counts.count, age, why: why.clone() })
    }

    /// Number of refusals not logged, if a log line is due.
    fn others(&self, why: &str, now: Instant) -> Option<u64> {
        // A panic while the lock is held would be a bug of ours; what it holds is whole at every moment.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.count = counts.count.saturating_add(1);
        counts.last = Some((now, why.to_owned()));
        if counts.logged.is_some_and(|logged| now.saturating_duration_since(logged) < PAUSE) {
            counts.silent = counts.silent.saturating_add(1);
            return None;
        }
        counts.logged = Some(now);
        Some(std::mem::take(&mut counts.silent))
    }
}

/// The file is named for whoever reads the log; the refused client doesn't learn it.
fn line(why: &str, file: Option<&Path>, others: u64) -> String {
    let file = file.map(|path| format!("; the tokens are in {}", path.display())).unwrap_or_default();
    let others = if others == 0 { String::new() } else { format!(" ({others} more since the last such line)") };
    format!("refused: {why}{file}{others}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_names_the_file_and_counts_the_others() {
        let file = Path::new("/var/lib/acme.json.sds-token");
        let expected =
            "refused: no token; the tokens are in /var/lib/acme.json.sds-token (131 more since the last such line)";
        assert_eq!(line("no token", Some(file), 131), expected);
        assert_eq!(line("no token", None, 0), "refused: no token");
    }

    #[test]
    fn a_refusal_is_reported_once_a_minute_with_the_number_of_the_others() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.others("a", start), Some(0));
        assert_eq!(refusals.others("a", start), None);
        assert_eq!(refusals.others("a", start + PAUSE / 2), None);
        assert_eq!(refusals.others("a", start + PAUSE), Some(2));
    }

    #[test]
    fn a_client_that_left_is_no_longer_reported() {
        let refusals = Refusals::default();
        let start = Instant::now();
        assert_eq!(refusals.at(start), None);
        refusals.others("a", start);
        refusals.others("b", start + PAUSE / 2);
        let age = PAUSE / 2;
        assert_eq!(refusals.at(start + PAUSE), Some(Refusal { count: 2, age, why: "b".into() }));
        assert_eq!((refusals.at(start + PAUSE * 2), refusals.count()), (None, 2));
    }
}
