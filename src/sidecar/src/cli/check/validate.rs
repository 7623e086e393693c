//! `envoy --mode validate`: what Envoy itself says of a bootstrap.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use resolver::config::Hidden;
use setup::check::{Finding, Report};

use crate::complaint;
use crate::environment::Passed;

/// Envoy compiles the plugin for it, which takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The most that is read of what it says, in bytes.
const MAX_SAID: u64 = 1024 * 1024;

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
        match asked {
            Some(path) if path.is_file() => Ok(Some(Self { path, environment })),
            Some(path) => Err(format!("--envoy: {} is no file", path.display())),
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut places = std::env::split_paths(&path).map(|place| place.join("envoy"));
                Ok(places.find(|program| program.is_file()).map(|path| Self { path, environment }))
            }
        }
    }

    /// Has a bootstrap validated, in which these tokens are; a refusal is a mistake.
    ///
    /// # Errors
    /// When Envoy can't be started.
    pub(super) fn validate(&self, bootstrap: &Path, tokens: &[Hidden], report: &mut Report) -> Result<(), String> {
        let failed = |error: std::io::Error| format!("{}: can't be run: {error}", self.path.display());
        let mut command = Command::new(&self.path);
        command.env_clear().envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.args(["--mode", "validate", "--use-dynamic-base-id", "--log-level", "error", "-c"]).arg(bootstrap);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (said, hear) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                // It ends when Envoy does; what was read until then counts.
                let _ = stderr.take(MAX_SAID).read_to_end(&mut bytes);
                let _ = said.send(bytes);
            });
        }
        let source = bootstrap.display().to_string();
        let Ok(bytes) = hear.recv_timeout(PATIENCE) else {
            let _ = child.kill();
            let _ = child.wait();
            let found = format!("an Envoy that had not validated it after {} s", PATIENCE.as_secs());
            let expected = "its `--mode validate` to end; --no-envoy leaves it out".to_owned();
            report.warning(Finding { source, expected, ..Finding::said(&found) });
            return Ok(());
        };
        if !child.wait().map_err(failed)?.success() {
            let text = String::from_utf8_lossy(&bytes);
            for line in complaint::lines(&text, tokens) {
                let found = format!("a configuration that Envoy refuses ({line})");
                let expected = "one that `envoy --mode validate` takes".to_owned();
                report.mistake(Finding { source: source.clone(), expected, ..Finding::said(&found) });
            }
        }
        Ok(())
    }
}
