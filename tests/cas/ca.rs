//! A running ACME server of any kind.

use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::http::Endpoint;
use harness::tls::Roots;
use harness::{Place, Process, until};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

/// Time limit of a server's start: interpreters and databases take long.
const START: Duration = Duration::from_secs(90);

/// Deletes all accounts of a stopped server, and their orders.
type Forget = Box<dyn Fn() -> Result<()>>;

/// An ACME server at `localhost`, with a certificate of the place's authority.
pub(crate) struct Ca {
    programs: Vec<Program>,
    running: Vec<Process>,
    api: Endpoint,
    path: String,
    port: u16,
    root: PathBuf,
    forget: Forget,
    /// Options of a resolver for this CA, besides `caServer`: their names below `acme`, and the values in YAML.
    pub(crate) options: Vec<(&'static str, String)>,
    /// Further flags of `run`.
    pub(crate) flags: Vec<&'static str>,
}

/// A program of the CA.
pub(crate) struct Program {
    program: PathBuf,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
    log: PathBuf,
    ready: Box<dyn Fn() -> bool>,
}

impl Program {
    pub(crate) fn new(program: PathBuf, log: PathBuf) -> Self {
        Self { program, arguments: Vec::new(), environment: Vec::new(), log, ready: Box::new(|| true) }
    }

    pub(crate) fn args(mut self, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// Sets the condition for starting the next program.
    pub(crate) fn ready(mut self, ready: impl Fn() -> bool + 'static) -> Self {
        self.ready = Box::new(ready);
        self
    }

    /// Sends the output to this file.
    pub(crate) fn logged(mut self, log: PathBuf) -> Self {
        self.log = log;
        self
    }

    fn start(&self) -> Result<Process> {
        Process::start(&self.program, &self.log, |command| {
            command.args(&self.arguments);
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        })
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self) -> Result<String> {
        let mut process = self.start()?;
        let status = process.wait(START)?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.program.display(), process.log());
        Ok(process.log())
    }
}

impl Ca {
    /// Starts the programs of a server. Its directory is at this path of this port, and its chains end at `root`, which
    /// the server may make at its start.
    pub(crate) fn start(
        place: &Place,
        (port, path): (u16, &str),
        programs: Vec<Program>,
        root: PathBuf,
        forget: impl Fn() -> Result<()> + 'static,
    ) -> Result<Self> {
        let api = Endpoint::Tls {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            name: "localhost".to_owned(),
            roots: Roots::from_pem(&fs::read_to_string(&place.authority.root)?)?,
        };
        let path = path.to_owned();
        let forget = Box::new(forget);
        let options = Vec::new();
        let flags = Vec::new();
        let mut ca = Self { programs, running: Vec::new(), api, path, port, root, forget, options, flags };
        ca.resume()?;
        Ok(ca)
    }

    /// The URL of the directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}{}", self.port, self.path)
    }

    /// Reads the CA's directory.
    pub(crate) fn read_directory(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.api.get(&self.path)?.body)?)
    }

    /// A client's trust in the CA's root.
    pub(crate) fn roots(&self) -> Result<Roots> {
        Roots::from_pem(&fs::read_to_string(&self.root).with_context(|| format!("{}", self.root.display()))?)
    }

    /// Stops the programs in order, the last one first: killing them would leave their workers.
    pub(crate) fn stop(&mut self) -> Result<()> {
        while let Some(mut process) = self.running.pop() {
            process.stop()?;
        }
        Ok(())
    }

    /// Starts the server again, with all its state.
    pub(crate) fn resume(&mut self) -> Result<()> {
        for program in &self.programs {
            let mut process = program.start()?;
            until(&format!("{} that is ready", program.program.display()), START, || {
                process.check()?;
                ensure!((program.ready)(), "not yet");
                Ok(())
            })?;
            self.running.push(process);
        }
        until("the directory of the CA", START, || {
            self.running.iter_mut().try_for_each(Process::check)?;
            let reply = self.api.get(&self.path)?;
            ensure!(reply.status == 200, "it answers {}", reply.status);
            Ok(())
        })
    }

    /// Deletes its accounts, while it is stopped.
    pub(crate) fn forget(&self) -> Result<()> {
        (self.forget)()
    }

    /// The files with the programs' output.
    pub(crate) fn logs(&self) -> impl Iterator<Item = &Path> {
        self.programs.iter().map(|program| program.log.as_path())
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the CA does not end: {error:#}");
        }
    }
}

/// A root with its key for a server to issue with, as PEM files.
pub(crate) struct Issuer {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Issuer {
    /// Makes a root as private CAs have it.
    pub(crate) fn new(place: &Place) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "envoy-autocert test root of an ACME server");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let files = Self { certificate: place.file("issuer.pem"), key: place.file("issuer.key") };
        fs::write(&files.certificate, issuer.pem())?;
        fs::write(&files.key, issuer.key().serialize_pem())?;
        Ok(files)
    }
}
