//! `envoy --mode validate`: what Envoy itself says of a bootstrap.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use setup::check::{Finding, Report};

use crate::environment::Passed;

/// Envoy compiles the plugin for it, which takes a second or two on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The most that is read of what it says, in bytes.
const MAX_SAID: u64 = 1024 * 1024;

/// The most of its lines that are shown.
const MAX_LINES: usize = 20;

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

    /// Has a bootstrap validated; a refusal is a mistake.
    ///
    /// # Errors
    /// When Envoy can't be started.
    pub(super) fn validate(&self, bootstrap: &Path, report: &mut Report) -> Result<(), String> {
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
            for line in telling(&text) {
                let found = format!("a configuration that Envoy refuses ({line})");
                let expected = "one that `envoy --mode validate` takes".to_owned();
                report.mistake(Finding { source: source.clone(), expected, ..Finding::said(&found) });
            }
        }
        Ok(())
    }
}

/// The lines that say what is wrong, without time, thread and place in Envoy's source.
fn telling(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let told = line.rsplit_once("] ").map_or(line, |(_, told)| told);
        let told = told.trim_start_matches("error initializing configuration ").trim();
        let told = told.replace(char::is_control, " ");
        if !lines.iter().any(|known| known.ends_with(&told)) {
            lines.push(told);
        }
    }
    lines.truncate(MAX_LINES);
    if lines.is_empty() {
        lines.push("it did not say why".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_envoys_log_is_cut_to_what_it_says() {
        let log = "[2026-11-24 12:00:00.000][1][critical][main] [source/server/server.cc:1] error initializing \
                   configuration 'a.yaml': no such field: 'x'\nerror initializing configuration 'a.yaml': no such field: \
                   'x'\n\n";
        assert_eq!(telling(log), ["'a.yaml': no such field: 'x'"]);
        assert_eq!(telling(""), ["it did not say why"]);
    }
}
