//! `envoy --mode validate`: what Envoy itself says of a bootstrap.

use std::path::{Path, PathBuf};
use std::time::Duration;

use resolver::config::Hidden;
use setup::check::{Finding, Report};
use setup::envoy::version::Version;

use crate::complaint;
use crate::environment::Passed;
use crate::envoy;

/// Envoy compiles the plugin for it, which takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// An Envoy that validates.
pub(super) struct Validator {
    path: PathBuf,
    /// Its whole environment.
    environment: Passed,
}

impl Validator {
    /// The one that was asked for, else the one on `PATH`, if there is one.
    ///
    /// # Errors
    /// When the one that was asked for is not there.
    pub(super) fn find(asked: Option<PathBuf>, environment: Passed) -> Result<Option<Self>, String> {
        match (envoy::find(asked.as_deref()), asked) {
            (Some(path), _) => Ok(Some(Self { path, environment })),
            (None, Some(path)) => Err(format!("--envoy: {} is no file", path.display())),
            (None, None) => Ok(None),
        }
    }

    /// Its version, if it says one. One that can't be started is told of when it is to validate.
    pub(super) fn version(&self) -> Option<Version> {
        envoy::version(&self.path, &self.environment).ok().flatten()
    }

    /// Its path, as the source of a finding.
    pub(super) fn source(&self) -> String {
        self.path.display().to_string()
    }

    /// Has a bootstrap validated, in which these tokens are; a refusal is a mistake.
    ///
    /// # Errors
    /// When Envoy can't be started.
    pub(super) fn validate(&self, bootstrap: &Path, tokens: &[Hidden], report: &mut Report) -> Result<(), String> {
        let arguments = ["--mode", "validate", "--use-dynamic-base-id", "--log-level", "error", "-c"];
        let answer =
            envoy::ask(&self.path, &self.environment, |command| command.args(arguments).arg(bootstrap), PATIENCE)
                .map_err(|error| format!("{}: can't be run: {error}", self.path.display()))?;
        let source = bootstrap.display().to_string();
        let Some(answer) = answer else {
            let found = format!("an Envoy that had not validated it after {} s", PATIENCE.as_secs());
            let expected = "its `--mode validate` to end; --no-envoy leaves it out".to_owned();
            report.warning(Finding { source, expected, ..Finding::said(&found) });
            return Ok(());
        };
        if answer.is_fine {
            return Ok(());
        }
        let lacks_wasm = envoy::lacks_wasm(&self.path, &self.environment, bootstrap, &answer.said);
        for line in complaint::lines(&answer.said, tokens) {
            let (found, expected) = if lacks_wasm {
                let found = format!("an Envoy without a WebAssembly runtime, which the plugin needs ({line})");
                (found, "one that is built with V8, as Envoy's own releases are")
            } else {
                let found = format!("a configuration that Envoy refuses ({line})");
                (found, "one that `envoy --mode validate` takes")
            };
            report.mistake(Finding { source: source.clone(), expected: expected.to_owned(), ..Finding::said(&found) });
        }
        Ok(())
    }
}
