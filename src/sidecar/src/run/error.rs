//! The errors of `run`, at its start and at a change of the configuration.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::ports::{Refusal, refusal};
use base::files::FileError;

/// The separator between several lines, each of which begins as the first one does.
const NEXT_LINE: &str = "\nenvoy-autocert: ";

/// Reasons why `run` does not start, or does not take a changed configuration.
#[derive(Debug)]
pub enum RunError {
    /// A bug of ours.
    Bug(&'static str),
    /// The configuration's mistakes, a line each.
    Configuration(Vec<String>),
    /// The directory for sockets and Envoy's files can't be used.
    Directory(FileError),
    /// A file or directory can't be used.
    File {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Another `run` uses this directory.
    InUse(PathBuf),
    /// Envoy refused the configuration; in its words.
    Invalid(String),
    /// Envoy is missing, or not on PATH.
    NoEnvoy(Option<PathBuf>),
    /// Envoy can't run any plugin.
    NoWasm {
        /// Envoy's path.
        path: PathBuf,
        /// Envoy's output.
        words: String,
    },
    /// The plugin is at none of these paths.
    NoPlugin(Vec<PathBuf>),
    /// Envoy did not read a file in time.
    NotTaken(PathBuf),
    /// Envoy came up, but not with the configuration it was given.
    NotUp(String),
    /// Envoy can't listen on these ports.
    Ports(Vec<Refusal>),
    /// Envoy refused a file.
    Refused(PathBuf),
    /// The capability to listen on ports can't be put into effect or out of it.
    Rights(io::Error),
    /// The sidecar does not start, or could not save everything.
    Sidecar(String),
    /// Signals can't be caught.
    Signals(io::Error),
    /// Envoy can't be started.
    Start {
        /// Envoy's path.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// The sidecar's status address is one of Envoy's.
    StatusAddress {
        /// The address.
        address: SocketAddr,
        /// The entry point with the same address.
        entry_point: String,
    },
    /// Envoy is too old.
    TooOld {
        /// Envoy's path.
        path: PathBuf,
        /// Its version, and the versions supported.
        why: String,
    },
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bug(what) => write!(f, "{what}: please report this"),
            Self::Configuration(lines) => f.write_str(&lines.join(NEXT_LINE)),
            Self::Directory(error) => write!(f, "runtime directory {error}"),
            Self::File { path, error } => write!(f, "{}: {error}", path.display()),
            Self::InUse(path) => write!(
                f,
                "{}: another envoy-autocert runs here; end it, or name another directory by --runtime-dir",
                path.display()
            ),
            Self::Invalid(words) => write!(f, "Envoy does not take the configuration; it says:\n{words}"),
            Self::NoEnvoy(Some(path)) => write!(f, "--envoy {}: there is no such file", path.display()),
            Self::NoEnvoy(None) => f.write_str("there is no `envoy` on PATH: install it, or name it by --envoy"),
            Self::NoPlugin(places) => {
                let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
                write!(f, "the plugin is not at {}: name it by --plugin", places.join(", nor at "))
            }
            Self::NoWasm { path, words } => write!(
                f,
                "{}: this Envoy has no WebAssembly runtime, which the plugin needs: expected one that is built with V8, as \
                 Envoy's own releases are; it says:\n{words}",
                path.display()
            ),
            Self::NotTaken(path) => write!(f, "{}: Envoy has not taken it; its log says more", path.display()),
            Self::NotUp(why) => write!(f, "Envoy did not come up: {why}; its log above says more"),
            Self::Ports(refused) => f.write_str(&refusal::lines(refused).join(NEXT_LINE)),
            Self::Refused(path) => write!(f, "{}: Envoy has refused it; its log above says why", path.display()),
            Self::Rights(error) => write!(f, "the right to listen on ports can't be used: {error}"),
            Self::Sidecar(why) => f.write_str(why),
            Self::Signals(error) => write!(f, "signals can't be caught: {error}"),
            Self::Start { path, error } => write!(f, "{}: it can't be started: {error}", path.display()),
            Self::StatusAddress { address, entry_point } => write!(
                f,
                "--status-address {address}: the entry point {} listens there: name another address",
                acme::one_line(entry_point)
            ),
            Self::TooOld { path, why } => write!(f, "{}: {why}", path.display()),
        }
    }
}

impl RunError {
    /// A log line for each fault.
    pub(super) fn lines(&self) -> Vec<String> {
        match self {
            Self::Configuration(lines) => lines.clone(),
            Self::Ports(refused) => refusal::lines(refused),
            other => other.to_string().lines().map(str::to_owned).collect(),
        }
    }
}

impl std::error::Error for RunError {}
