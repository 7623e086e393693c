//! Envoy as a child process.
//!
//! Promises: Envoy never outlives us, even if we are killed; a signal from the terminal reaches Envoy through us alone,
//! so that it ends gracefully; Envoy gets only the permitted part of our environment; Envoy's log is in our log.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus, Stdio};
use std::time::Duration;

use protocol::SecretText;
use rustix::process::{Pid, Signal, kill_process};
use setup::envoy::version::Version;
use tokio::process::{Child, Command};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::RunError;
use super::log::Relay;
use crate::complaint;
use crate::envoy as installed;
use crate::privileges;
use base::environment::Passed;
use base::program::own_binary;

/// The time Envoy has to end after SIGTERM.
const ENDING: Duration = Duration::from_secs(5);
/// The timeout of a validation: with ten thousand routers it takes a few seconds.
const VALIDATING: Duration = Duration::from_secs(120);

/// The way Envoy is started.
#[derive(Clone)]
pub(super) struct Binary {
    /// Envoy's path.
    pub(super) path: PathBuf,
    /// The user's arguments.
    pub(super) arguments: Vec<String>,
    /// Envoy's whole environment.
    pub(super) environment: Passed,
    /// The tokens of the configuration, which are removed from any shown output.
    pub(super) hidden: Vec<SecretText>,
}

/// A running Envoy.
pub(super) struct Envoy {
    child: Child,
    log: Relay,
}

impl Envoy {
    /// Starts Envoy. Call it on the main thread: the system ends Envoy when the thread that started it ends, and only
    /// that thread can pass on the right to listen on ports below 1024.
    ///
    /// # Errors
    /// When Envoy can't be started.
    pub(super) fn start(binary: &Binary, bootstrap: &Path) -> Result<Self, RunError> {
        let failed = |error| RunError::Start { path: binary.path.clone(), error };
        let mut command = Command::new(own_binary());
        command.arg("exec-envoy").arg(std::process::id().to_string()).arg(&binary.path);
        command.args(["--use-dynamic-base-id", "-c"]).arg(bootstrap).args(&binary.arguments);
        // The process that becomes Envoy passes its own environment on.
        command.env_clear().envs(binary.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).process_group(0).kill_on_drop(true);
        let (read, write) = io::pipe().map_err(failed)?;
        command.stderr(write);
        let log = Relay::start(read, binary.hidden.clone()).map_err(failed)?;
        Ok(Self { child: privileges::lending(|| command.spawn()).map_err(failed)?, log })
    }

    /// The process id, unless Envoy has ended.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until Envoy ends by itself; returns its exit status in words.
    pub(super) async fn ended(&mut self) -> String {
        let how = match self.child.wait().await {
            Ok(status) => said(status),
            Err(error) => error.to_string(),
        };
        self.log.done().await;
        how
    }

    /// Sends Envoy a signal, if it still runs.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Envoy may have ended meanwhile.
            let _ = kill_process(pid, signal);
        }
    }

    /// Ends Envoy: by SIGTERM, and after a while by SIGKILL.
    pub(super) async fn end(mut self) {
        self.log.end();
        self.signal(Signal::TERM);
        if timeout(ENDING, self.child.wait()).await.is_err() {
            tracing::warn!("Envoy did not end within {ENDING:?} and is killed");
            // Our own child that has not been waited for can be killed.
            let _ = self.child.kill().await;
        }
        self.log.done().await;
    }
}

/// Has Envoy validate a configuration, without starting anything.
///
/// # Errors
/// With Envoy's own words when it refuses the configuration.
pub(super) async fn validate(binary: &Binary, configuration: &Path) -> Result<(), RunError> {
    let mut command = Command::new(&binary.path);
    command.args(["--mode", "validate", "--log-level", "error", "-c"]).arg(configuration);
    command.env_clear().envs(binary.environment.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A signal from the terminal is for us, and would look like a refusal.
    command.process_group(0);
    let failed = |error| RunError::Start { path: binary.path.clone(), error };
    let output = match timeout(VALIDATING, command.output()).await {
        Ok(output) => output.map_err(failed)?,
        Err(_) => return Err(RunError::Invalid(format!("it was not done within {VALIDATING:?}"))),
    };
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let words = complaint::lines(&said, &binary.hidden).join("\n");
    let (Binary { path, environment, .. }, configuration) = (binary.clone(), configuration.to_owned());
    let lacks_wasm = spawn_blocking(move || installed::lacks_wasm(&path, &environment, &configuration, &said)).await;
    Err(if lacks_wasm.unwrap_or_default() {
        RunError::NoWasm { path: binary.path.clone(), words }
    } else {
        RunError::Invalid(words)
    })
}

/// The intermediate process between us and Envoy: asks the system to end it when `parent` ends, and becomes Envoy.
/// Returns only if that fails.
pub fn exec(parent: u32, binary: &Path, arguments: &[std::ffi::OsString]) -> ExitCode {
    let own_parent = || rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().unsigned_abs());
    let asked = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
    // The parent may have ended before that.
    if own_parent() != Some(parent) {
        return ExitCode::FAILURE;
    }
    if let Err(error) = asked {
        eprintln!("envoy-autocert: Envoy would outlive a killed envoy-autocert: {error}");
    }
    if let Err(error) = privileges::lend_on() {
        eprintln!("envoy-autocert: Envoy gets no right to listen on ports below 1024: {error}");
    }
    let error = std::process::Command::new(binary).args(arguments).exec();
    eprintln!("envoy-autocert: {} can't be started: {error}", binary.display());
    ExitCode::FAILURE
}

fn said(status: ExitStatus) -> String {
    status.to_string()
}

/// Finds Envoy: the given path, else in the directories of PATH.
///
/// # Errors
/// When there is none.
pub(super) fn find(given: Option<&Path>) -> Result<PathBuf, RunError> {
    installed::find(given).ok_or_else(|| RunError::NoEnvoy(given.map(Path::to_owned)))
}

/// The version of an Envoy: the given one, else the one that it reports, else the newest.
///
/// # Errors
/// When it is too old, or can't be started.
pub(super) async fn version(binary: &Binary, given: Option<Version>) -> Result<Version, RunError> {
    let Binary { path, environment, .. } = binary.clone();
    let asked = path.clone();
    let said = spawn_blocking(move || installed::version(&asked, &environment)).await;
    let said = said.map_err(|_| RunError::Bug("asking Envoy for its version ended"))?;
    let said = said.map_err(|error| RunError::Start { path: path.clone(), error })?;
    let version = given.or(said).unwrap_or(Version::NEWEST);
    let shown = path.display();
    match said {
        None if given.is_none() => tracing::warn!(
            "{shown}: it does not say with --version, or not within {} s, which Envoy it is; it is taken for {version}, unless \
             --envoy-version says another",
            installed::PATIENCE.as_secs()
        ),
        Some(said) if said != version => {
            tracing::warn!(
                "{shown}: it says that it is Envoy {said}; it is taken for {version}, as --envoy-version says"
            );
        }
        _ => {}
    }
    match version.refusal() {
        Some(why) => Err(RunError::TooOld { path, why }),
        None => Ok(version),
    }
}
