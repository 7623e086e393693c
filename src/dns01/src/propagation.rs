//! Waits until a TXT record is seen, before the CA is told to look (lego's propagation checks).
//!
//! Promises: the first look is at once, then soon, then at the provider's interval, so a fast server costs
//! milliseconds; when time runs out, the error says what each server saw last. Recursive servers are asked once the
//! authoritative ones have the record: one that was asked too early remembers that there was none.

use std::fmt;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use hickory_resolver::proto::rr::Name;
use protocol::DnsChecks;
use tokio::time::{Instant, sleep};

use super::lookup::{Look, Lookup, LookupError, NameServer, lacking};
use super::provider::Timing;

/// The wait after the first look; it doubles up to the provider's interval.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// A record that is to be seen.
pub(super) struct Wanted<'a> {
    /// Its name, where CNAMEs lead.
    pub(super) name: &'a Name,
    /// The zone of that name.
    pub(super) zone: &'a Name,
    pub(super) value: &'a str,
}

impl Wanted<'_> {
    /// Waits until it is seen, as these checks want it.
    ///
    /// # Errors
    /// When it is not within the time that the provider may take.
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
            if matches!(&missing, Ok(looks) if looks.is_empty()) {
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

    /// The servers that must have it and don't.
    async fn missing(
        &self,
        lookup: &Lookup,
        checks: &DnsChecks,
        authorities: &mut Option<Vec<NameServer>>,
    ) -> Result<Vec<Look>, LookupError> {
        if !checks.disable_ans_checks {
            let servers = match authorities.take() {
                Some(servers) => servers,
                None => lookup.name_servers(self.zone).await?,
            };
            let looks = lookup.look_at(authorities.insert(servers), self.name).await;
            let missing = self.without(looks);
            if !missing.is_empty() {
                return Ok(missing);
            }
        }
        if checks.require_all_rns { Ok(self.without(lookup.look_everywhere(self.name).await?)) } else { Ok(Vec::new()) }
    }

    fn without(&self, looks: Vec<Look>) -> Vec<Look> {
        lacking(looks, |sight| sight.records().iter().any(|record| record == self.value))
    }
}

fn waits(longest: Duration) -> impl Iterator<Item = Duration> {
    let first = FIRST_WAIT.min(longest);
    ExponentialBuilder::new().with_min_delay(first).with_max_delay(longest).with_factor(2.0).without_max_times().build()
}

/// A record was not seen in time.
#[derive(Debug)]
pub(super) struct NotSeen {
    name: Name,
    after: Duration,
    /// The servers that lack it, or why they could not be asked.
    missing: Result<Vec<Look>, LookupError>,
}

impl fmt::Display for NotSeen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has not its TXT record after {} s: ", self.name, self.after.as_secs())?;
        match &self.missing {
            Ok(looks) => {
                let looks: Vec<String> = looks.iter().map(Look::to_string).collect();
                f.write_str(&looks.join("; "))
            }
            Err(error) => error.fmt(f),
        }
    }
}
