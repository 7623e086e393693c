//! A program that ends with its owner.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::until;

/// Time limit for the end of a program after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

/// Number of log lines shown with an error.
const SHOWN_LINES: usize = 25;

/// Error: a program has ended by itself.
#[derive(Debug)]
pub struct Ended {
    name: String,
    status: ExitStatus,
    log: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has ended ({}); the end of its log:\n{}", self.name, self.status, self.log)
    }
}

impl std::error::Error for Ended {}

/// A running program, with its output in a file. When dropped, the program is killed and waited for.
///
/// The kernel kills the program as well when the thread that started it ends, so no process is left over when a test
/// dies.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `program` with what `set` adds to its command line; its output is appended to `log`.
    ///
    /// # Errors
    /// When the program can't be started.
    pub fn start(program: &Path, log: &Path, set: impl FnOnce(&mut Command)) -> Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let output =
            File::options().create(true).append(true).open(log).with_context(|| format!("{}", log.display()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        set(&mut command);
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child = command.spawn().with_context(|| format!("{} can't be started", program.display()))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    /// The id of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in KiB.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn resident_kib(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// Peak resident memory, in KiB.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn most_resident_kib(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).with_context(|| format!("no {field}"))?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// The output.
    pub fn log(&self) -> String {
        fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Fails with [`Ended`] and the end of the log when the program has ended.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Ended { name: self.name.clone(), status, log: tail(&self.log) }.into()),
        }
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("signal to {}", self.name))
    }

    /// Kills the program, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends the program by SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// When the program does not end within 20 s.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        if self.child.try_wait()?.is_none() {
            self.signal(Signal::TERM)?;
        }
        self.wait(GRACE)
    }

    /// Waits until the program ends by itself.
    ///
    /// # Errors
    /// When the program does not end within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let name = self.name.clone();
        until(&format!("the end of {name}"), limit, || self.child.try_wait()?.context("it still runs"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("--- the end of {}:\n{}", self.log.display(), tail(&self.log));
        }
    }
}

/// The last lines of a file.
fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
}
