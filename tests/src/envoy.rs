//! Envoy, with its administration interface.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::http::Endpoint;
use crate::{Bootstrap, Place, Process, Signal, artifacts, tokens, until};

/// Options of a start of Envoy.
#[derive(Clone, Debug)]
pub struct EnvoyOptions {
    /// Number of worker threads.
    pub concurrency: usize,
    /// `--log-level`, and of components: `info`.
    pub log_level: String,
    /// True to wait until all listeners are up.
    pub wait: bool,
    /// A name to tell several Envoys of a place apart.
    pub name: String,
    /// Another binary than [`artifacts::envoy`].
    pub binary: Option<PathBuf>,
}

impl Default for EnvoyOptions {
    fn default() -> Self {
        Self { concurrency: 2, log_level: "info".to_owned(), wait: true, name: "envoy".to_owned(), binary: None }
    }
}

impl EnvoyOptions {
    fn binary(&self) -> Result<PathBuf> {
        self.binary.clone().map_or_else(artifacts::envoy, Ok)
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    options: EnvoyOptions,
    files: Files,
}

#[derive(Clone, Debug)]
struct Files {
    configuration: PathBuf,
    admin: PathBuf,
    log: PathBuf,
}

impl Envoy {
    /// Starts the program.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn start(place: &Place, bootstrap: &mut Bootstrap, options: EnvoyOptions) -> Result<Self> {
        let files = Files {
            configuration: place.file(&format!("{}.json", options.name)),
            admin: place.file(&format!("{}.admin", options.name)),
            log: place.file(&format!("{}.log", options.name)),
        };
        write(&files.configuration, bootstrap, &options)?;
        let process = spawn(&files, &options)?;
        let mut envoy = Self { process, options, files };
        envoy.wait()?;
        Ok(envoy)
    }

    /// Sets another configuration, for the next start.
    ///
    /// # Errors
    /// When the file can't be written.
    pub fn configure(&self, bootstrap: &mut Bootstrap) -> Result<()> {
        write(&self.files.configuration, bootstrap, &self.options)
    }

    /// Starts Envoy again, with the present content of its configuration file.
    ///
    /// # Errors
    /// When the program does not come up.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = spawn(&self.files, &self.options)?;
        self.wait()
    }

    /// Kills the program, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Fails, with the end of the log, when Envoy has ended.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Peak resident memory, in KiB.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn most_resident_kib(&self) -> Result<u64> {
        self.process.most_resident_kib()
    }

    /// The log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The administration interface.
    ///
    /// # Errors
    /// When it is not up yet.
    pub fn admin(&self) -> Result<Endpoint> {
        let address = fs::read_to_string(&self.files.admin).context("Envoy's administration interface is not up")?;
        let address: SocketAddr = address.trim().parse().context("the address of Envoy's administration interface")?;
        Ok(Endpoint::Tcp(address))
    }

    /// A statistic of Envoy, 0 while it is unknown.
    ///
    /// # Errors
    /// When Envoy does not answer.
    pub fn stat(&self, name: &str) -> Result<u64> {
        let text = self.admin()?.get("/stats")?.text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map_or(Ok(0), |value| value.parse().with_context(|| format!("{name}: {value}")))
    }

    fn wait(&mut self) -> Result<()> {
        let workers_wait = self.options.wait;
        until("the start of Envoy", Duration::from_secs(30), || {
            self.process.check()?;
            let reply = self.admin()?.get("/ready")?;
            ensure!(reply.status == 200 || !workers_wait, "/ready answers {}", reply.status);
            Ok(())
        })
    }

    /// Checks a configuration, as `envoy --mode validate` does.
    ///
    /// # Errors
    /// What Envoy finds wrong with it.
    pub fn validate(configuration: &Path, log: &Path) -> Result<()> {
        Self::validate_by(&artifacts::envoy()?, configuration, log)
    }

    /// The same by another binary.
    ///
    /// # Errors
    /// What that finds wrong with it.
    pub fn validate_by(binary: &Path, configuration: &Path, log: &Path) -> Result<()> {
        let mut process = Process::start(binary, log, |command| {
            command.args(["--mode", "validate", "--use-dynamic-base-id", "-c"]).arg(configuration);
        })?;
        let status = process.wait(Duration::from_secs(30))?;
        if !status.success() {
            bail!("Envoy refuses {}:\n{}", configuration.display(), process.log());
        }
        Ok(())
    }
}

fn write(path: &Path, bootstrap: &Bootstrap, options: &EnvoyOptions) -> Result<()> {
    let mut fit = bootstrap.clone().fit(&options.binary()?)?;
    Ok(fs::write(path, tokens::fill(&serde_json::to_string_pretty(fit.value())?))?)
}

fn spawn(files: &Files, options: &EnvoyOptions) -> Result<Process> {
    let _ = fs::remove_file(&files.admin);
    Process::start(&options.binary()?, &files.log, |command| {
        command.arg("-c").arg(&files.configuration).arg("--admin-address-path").arg(&files.admin);
        command.args(["--use-dynamic-base-id", "--concurrency", &options.concurrency.to_string()]);
        command.args(["--log-level", &options.log_level, "--drain-time-s", "2", "--parent-shutdown-time-s", "4"]);
    })
}
