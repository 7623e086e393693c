//! The Envoy installed on this machine: its path and version.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use setup::envoy::version::Version;

use crate::complaint;
use base::environment::Passed;

/// The time Envoy has to print its version, or to say that it can run no plugin: on an idle machine it takes a fraction
/// of a second.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The most that is read of Envoy's output, in bytes.
const MAX_SAID: u64 = 1024 * 1024;

/// The path of the Envoy asked for, else of the first one in the directories of PATH; `None` if there is none.
pub(crate) fn find(given: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = given {
        return path.is_file().then(|| path.to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory| directory.join("envoy")).find(|path| path.is_file())
}

/// The version of this Envoy; `None` if its output is not understood.
///
/// # Errors
/// When it can't be started.
pub(crate) fn version(path: &Path, environment: &Passed) -> io::Result<Option<Version>> {
    let answer = ask(path, environment, |command| command.arg("--version"), PATIENCE)?;
    Ok(answer.and_then(|answer| Version::said(&answer.said)))
}

/// Returns whether an Envoy that refused a bootstrap with this output can run no plugin at all. Envoy says so only in a
/// warning, so it may be run again.
pub(crate) fn lacks_wasm(path: &Path, environment: &Passed, bootstrap: &Path, said: &str) -> bool {
    let again = ["--mode", "validate", "--use-dynamic-base-id", "--log-level", "warning", "-c"];
    let answer = || ask(path, environment, |command| command.args(again).arg(bootstrap), PATIENCE).ok().flatten();
    complaint::may_lack_wasm(said)
        && (complaint::lacks_wasm(said) || answer().is_some_and(|answer| complaint::lacks_wasm(&answer.said)))
}

/// The result of a run of Envoy.
pub(crate) struct Answer {
    /// True if Envoy's exit status was success.
    pub(crate) is_fine: bool,
    /// All of Envoy's output.
    pub(crate) said: String,
}

/// Runs Envoy with these arguments until it ends; `None` if it took too long and was killed.
///
/// # Errors
/// When it can't be started.
pub(crate) fn ask(
    path: &Path,
    environment: &Passed,
    arguments: impl FnOnce(&mut Command) -> &mut Command,
    patience: Duration,
) -> io::Result<Option<Answer>> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(path);
    command.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    arguments(&mut command).stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn()?;
    // The command holds the pipe's other end too.
    drop(command);
    let (said, hear) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // The reader ends when Envoy does; output read before an error counts.
        let _ = reader.take(MAX_SAID).read_to_end(&mut bytes);
        let _ = said.send(bytes);
    });
    let Ok(bytes) = hear.recv_timeout(patience) else {
        let _ = child.kill();
        let _ = child.wait();
        return Ok(None);
    };
    let is_fine = child.wait()?.success();
    Ok(Some(Answer { is_fine, said: String::from_utf8_lossy(&bytes).into_owned() }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Runs a program with this output by a shell: a file that a child of another test still has open for writing can't
    /// be executed.
    fn said(script: &str) -> (io::Result<Option<Answer>>, tempfile::TempDir) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("envoy");
        std::fs::write(&path, script).unwrap();
        let answer =
            ask(Path::new("/bin/sh"), &Passed::default(), |command| command.arg(path), Duration::from_secs(20));
        (answer, place)
    }

    #[test]
    fn what_it_writes_anywhere_is_heard_and_how_it_ended() {
        let answer = said("echo one; echo two >&2; exit 3").0.unwrap().unwrap();
        assert_eq!((answer.is_fine, answer.said.as_str()), (false, "one\ntwo\n"));
        assert!(said("exit 0").0.unwrap().unwrap().is_fine);
    }

    #[test]
    fn one_that_never_ends_is_ended() {
        let answer =
            ask(Path::new("/bin/sleep"), &Passed::default(), |command| command.arg("1000"), Duration::from_millis(100));
        assert!(answer.unwrap().is_none());
    }

    #[test]
    fn who_is_not_there_is_not_found() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("envoy");
        assert_eq!(find(Some(&path)), None);
        assert!(version(&path, &Passed::default()).is_err());
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).unwrap();
        assert_eq!(find(Some(&path)), Some(path));
    }
}
