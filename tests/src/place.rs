//! A directory and ports of one's own.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::{Authority, ports, tokens};

/// The files, ports and private CA of one set of programs.
#[derive(Debug)]
pub struct Place {
    directory: Option<TempDir>,
    path: PathBuf,
    /// The port of the listener `web`, which Pebble validates at.
    pub web: u16,
    /// The port of the listener `websecure`.
    pub websecure: u16,
    /// The CA of Pebble's API.
    pub authority: Authority,
}

impl Place {
    /// A new place, named for its test.
    ///
    /// # Errors
    /// When no directory can be made or no port is free.
    pub fn new(name: &str) -> Result<Self> {
        // The path of a unix socket has 107 characters at most, so the directory is in the system's own temporary
        // directory.
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

    /// A file in the directory.
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

    /// A copy of a program or another file in this directory: only root may be able to enter the build directory.
    ///
    /// # Errors
    /// When it is not there, or can't be copied.
    pub fn shared(&self, path: &Path) -> Result<PathBuf> {
        let at = self.file(&path.file_name().context("a file has a name")?.to_string_lossy());
        let path = path.canonicalize()?;
        fs::hard_link(&path, &at).or_else(|_| fs::copy(&path, &at).map(drop))?;
        Ok(at)
    }

    /// Leaves the directory behind when dropped.
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
