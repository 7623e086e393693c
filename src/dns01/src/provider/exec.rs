//! `exec`: a program of the user's creates and removes the record.
//!
//! The program is run as by lego: `PROGRAM present|cleanup FQDN VALUE`, or with `EXEC_MODE=RAW` `PROGRAM
//! present|cleanup -- DOMAIN TOKEN KEY_AUTHORIZATION`. See <https://go-acme.github.io/lego/dns/exec/>.
//!
//! Unlike with lego, which passes on the whole environment, the program gets common variables, its own (`EXEC_…`), and
//! those that `EXEC_PASS_ENVIRONMENT` lists.
//!
//! Promises: no shell is involved; a program that hangs is killed with all its descendants; the program sees no other
//! provider's credentials.

use std::time::Duration;

use acme::one_line;
use config::shortened;
use tokio::process::Command;

use super::record::Record;
use super::table::Row;
use super::values::Values;
use super::variables::VariableError;
use super::{ProviderError, Timing, child};
use base::environment::{Passed, VariableName, for_dns_program};

/// The variable that lists further variables to pass on.
const PASS: &str = "EXEC_PASS_ENVIRONMENT";

/// Minimum time limit of the program: many programs wait until the record is visible.
const LEAST_LIMIT: Duration = Duration::from_secs(300);

/// The user's program.
pub(super) struct Exec {
    code: &'static str,
    program: String,
    is_raw: bool,
    limit: Duration,
    /// The program's complete environment.
    environment: Passed,
}

impl Exec {
    /// Finds the program and its environment.
    ///
    /// # Errors
    /// If `EXEC_PASS_ENVIRONMENT` lists something that is no variable's name.
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

    /// True if the program chooses the record's name: it gets the challenge's domain.
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
            // A token may begin with a dash.
            command.args(["--", &record.domain, &record.token, &record.key_authorization]);
        } else {
            // As with lego there is no `--`: programs read these arguments by position. A value may begin with a dash.
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
