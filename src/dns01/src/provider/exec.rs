//! `exec`: a program of the user's makes and removes the record.
//!
//! It is run as lego runs it: `PROGRAM present|cleanup FQDN VALUE`, or with `EXEC_MODE=RAW`
//! `PROGRAM present|cleanup -- DOMAIN TOKEN KEY_AUTHORIZATION`. See <https://go-acme.github.io/lego/dns/exec/>.
//!
//! Unlike lego, which passes everything on, of our environment it gets what any program needs, its own variables
//! (`EXEC_…`) and those that `EXEC_PASS_ENVIRONMENT` lists.
//!
//! Promises: there is no shell; a program that hangs is killed with all that it started; it sees no other provider's
//! credentials.

use std::time::Duration;

use acme::one_line;
use config::shortened;
use tokio::process::Command;

use super::table::Row;
use super::values::Values;
use super::variables::VariableError;
use super::{ProviderError, Record, Timing, child};
use base::environment::{Passed, VariableName, for_dns_program};

/// The variable that lists what else is passed on.
const PASS: &str = "EXEC_PASS_ENVIRONMENT";

/// How long it may take at least: many programs wait until the record is to be seen.
const LEAST_LIMIT: Duration = Duration::from_secs(300);

/// The program.
pub(super) struct Exec {
    code: &'static str,
    program: String,
    is_raw: bool,
    limit: Duration,
    /// Its whole environment.
    environment: Passed,
}

impl Exec {
    /// # Errors
    /// When `EXEC_PASS_ENVIRONMENT` lists what is no variable's name.
    pub(super) fn new(row: &'static Row, values: &Values, timing: Timing) -> Result<Self, ProviderError> {
        let listed = values.text(PASS).split(',').map(str::trim).filter(|name| !name.is_empty());
        let named = listed.map(|name| name.parse().map_err(|why: String| wrong(row, name, &why)));
        let named = named.collect::<Result<Vec<VariableName>, ProviderError>>()?;
        Ok(Self {
            code: row.code,
            program: values.text("EXEC_PATH").to_owned(),
            is_raw: values.get("EXEC_MODE") == Some("RAW"),
            limit: timing.propagation_timeout.max(LEAST_LIMIT),
            environment: for_dns_program(&named),
        })
    }

    /// Whether the record's name is the program's own choice: of a challenge it is told the domain.
    pub(super) fn chooses_names(&self) -> bool {
        self.is_raw
    }

    pub(super) async fn present(&self, record: &Record) -> Result<(), ProviderError> {
        self.run("present", record).await
    }

    pub(super) async fn clean_up(&self, record: &Record) -> Result<(), ProviderError> {
        self.run("cleanup", record).await
    }

    async fn run(&self, action: &str, record: &Record) -> Result<(), ProviderError> {
        let mut command = Command::new(&self.program);
        command.arg(action).env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        if self.is_raw {
            // A token may start with a dash.
            command.args(["--", &record.domain, &record.token, &record.key_authorization]);
        } else {
            // As with lego there is no `--`: programs take these by their place. A value may start with a dash.
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

fn wrong(row: &Row, name: &str, why: &str) -> ProviderError {
    let why = format!("{why}, found {:?}; names are listed with commas between them", shortened(name));
    ProviderError::configuration(row.code, VariableError::new(PASS, why))
}
