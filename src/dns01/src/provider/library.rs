//! All other providers: by the library `dns-update`, in a process of its own.
//!
//! The library reads responses of any length and may panic, so each change is made by another `envoy-autocert` process
//! with little memory and little time: see `worker`.
//!
//! Promises: the process gets credentials on its standard input only; of our environment it gets only proxies and the
//! locations of CA certificates; its output is bounded, and shown without credentials.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::time::Duration;

use acme::one_line;
use rustix::process::Signal;
use tokio::process::Command;
use tokio::sync::{Mutex, Semaphore};
use zeroize::Zeroizing;

use super::record::Record;
use super::scrub::Scrub;
use super::table::{Api, Holds, Means, Row, Variable};
use super::timing::Lives;
use super::values::Values;
use super::variables::Environment;
use super::worker::{Action, MAX_MEMORY, Outcome, Reply, Request};
use super::{ProviderError, child};

/// Maximum number of concurrent processes: each takes some tens of megabytes.
const MOST_AT_ONCE: usize = 32;
/// Maximum time of a change in HTTP timeouts: a change is a handful of requests, some of them retried.
const REQUESTS: u32 = 8;
/// Maximum time of a change, whatever the HTTP timeout.
const MAX_LIMIT: Duration = Duration::from_secs(600);
/// The variables of our environment that the process gets.
const SURROUNDINGS: [&str; 10] = [
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

static AT_WORK: Semaphore = Semaphore::const_new(MOST_AT_ONCE);
/// Lock for APIs where a change writes the whole zone: two at once would undo each other.
static WHOLE_ZONES: Mutex<()> = Mutex::const_new(());

/// A provider of the library's.
pub(super) struct Library {
    row: &'static Row,
    values: Values,
    ttl: u32,
    http: Duration,
    binary: PathBuf,
    surroundings: Vec<(&'static str, String)>,
    scrub: Scrub,
}

impl Library {
    pub(super) fn new(
        row: &'static Row,
        values: Values,
        lives: &Lives,
        binary: PathBuf,
        environment: &Environment<'_>,
    ) -> Result<Self, ProviderError> {
        let mut surroundings = Vec::new();
        for name in SURROUNDINGS {
            let value = environment.first(&[name]);
            let value = value.map_err(|error| ProviderError::configuration(row.code, error))?;
            surroundings.extend(value.map(|value| (name, value.expose().to_owned())));
        }
        let scrub = Scrub::new(row, &values);
        Ok(Self { row, values, ttl: lives.ttl, http: lives.http, binary, surroundings, scrub })
    }

    /// True if a new record replaces all others of its name.
    pub(super) fn replaces(&self) -> bool {
        matches!(self.row.means, Means::Library(Api { holds: Holds::One, .. }))
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        self.change(Action::Present, record).await
    }

    pub(super) async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        self.change(Action::CleanUp, record).await
    }

    async fn change(&self, action: Action, record: &Record) -> Result<(), ProviderError> {
        let failed = |why: &str| ProviderError::failed(self.row.code, one_line(&self.scrub.text(why)));
        let writes_whole_zone = matches!(self.row.means, Means::Library(api) if api.writes_whole_zone);
        let _alone = if writes_whole_zone { Some(WHOLE_ZONES.lock().await) } else { None };
        let _place = AT_WORK.acquire().await.map_err(|error| failed(&error.to_string()))?;

        let limit = (self.http * REQUESTS).min(MAX_LIMIT);
        let request = Request {
            provider: self.row.code.to_owned(),
            values: self.values.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            http_seconds: self.http.as_secs(),
            limit_seconds: limit.as_secs(),
            action,
            fqdn: record.fqdn.clone(),
            zone: record.zone.clone(),
            value: record.value.clone(),
            ttl: self.ttl,
        };
        let input = Zeroizing::new(serde_json::to_vec(&request).map_err(|error| failed(&error.to_string()))?);
        let mut command = Command::new(&self.binary);
        command.arg("dns-provider").env_clear();
        command.envs(self.surroundings.iter().map(|(name, value)| (name, value)));
        let ended = child::run(command, &input, limit).await.map_err(|error| failed(&error.to_string()))?;

        if let Ok(reply) = serde_json::from_slice::<Reply>(&ended.stdout) {
            return self.judge(reply, record);
        }
        if ended.status.signal() == Some(Signal::ABORT.as_raw()) {
            let why = format!("the answers take more than {} MiB of memory", MAX_MEMORY >> 20);
            return Err(failed(&why));
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        Err(failed(&format!("its client ended with {}: {}", ended.status, said.trim())))
    }

    fn judge(&self, reply: Reply, record: &Record) -> Result<(), ProviderError> {
        let why = one_line(&self.scrub.text(&format!("zone {}: {}", record.zone, reply.why)));
        let code = self.row.code;
        match reply.outcome {
            Outcome::Done => Ok(()),
            Outcome::Configuration => Err(ProviderError::configuration(code, why)),
            Outcome::Failed => Err(ProviderError::failed(code, why)),
            Outcome::Refused => Err(ProviderError::refused(code, why)),
            Outcome::Unauthorized => {
                let names: Vec<&str> = self
                    .row
                    .variables
                    .iter()
                    .filter(|variable| !variable.is_public && self.values.get(variable.name()).is_some())
                    .map(Variable::name)
                    .collect();
                let why = format!("it does not accept the credentials in {}", names.join(", "));
                Err(ProviderError::refused(code, why))
            }
        }
    }
}
