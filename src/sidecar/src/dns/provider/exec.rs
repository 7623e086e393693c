//! `exec`: a program of the user's makes and removes the record.
//!
//! It is run as lego runs it: `PROGRAM present|cleanup FQDN VALUE`, or with `EXEC_MODE=RAW`
//! `PROGRAM present|cleanup -- DOMAIN TOKEN KEY_AUTHORIZATION`. See <https://go-acme.github.io/lego/dns/exec/>.
//!
//! Promises: there is no shell; a program that hangs is killed with all that it started.

use std::time::Duration;

use resolver::one_line;
use tokio::process::Command;

use super::table::Row;
use super::values::Values;
use super::{ProviderError, Record, Timing, child};

/// How long it may take at least: many programs wait until the record is to be seen.
const LEAST_LIMIT: Duration = Duration::from_secs(300);

/// The program.
pub(super) struct Exec {
    code: &'static str,
    program: String,
    is_raw: bool,
    limit: Duration,
}

impl Exec {
    pub(super) fn new(row: &'static Row, values: &Values, timing: Timing) -> Self {
        Self {
            code: row.code,
            program: values.text("EXEC_PATH").to_owned(),
            is_raw: values.get("EXEC_MODE") == Some("RAW"),
            limit: timing.propagation_timeout.max(LEAST_LIMIT),
        }
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        self.run("present", record).await
    }

    pub(super) async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        self.run("cleanup", record).await
    }

    async fn run(&self, action: &str, record: &Record) -> Result<(), ProviderError> {
        let mut command = Command::new(&self.program);
        command.arg(action);
        if self.is_raw {
            // A token may start with a dash.
            command.args(["--", &record.domain, &record.token, &record.key_authorization]);
        } else {
            command.args([&record.fqdn, &record.value]);
        }
        let failed = |why: String| ProviderError::failed(self.code, format!("{} {action}: {why}", self.program));
        let ended = child::run(command, b"", self.limit).await.map_err(|error| failed(error.to_string()))?;
        if ended.status.success() {
            return Ok(());
        }
        let said = [ended.stderr, ended.stdout].concat();
        let said = one_line(String::from_utf8_lossy(&said).trim());
        let said = if said.is_empty() { "it said nothing".to_owned() } else { format!("it said: {said}") };
        Err(failed(format!("it ended with {}; {said}", ended.status)))
    }
}
