//! `envoy-autocert sidecar`, as a user runs it.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::http::{Endpoint, Reply};
use crate::{Place, Process, Signal, artifacts, ports, until};

/// Options of a start of the sidecar.
#[derive(Clone, Debug, Default)]
pub struct SidecarOptions {
    /// `--cert-dir`.
    pub cert_dir: Option<PathBuf>,
    /// Further arguments.
    pub arguments: Vec<String>,
    /// Environment variables.
    pub environment: Vec<(String, String)>,
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    process: Process,
    options: SidecarOptions,
    files: Files,
}

/// The sidecar's files and sockets.
#[derive(Clone, Debug)]
struct Files {
    storage: PathBuf,
    api: PathBuf,
    sds: PathBuf,
    log: PathBuf,
    status: u16,
}

impl Sidecar {
    /// Starts the sidecar, with its storage in `acme.json` of the place.
    ///
    /// # Errors
    /// When the sidecar does not become ready.
    pub fn start(place: &Place, options: SidecarOptions) -> Result<Self> {
        let directory = place.file("run");
        if !directory.exists() {
            DirBuilder::new().mode(0o750).create(&directory)?;
        }
        let files = Files {
            storage: place.file("acme.json"),
            api: directory.join("api.sock"),
            sds: directory.join("sds.sock"),
            log: place.file("sidecar.log"),
            status: ports::free()?,
        };
        let process = spawn(&files, &options)?;
        let mut sidecar = Self { process, options, files };
        sidecar.wait()?;
        Ok(sidecar)
    }

    /// Starts the sidecar again, after a crash or an update, with the same storage.
    ///
    /// # Errors
    /// When the sidecar does not become ready.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill();
        self.process = spawn(&self.files, &self.options)?;
        self.wait()
    }

    /// Kills the sidecar, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends the sidecar by SIGTERM.
    ///
    /// # Errors
    /// When it fails or takes too long.
    pub fn stop(&mut self) -> Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "the sidecar ended with {status}");
        Ok(())
    }

    /// Sends a signal.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The log.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The API.
    pub fn api(&self) -> Endpoint {
        Endpoint::Api(self.files.api.clone())
    }

    /// Asks for `/healthz`, `/readyz` or `/metrics`.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn status(&self, path: &str) -> Result<Reply> {
        Endpoint::Tcp(([127, 0, 0, 1], self.files.status).into()).get(path)
    }

    /// The URL of such a path.
    pub fn status_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.files.status)
    }

    /// The stored state, as the API returns it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn state(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.api().get("/v1/state")?.body)?)
    }

    /// The path of the storage.
    pub fn storage(&self) -> &std::path::Path {
        &self.files.storage
    }

    /// Resident memory, in KiB.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn resident_kib(&self) -> Result<u64> {
        self.process.resident_kib()
    }

    /// Peak resident memory, in KiB.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn most_resident_kib(&self) -> Result<u64> {
        self.process.most_resident_kib()
    }

    fn wait(&mut self) -> Result<()> {
        until("the start of the sidecar", Duration::from_secs(15), || {
            self.process.check()?;
            let reply = self.status("/readyz")?;
            ensure!(reply.status == 200, "/readyz answers {}", reply.status);
            Ok(())
        })
    }
}

fn spawn(files: &Files, options: &SidecarOptions) -> Result<Process> {
    Process::start(&artifacts::sidecar()?, &files.log, |command| {
        command.arg("sidecar").arg("--storage").arg(&files.storage);
        command.arg("--api-socket").arg(&files.api).arg("--sds-socket").arg(&files.sds);
        command.arg("--status-address").arg(format!("127.0.0.1:{}", files.status));
        if let Some(directory) = &options.cert_dir {
            command.arg("--cert-dir").arg(directory);
        }
        command.args(&options.arguments);
        command.envs(options.environment.iter().map(|(name, value)| (name, value)));
    })
}
