//! What is told of those who ask without a token: a line of the log a minute, since Envoy asks again every second, and
//! how it is now.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often a refusal is a line of the log; and after this long without one, whoever came has gone.
const PAUSE: Duration = Duration::from_secs(60);

/// The refusals of one door.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// When one was logged last.
    logged: Option<Instant>,
    /// Those since then.
    silent: u64,
    /// All of them.
    count: u64,
    /// The last one, and why.
    last: Option<(Instant, String)>,
}

/// How a door is that somebody still asks at without a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// How many were refused since the start.
    pub count: u64,
    /// How long ago the last one was.
    pub age: Duration,
    /// Why.
    pub why: String,
}

impl Refusals {
    /// Takes down a refusal, and logs it unless one was logged a moment ago. `file` is where the tokens stand.
    pub fn tell(&self, why: &str, file: Option<&Path>) {
        if let Some(others) = self.others(why, Instant::now()) {
            tracing::warn!("{}", line(why, file, others));
        }
    }

    /// How many there were since the start.
    pub fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).count
    }

    /// What is refused now: the last one, if it was a moment ago.
    pub fn now(&self) -> Option<Refusal> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Option<Refusal> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, why) = told.last.as_ref()?;
        let age = now.saturating_duration_since(*at);
        (age < PAUSE).then(|| Refusal { count: told.count, age, why: why.clone() })
    }

    /// How many were not logged, if it is time to log one.
    fn others(&self, why: &str, now: Instant) -> Option<u64> {
        // A panic while the lock is held would be a bug of ours; what it holds is whole at every moment.
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.count = told.count.saturating_add(1);
        told.last = Some((now, why.to_owned()));
        if told.logged.is_some_and(|logged| now.saturating_duration_since(logged) < PAUSE) {
            told.silent = told.silent.saturating_add(1);
            return None;
        }
        told.logged = Some(now);
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
    #![allow(clippy::unwrap_used)]

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
        assert_eq!(refusals.others("a", start), Some(0));
        assert_eq!(refusals.others("a", start), None);
        assert_eq!(refusals.others("a", start + PAUSE / 2), None);
        assert_eq!(refusals.others("a", start + PAUSE), Some(2));
    }

    #[test]
    fn who_has_gone_is_refused_no_longer() {
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
