//! A directory and ports of one's own.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Authority, ports, tokens};

/// Where one set of programs runs: its files, its ports, and the CA that vouches for Pebble's API.
#[derive(Debug)]
pub struct Place {
    directory: Option<TempDir>,
    path: PathBuf,
    /// The port of the listener `web`, which Pebble validates at.
    pub web: u16,
    /// The port of the listener `websecure`.
    pub websecure: u16,
    /// Signs the certificate of Pebble's API.
    pub authority: Authority,
}

impl Place {
    /// A new one, named for the test it is of.
    ///
    /// # Errors
    /// When no directory can be made or no port is free.
    pub fn new(name: &str) -> Result<Self> {
        // A unix socket's path has 107 characters at most, so the directory stands in the system's own place for them.
        let directory = tempfile::Builder::new().prefix(&format!("autocert-{name}-")).tempdir()?;
        let path = directory.path().to_owned();
        tokens::write(&path)?;
        let authority = Authority::new(&path).context("the certificate of the test CA's API")?;
        Ok(Self { directory: Some(directory), path, web: ports::free()?, websecure: ports::free()?, authority })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The address of the listener `web`.
    pub fn web_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.web).into()
    }

    /// The address of the listener `websecure`.
    pub fn websecure_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.websecure).into()
    }

    /// Lets other users pass through the directory, and read the certificate of the CA's API.
    ///
    /// # Errors
    /// When the modes can't be changed.
    pub fn admit_others(&self) -> Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o711))?;
        Ok(fs::set_permissions(&self.authority.root, Permissions::from_mode(0o644))?)
    }

    /// A program or another file in this directory: where it was built may be a place that root alone may look into.
    ///
    /// # Errors
    /// When it is not there, or can't be copied.
    pub fn shared(&self, path: &Path) -> Result<PathBuf> {
        let at = self.file(&path.file_name().context("a file has a name")?.to_string_lossy());
        let path = path.canonicalize()?;
        fs::hard_link(&path, &at).or_else(|_| fs::copy(&path, &at).map(drop))?;
        Ok(at)
    }

    /// Leaves the directory where it is.
    pub fn keep(&mut self) {
        if let Some(directory) = self.directory.take() {
            let _ = directory.keep();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.keep();
            eprintln!("--- configuration and logs are kept in {}", self.path.display());
        }
    }
}
