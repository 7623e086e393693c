//! The engine's events as log lines and metrics.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use acme::ChallengeType;
use engine::{Census, Event, Observer};
use protocol::{CertificateId, State};

use crate::metrics::{Metrics, label};
use crate::proxy::ProxyHandle;

/// The first second of the year 10000, beyond which a date is shown as a number.
const YEAR_10000: u64 = 253_402_300_800;

/// The observer that writes to Envoy's log and statistics.
pub(crate) struct EventLog {
    proxy: ProxyHandle,
    metrics: Rc<Metrics>,
}

impl EventLog {
    /// An event log on this host.
    pub(crate) fn new(proxy: ProxyHandle, metrics: Rc<Metrics>) -> Self {
        Self { proxy, metrics }
    }

    /// The engine runs in this Envoy, or no longer does.
    pub(crate) fn engine_active(&self, active: bool) {
        self.metrics.set("engine_active", active.into());
        if !active {
            self.census(&Census::default());
        }
    }

    /// The state of the storage before the engine started.
    pub(crate) fn state(&self, state: &State) {
        for certificate in &state.certificates {
            self.not_after(&certificate.resolver, &certificate.names, certificate.not_after);
        }
    }

    fn not_after(&self, resolver: &str, names: &[String], not_after: i64) {
        if let Some(main) = names.first() {
            self.metrics.set_not_after(resolver, main, not_after);
        }
    }

    fn census(&self, census: &Census) {
        let Census { valid, due, expired, missing, in_progress, failing } = *census;
        for (state, count) in [
            ("valid", valid),
            ("due", due),
            ("expired", expired),
            ("missing", missing),
            ("in_progress", in_progress),
            ("failing", failing),
        ] {
            self.metrics.set(&format!("certificates.state.{state}"), count);
        }
        self.metrics.set("engine_memory_bytes", self.proxy.memory_bytes());
    }
}

impl Observer for EventLog {
    fn notice(&self, event: Event<'_>) {
        match event {
            Event::AccountReady { resolver, url } => log::info!("{resolver}: the account {url} is ready"),
            Event::Census(census) => self.census(&census),
            Event::Complaint { id, name, kind, reason, again_in } => {
                let (whom, seconds) = (Shown(id), again_in.as_secs());
                log::warn!(
                    "{whom}: the CA could not validate {name} by {kind}, retrying the challenge in {seconds} s: {reason}"
                );
            }
            Event::Dropped { id, reason } => {
                log::warn!("{}: the pending order was dropped, placing a new one: {reason}", Shown(id))
            }
            Event::DefaultChain { id, preferred, offered, failures } => {
                let (whom, offered) = (Shown(id), offered.join(", "));
                log::warn!(
                    "{whom}: serving the default chain: no chain of issuer {preferred} is offered, only of {offered}"
                );
                for failure in failures {
                    log::warn!("{whom}: a chain could not be downloaded: {failure}");
                }
            }
            Event::Issued { id, serial, issuer, not_after, why, challenges, took_millis, durable } => {
                let (whom, until, how) = (Shown(id), date(not_after), proof(challenges));
                let where_it_is = if durable { "" } else { "; it is in memory only, since the sidecar can't save it" };
                log::info!(
                    "{whom}: issued by {issuer} in {took_millis} ms{how}, serial {serial}, valid until {until}{where_it_is}"
                );
                self.metrics.count(&format!("issuances.resolver.{}.why.{}", resolver_label(id), why.as_str()));
                self.not_after(&id.resolver, &id.names, not_after);
            }
            Event::Failed { id, class, reason, failures, retry_in } => {
                let whom = Shown(id);
                log::warn!("{whom}: failed ({class}, {failures} in a row), next try in {retry_in} s: {reason}");
                self.metrics.count(&format!("failures.resolver.{}.class.{class}", resolver_label(id)));
            }
            Event::FallsBack { id, issuer, reason } => {
                let whom = Shown(id);
                let why = if reason.is_empty() { "its own CA asks for a long wait" } else { reason };
                log::warn!("{whom}: ordered with the resolver {issuer} it falls back to, since {why}");
                self.metrics.count(&format!("fallbacks.resolver.{}", resolver_label(id)));
            }
            Event::GivenUp { id } => {
                let whom = Shown(id);
                log::warn!("{whom}: no longer referenced by any router for 30 days; renewal stopped");
            }
            Event::Held { id, issuer, why, until } => {
                let (whom, until) = (Shown(id), date(until));
                log::warn!("{whom}: postponed until {until} (resolver {issuer}): {why}");
                self.metrics.count(&format!("holds.resolver.{}", resolver_label(id)));
            }
            Event::AriUnavailable { id, reason } => {
                log::info!("{}: no renewal window from the CA (ARI): {reason}", Shown(id));
            }
            Event::Rehearsed { id } => {
                let whom = Shown(id);
                log::info!("{whom}: the trial with the CA's staging server succeeded, ordering from the CA itself");
            }
            Event::Suggested { id, suggestion } => {
                let (whom, at) = (Shown(id), date(suggestion.renew_at));
                let (start, end) = (date(suggestion.start), date(suggestion.end));
                let why = suggestion.explanation.as_deref().map_or(String::new(), |url| format!("; see {url}"));
                log::info!("{whom}: renewal at {at}, within the CA's window from {start} to {end}{why}");
            }
            Event::ChallengeSwitched { id, reason } => {
                log::warn!("{}: trying another challenge type: {reason}", Shown(id));
            }
            Event::OtherCa { resolver, tests, kept } => {
                if tests > 0 {
                    log::info!("{resolver}: certificates of a CA's test system are replaced now: {tests}");
                }
                if kept > 0 {
                    let what = "certificates are of another CA than caServer and stay until they are due";
                    log::info!("{resolver}: {what}: {kept}");
                }
            }
            Event::Planned { took_millis } => {
                self.metrics.set("engine_plan_milliseconds", u64::try_from(took_millis).unwrap_or_default());
            }
            Event::Started { id, why } => log::info!("{}: ordering ({})", Shown(id), why.as_str()),
            Event::TermsAgreed { resolver, url } => {
                log::info!("{resolver}: by registering you agree to the CA's terms of service, {url}");
            }
        }
    }
}

/// How the names were proved: ` by tls-alpn-01 and dns-01`.
fn proof(challenges: &[ChallengeType]) -> String {
    if challenges.is_empty() {
        return " by what the CA had validated before".to_owned();
    }
    let kinds: Vec<&str> = challenges.iter().map(|kind| kind.as_str()).collect();
    format!(" by {}", kinds.join(" and "))
}

fn resolver_label(id: &CertificateId) -> String {
    label(&id.resolver).replace('.', "_")
}

/// A certificate in a log line: `le a.example (and 2 more names)`.
struct Shown<'a>(&'a CertificateId);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let CertificateId { resolver, names } = self.0;
        write!(f, "{resolver}: {}", names.first().map_or("", String::as_str))?;
        match names.len().saturating_sub(1) {
            0 => Ok(()),
            1 => f.write_str(" (and 1 more name)"),
            more => write!(f, " (and {more} more names)"),
        }
    }
}

/// Seconds since 1970 as a date.
fn date(seconds: i64) -> String {
    let time = u64::try_from(seconds).ok().filter(|seconds| *seconds < YEAR_10000);
    match time.and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))) {
        Some(time) => httpdate::fmt_http_date(time),
        None => format!("{seconds} s after 1970"),
    }
}

#[cfg(test)]
mod tests {
    use engine::Why;

    use super::*;
    use crate::logger;
    use crate::proxy::fake::FakeProxy;

    fn event_log() -> (Rc<FakeProxy>, EventLog, logger::Entered) {
        let proxy = Rc::new(FakeProxy::default());
        let metrics = Rc::new(Metrics::new(proxy.clone()));
        let handle: ProxyHandle = proxy.clone();
        let entered = logger::enter(&handle);
        (proxy, EventLog::new(handle, metrics), entered)
    }

    fn id() -> CertificateId {
        CertificateId { resolver: "le".to_owned(), names: vec!["a.example".to_owned(), "b.example".to_owned()] }
    }

    #[test]
    fn an_issuance_is_one_line_a_counter_and_a_gauge() {
        let (proxy, event_log, _entered) = event_log();
        event_log.notice(Event::Issued {
            id: &id(),
            serial: "0a",
            issuer: "CA X1",
            not_after: 1_800_000_000,
            why: Why::Renewal,
            challenges: &[ChallengeType::TlsAlpn01, ChallengeType::Dns01],
            took_millis: 900,
            durable: true,
        });
        let line = "envoy-autocert: le: a.example (and 1 more name): issued by CA X1 in 900 ms by tls-alpn-01 and dns-01, \
                    serial 0a, valid until Fri, 15 Jan 2027 08:00:00 GMT";
        assert_eq!(proxy.lines(), [(log::Level::Info, line.to_owned())]);
        assert_eq!(proxy.metric("envoy_autocert.issuances.resolver.le.why.renewal"), Some(1));
        let gauge = "envoy_autocert.certificate_not_after_seconds.resolver.le.certificate.a.example";
        assert_eq!(proxy.metric(gauge), Some(1_800_000_000));
    }

    #[test]
    fn a_failure_stays_on_one_line_whatever_its_reason_says() {
        let (proxy, event_log, _entered) = event_log();
        event_log.notice(Event::Failed { id: &id(), class: "transient", reason: "a\nb", failures: 2, retry_in: 60 });
        let [(level, line)] = &proxy.lines()[..] else { panic!("not one line") };
        assert_eq!(*level, log::Level::Warn);
        assert!(line.ends_with("next try in 60 s: a\\nb"), "{line}");
        assert_eq!(proxy.metric("envoy_autocert.failures.resolver.le.class.transient"), Some(1));
    }

    #[test]
    fn who_registers_learns_to_what_terms() {
        let (proxy, event_log, _entered) = event_log();
        event_log.notice(Event::TermsAgreed { resolver: "le", url: "https://ca.example/terms" });
        let line =
            "envoy-autocert: le: by registering you agree to the CA's terms of service, https://ca.example/terms";
        assert_eq!(proxy.lines(), [(log::Level::Info, line.to_owned())]);
    }

    #[test]
    fn a_chain_that_is_not_to_be_had_is_told_with_those_that_are() {
        let (proxy, event_log, _entered) = event_log();
        let (offered, failures) = (["Root A".to_owned(), "B\nad".to_owned()], ["late".to_owned()]);
        event_log.notice(Event::DefaultChain {
            id: &id(),
            preferred: "Root C",
            offered: &offered,
            failures: &failures,
        });
        let [(_, line), (_, failure)] = &proxy.lines()[..] else { panic!("not two lines") };
        assert!(line.ends_with("no chain of issuer Root C is offered, only of Root A, B\\nad"), "{line}");
        assert!(failure.ends_with("a chain could not be downloaded: late"), "{failure}");
    }

    #[test]
    fn an_engine_that_ends_takes_its_census_along() {
        let (proxy, event_log, _entered) = event_log();
        event_log.engine_active(true);
        event_log.notice(Event::Census(Census { valid: 3, ..Census::default() }));
        assert_eq!(proxy.metric("envoy_autocert.certificates.state.valid"), Some(3));
        event_log.engine_active(false);
        assert_eq!(proxy.metric("envoy_autocert.certificates.state.valid"), Some(0));
        assert_eq!(proxy.metric("envoy_autocert.engine_active"), Some(0));
    }
}
