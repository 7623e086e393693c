//! Waits until a TXT record is visible, before the CA is told (lego's propagation checks).
//!
//! Promises: the first check is immediate, the next ones follow soon, then at the provider's interval, so a fast server
//! costs milliseconds; on a timeout, the error says what each server returned last. Recursive servers are asked once
//! the authoritative ones have the record: a recursive server that is asked too early caches the absence.

use std::fmt;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use hickory_resolver::proto::rr::Name;
use protocol::DnsChecks;
use tokio::time::{Instant, sleep};

use super::lookup::{Lookup, LookupError, NameServer, ServerAnswer, lacking};
use super::provider::Timing;

/// The wait after the first check; it doubles up to the provider's interval.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A record that must become visible.
pub(super) struct Wanted<'a> {
    /// The record's name, at the end of the CNAME chain.
    pub(super) name: &'a Name,
    /// The zone of the name.
    pub(super) zone: &'a Name,
    pub(super) value: &'a str,
}

impl Wanted<'_> {
    /// Waits until the record is visible, by the configured checks.
    ///
    /// # Errors
    /// If the record is not visible within the provider's propagation timeout.
    pub(super) async fn wait(&self, lookup: &Lookup, checks: &DnsChecks, timing: &Timing) -> Result<(), NotSeen> {
        sleep(Duration::from_millis(checks.delay_millis)).await;
        if checks.disable_checks {
            return Ok(());
        }
        let deadline = Instant::now() + timing.propagation_timeout;
        let mut waits = waits(timing.polling_interval);
        let mut authorities = None;
        loop {
            let missing = self.missing(lookup, checks, &mut authorities).await;
            if matches!(&missing, Ok(answers) if answers.is_empty()) {
                return Ok(());
            }
            let now = Instant::now();
            if now >= deadline {
                return Err(NotSeen { name: self.name.clone(), after: timing.propagation_timeout, missing });
            }
            let wait = waits.next().unwrap_or(timing.polling_interval);
            sleep(wait.min(deadline - now)).await;
        }
    }

    /// The servers that must have the record and do not.
    async fn missing(
        &self,
        lookup: &Lookup,
        checks: &DnsChecks,
        authorities: &mut Option<Vec<NameServer>>,
    ) -> Result<Vec<ServerAnswer>, LookupError> {
        if !checks.disable_ans_checks {
            let servers = match authorities.take() {
                Some(servers) => servers,
                None => lookup.name_servers(self.zone).await?,
            };
            let answers = lookup.ask_authoritative(authorities.insert(servers), self.name).await;
            let missing = self.without(answers);
            if !missing.is_empty() {
                return Ok(missing);
            }
        }
        if checks.require_all_rns { Ok(self.without(lookup.ask_recursive(self.name).await?)) } else { Ok(Vec::new()) }
    }

    fn without(&self, answers: Vec<ServerAnswer>) -> Vec<ServerAnswer> {
        lacking(answers, |answer| answer.records().iter().any(|record| record == self.value))
    }
}

fn waits(longest: Duration) -> impl Iterator<Item = Duration> {
    let first = FIRST_WAIT.min(longest);
    ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_factor(2.0).without_max_times().build()
}

/// A timeout of the propagation checks.
#[derive(Debug)]
pub(super) struct NotSeen {
    name: Name,
    after: Duration,
    /// The servers without the record, or the reason why they could not be asked.
    missing: Result<Vec<ServerAnswer>, LookupError>,
}

impl fmt::Display for NotSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has not its TXT record after {} s: ", self.name, self.after.as_secs())?;
        match &self.missing {
            Ok(answers) => {
                let answers: Vec<String> = answers.iter().map(ServerAnswer::to_string).collect();
                f.write_str(&answers.join("; "))
            }
            Err(error) => error.fmt(f),
        }
    }
}
