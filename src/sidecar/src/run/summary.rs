//! The last lines of a start: which certificates are served, until when, and where to look; or which are not, and why.
//!
//! Promises: the summary comes once every wanted certificate is served or has failed once; again when the last failing
//! one is served, and when other certificates are wanted.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use protocol::Want;
use tokio::time::Instant;

use super::pieces::Layout;
use crate::standing::Standing;
use base::date::{date, day};

/// The most names in a line, and the most lines.
const MAX_SHOWN: usize = 5;
const MAX_LINES: usize = 10;
/// The interval at which standings are read, before and after failures were logged.
const LOOKING: Duration = Duration::from_millis(500);
const LOOKING_ON: Duration = Duration::from_secs(5);
/// The time for which an acknowledgement by Envoy is awaited.
const PATIENCE: Duration = Duration::from_secs(45);

/// The summary of a start: the last lines logged, and whether more are due.
pub(super) struct Summary {
    /// The time since when every certificate is settled, except those that Envoy has to acknowledge.
    settled: Option<Instant>,
    /// The failures logged; unset before any line was.
    told: Option<Vec<Want>>,
}

/// Lines to log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Said {
    /// True if every certificate is served.
    pub(super) is_well: bool,
    /// The lines.
    pub(super) lines: Vec<String>,
}

/// The addresses for visitors and operators.
pub(super) struct Addresses<'a> {
    /// The port of the URLs.
    pub(super) port: Option<u16>,
    /// The address of the status, besides the socket.
    pub(super) status: Option<SocketAddr>,
    pub(super) layout: &'a Layout,
}

impl Summary {
    pub(super) fn new() -> Self {
        Self { settled: None, told: None }
    }

    /// Starts anew because other certificates are wanted.
    pub(super) fn start_anew(&mut self) {
        *self = Self::new();
    }

    /// The wait before the next look; `None` when no line is due any more.
    pub(super) fn pace(&self) -> Option<Duration> {
        match &self.told {
            None => Some(LOOKING),
            Some(failing) if failing.is_empty() => None,
            Some(_) => Some(LOOKING_ON),
        }
    }

    /// Returns the lines that are due now, if any.
    pub(super) fn look(&mut self, wants: &[Want], standings: &[Standing], addresses: &Addresses<'_>) -> Option<Said> {
        if standings.contains(&Standing::Underway) {
            self.settled = None;
            return None;
        }
        let settled = *self.settled.get_or_insert_with(Instant::now);
        if standings.contains(&Standing::Awaited) && settled.elapsed() < PATIENCE {
            return None;
        }
        let all = || wants.iter().zip(standings);
        let is_served = |standing: &Standing| matches!(standing, Standing::Served { .. });
        let failing: Vec<Want> =
            all().filter(|(_, standing)| !is_served(standing)).map(|(want, _)| want.clone()).collect();
        let is_well = failing.is_empty();
        // Failures are logged once, and then nothing until every certificate is served.
        if self.told.as_ref().is_some_and(|_| !is_well) {
            return None;
        }
        self.told = Some(failing);
        let mut lines: Vec<String> = all().filter_map(|(want, standing)| failure(want, standing)).collect();
        let more = lines.len().saturating_sub(MAX_LINES);
        lines.truncate(MAX_LINES);
        if more > 0 {
            lines.push(format!("{more} more are not served; /status has them"));
        }
        lines.push(last(&all().collect::<Vec<_>>(), addresses));
        Some(Said { is_well, lines })
    }
}

/// The reason why a certificate is not served.
fn failure(want: &Want, standing: &Standing) -> Option<String> {
    let name = main(want);
    match standing {
        Standing::Failing { reason, again } => {
            let again = again.map(|at| format!("; it is tried again at {}", date(at))).unwrap_or_default();
            Some(format!("{name} is not served: {reason}{again}"))
        }
        Standing::Awaited => Some(format!("{name} has a certificate, and Envoy is not seen to serve it yet")),
        Standing::Served { .. } | Standing::Underway => None,
    }
}

/// `https://a.example/ is up: valid until 2027-02-28; status: …`
fn last(all: &[(&Want, &Standing)], addresses: &Addresses<'_>) -> String {
    let served: Vec<(&Want, i64, bool)> = all
        .iter()
        .filter_map(|(want, standing)| match standing {
            Standing::Served { until, is_of_test_system } => Some((*want, *until, *is_of_test_system)),
            _ => None,
        })
        .collect();
    let url = |want: &Want| {
        let port = addresses.port.filter(|port| *port != 443).map(|port| format!(":{port}")).unwrap_or_default();
        format!("https://{}{port}/", main(want))
    };
    let urls: Vec<String> = served.iter().take(MAX_SHOWN).map(|(want, _, _)| url(want)).collect();
    let urls = urls.join(", ");
    let more = served.len().saturating_sub(MAX_SHOWN);
    let urls = if more > 0 { format!("{urls} and {more} more") } else { urls };
    let until = served.iter().map(|(_, until, _)| *until).min().map(day).unwrap_or_default();
    let what = match (all.len(), served.len()) {
        (0, _) => "no router wants a certificate of a CA".to_owned(),
        (_, 0) => "no certificate is served yet".to_owned(),
        (1, 1) => format!("{urls} is up: valid until {until}"),
        (all, served) if all == served => format!("{urls} are up: valid until {until} or longer"),
        (all, served) => format!("{served} of {all} are up, {urls}: valid until {until} or longer"),
    };
    let test = match served.iter().any(|(_, _, is_of_test_system)| *is_of_test_system) {
        true => " (of a CA's test system, which no browser trusts)",
        false => "",
    };
    format!("{what}{test}; {}", looks(addresses))
}

/// The command or URL for a look from outside.
fn looks(addresses: &Addresses<'_>) -> String {
    let curl = |socket: &Path, path: &str| format!("curl --unix-socket {} http://localhost{path}", socket.display());
    let status = match addresses.status {
        Some(address) => format!("http://{}/status", crate::reach::from_here(address)),
        None => curl(&addresses.layout.api_socket(), "/status"),
    };
    format!("status: {status}; Envoy's: {}", curl(&addresses.layout.admin_socket(), "/stats"))
}

fn main(want: &Want) -> String {
    acme::one_line(want.certificate.names.first().map_or("", String::as_str))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use protocol::CertificateId;

    use super::*;

    const UNTIL: i64 = 1_800_000_000;

    fn want(name: &str) -> Want {
        Want { certificate: CertificateId { resolver: "le".into(), names: vec![name.to_owned()] } }
    }

    fn served() -> Standing {
        Standing::Served { until: UNTIL, is_of_test_system: false }
    }

    fn failing() -> Standing {
        Standing::Failing { reason: "the CA said no".into(), again: Some(UNTIL) }
    }

    fn look(summary: &mut Summary, standings: &[Standing]) -> Option<Said> {
        let wants: Vec<Want> = (0..standings.len()).map(|number| want(&format!("{number}.test"))).collect();
        let layout = Layout::new(Path::new("/run/x"));
        summary.look(&wants, standings, &Addresses { port: Some(5001), status: None, layout: &layout })
    }

    #[test]
    fn one_that_is_served_is_told_with_its_end_and_where_to_look() {
        let mut summary = Summary::new();
        assert_eq!(look(&mut summary, &[Standing::Underway]), None);
        assert_eq!(look(&mut summary, &[Standing::Awaited]), None, "Envoy may still take it");
        let said = look(&mut summary, &[served()]).unwrap();
        assert!(said.is_well && summary.pace().is_none());
        let expected = "https://0.test:5001/ is up: valid until 2027-01-15; status: curl --unix-socket /run/x/api.sock \
                        http://localhost/status; Envoy's: curl --unix-socket /run/x/admin.sock http://localhost/stats";
        assert_eq!(said.lines, [expected]);
    }

    #[test]
    fn what_fails_is_named_once_with_its_reason_and_told_again_when_it_is_served() {
        let mut summary = Summary::new();
        let said = look(&mut summary, &[served(), failing()]).unwrap();
        let reason = "1.test is not served: the CA said no; it is tried again at 2027-01-15T08:00:00Z";
        assert!(!said.is_well && said.lines[0] == reason, "{said:?}");
        assert!(said.lines[1].starts_with("1 of 2 are up, https://0.test:5001/: valid until 2027-01-15"), "{said:?}");
        assert_eq!(look(&mut summary, &[served(), failing()]), None);
        assert_eq!(look(&mut summary, &[served(), Standing::Underway]), None);
        let said = look(&mut summary, &[served(), served()]).unwrap();
        assert!(said.is_well && said.lines[0].starts_with("https://0.test:5001/, https://1.test:5001/ are up"));
    }

    #[test]
    fn many_are_counted_and_not_listed() {
        let said = look(&mut Summary::new(), &vec![served(); 50]).unwrap();
        assert!(said.lines[0].contains(" and 45 more are up"), "{said:?}");
        let said = look(&mut Summary::new(), &vec![failing(); 50]).unwrap();
        assert_eq!(said.lines.len(), MAX_LINES + 2);
        assert!(said.lines[MAX_LINES].starts_with("40 more are not served"), "{said:?}");
    }
}
