//! Bootstraps with paths as on a user's machine, moved into a directory of the test's.
//!
//! Each path below one of [`ROOTS`] is moved into the directory, which has a certificate or a key there, or the file
//! from the bootstrap's companion directory. The plugin is a stub: Envoy needs a second and more to compile ours.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use harness::artifacts;

/// The directories of users' certificates, sockets and further configuration.
const ROOTS: [&str; 5] = ["/certs/", "/etc/", "/root/.acme.sh/", "/run/", "/srv/certs/"];

/// A module with the ABI's version, a memory and an allocator, and nothing else.
const STAND_IN: &[u8] = b"\0asm\x01\0\0\0\
    \x01\x09\x02\x60\0\0\x60\x01\x7f\x01\x7f\
    \x03\x03\x02\0\x01\
    \x05\x03\x01\0\x01\
    \x07\x3f\x03\x06memory\x02\0\x17proxy_abi_version_0_2_1\0\0\x18proxy_on_memory_allocate\0\x01\
    \x0a\x09\x02\x02\0\x0b\x04\0\x41\0\x0b";

/// Environment variables that a platform gives Envoy.
const ENVIRONMENT: [&str; 2] = ["SITE_CERTIFICATE", "SITE_KEY"];

/// Certificates for the bootstraps' paths, in PEM with their keys.
pub(super) struct Pairs {
    /// Of a P-256 key.
    pub(super) ecdsa: Pair,
    /// Of an RSA key.
    pub(super) rsa: Pair,
}

/// A certificate and its key, in PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// A directory that is the root of one bootstrap's paths.
pub(super) struct Rooted<'p> {
    directory: PathBuf,
    /// The bootstrap's companion directory.
    beside: PathBuf,
    pairs: &'p Pairs,
}

impl<'p> Rooted<'p> {
    /// A directory for the bootstrap of this name.
    pub(super) fn new(above: &Path, bootstrap: &Path, pairs: &'p Pairs) -> Result<Self> {
        let beside = bootstrap.with_extension("");
        let directory = above.join(beside.file_name().context("a bootstrap has a name")?);
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, beside, pairs })
    }

    /// A file in the directory.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The stub of the plugin.
    pub(super) fn plugin(&self) -> Result<PathBuf> {
        let path = self.file("envoy_autocert.wasm");
        fs::write(&path, STAND_IN)?;
        Ok(path)
    }

    /// The text with its paths moved into the directory, where their files are made.
    pub(super) fn text(&self, text: &str) -> Result<String> {
        let mut moved = String::new();
        let mut rest = text;
        while let Some((at, path)) = first_path(rest) {
            let (before, behind) = rest.split_at(at);
            let own = format!("{}{path}", self.directory.display());
            self.provide(path, Path::new(&own))?;
            moved.push_str(before);
            moved.push_str(&own);
            rest = behind.get(path.len()..).unwrap_or_default();
        }
        Ok(moved + rest)
    }

    /// The output of `envoy --mode validate` on a text, its paths led into the directory.
    pub(super) fn validate(&self, name: &str, text: &str) -> Result<Output> {
        let path = self.file(name);
        fs::write(&path, self.text(text)?)?;
        let mut command = Command::new(artifacts::envoy()?);
        command.args(["--mode", "validate", "--use-dynamic-base-id", "--log-level", "error", "-c"]).arg(path);
        self.in_environment(&mut command).output().context("envoy --mode validate")
    }

    /// The output of `check` on a text, its paths led into the directory.
    pub(super) fn check(&self, name: &str, text: &str) -> Result<Output> {
        let path = self.file(name);
        fs::write(&path, self.text(text)?)?;
        let mut command = Command::new(artifacts::sidecar()?);
        command.arg("check").arg("--envoy").arg(artifacts::envoy()?);
        command.args(ENVIRONMENT.iter().flat_map(|name| ["--envoy-env", name])).arg(path);
        self.in_environment(&mut command).output().context("envoy-autocert check")
    }

    fn in_environment<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        let Pair { certificate, key } = &self.pairs.ecdsa;
        command.envs(ENVIRONMENT.iter().zip([certificate, key]))
    }

    fn provide(&self, path: &str, own: &Path) -> Result<()> {
        if own.exists() || path.ends_with(".sock") {
            return Ok(());
        }
        fs::create_dir_all(own.parent().context("a file is in a directory")?)?;
        let beside = self.beside.join(path.trim_start_matches('/'));
        let content = match fs::read_to_string(&beside) {
            Ok(text) => self.text(&text)?,
            // A watched directory.
            Err(_) if beside.is_dir() => return Ok(fs::create_dir_all(own)?),
            Err(_) => {
                let pair = if path.contains("/rsa.") { &self.pairs.rsa } else { &self.pairs.ecdsa };
                let name = own.file_name().unwrap_or_default().to_string_lossy();
                (if name.contains("key") { &pair.key } else { &pair.certificate }).clone()
            }
        };
        Ok(fs::write(own, content)?)
    }
}

/// The first path of a text, with its position.
fn first_path(text: &str) -> Option<(usize, &str)> {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "._/@-".contains(c);
    let begins = |&at: &usize| !text.get(..at).is_some_and(|before| before.ends_with(is_of_path));
    let at = ROOTS.iter().flat_map(|root| text.match_indices(root).map(|(at, _)| at).find(begins)).min()?;
    let path = text.get(at..)?;
    Some((at, path.get(..path.find(|c| !is_of_path(c)).unwrap_or(path.len()))?))
}
