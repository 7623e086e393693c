//! A running ACME server, whichever it is.

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

/// How long a server may take to start: interpreters and databases among them.
const START: Duration = Duration::from_secs(90);

/// Loses all accounts, and orders with them, of a server that does not run.
type Forget = Box<dyn Fn() -> Result<()>>;

/// An ACME server at `localhost`, with an API that the place's authority vouches for.
pub(crate) struct Ca {
    programs: Vec<Program>,
    running: Vec<Process>,
    api: Endpoint,
    path: String,
    port: u16,
    root: PathBuf,
    forget: Forget,
    /// Options of a resolver that is to use it, beside `caServer`: their names below `acme`, and the values in YAML.
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

    /// The next one is started when this says so.
    pub(crate) fn ready(mut self, ready: impl Fn() -> bool + 'static) -> Self {
        self.ready = Box::new(ready);
        self
    }

    /// With its output in this file.
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

    /// Runs it to its end.
    pub(crate) fn run(&self) -> Result<String> {
        let mut process = self.start()?;
        let status = process.wait(START)?;
        ensure!(status.success(), "{} ended with {status}:\n{}", self.program.display(), process.log());
        Ok(process.log())
    }
}

impl Ca {
    /// Starts the programs of a server that has its directory at this path of this port, and whose certificates end at
    /// `root`, which may be made at its start.
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
        let (path, forget) = (path.to_owned(), Box::new(forget));
        let (options, flags) = (Vec::new(), Vec::new());
        let mut ca = Self { programs, running: Vec::new(), api, path, port, root, forget, options, flags };
        ca.resume()?;
        Ok(ca)
    }

    /// The URL of its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}{}", self.port, self.path)
    }

    /// Reads the CA's directory.
    pub(crate) fn read_directory(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_slice(&self.api.get(&self.path)?.body)?)
    }

    /// A client's trust in it.
    pub(crate) fn roots(&self) -> Result<Roots> {
        Roots::from_pem(&fs::read_to_string(&self.root).with_context(|| format!("{}", self.root.display()))?)
    }

    /// Ends its programs in good order, the last one first: whoever kills them would leave their workers.
    pub(crate) fn stop(&mut self) -> Result<()> {
        while let Some(mut process) = self.running.pop() {
            process.stop()?;
        }
        Ok(())
    }

    /// Starts it again, with all that it had.
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

    /// Takes its accounts from it, while it does not run.
    pub(crate) fn forget(&self) -> Result<()> {
        (self.forget)()
    }

    /// The files with what its programs have written.
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

/// A root that servers issue with, as files in PEM.
pub(crate) struct Issuer {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Issuer {
    /// Makes one, of the kind that a private CA has.
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
