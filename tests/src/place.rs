//! A directory and ports of one's own.

use std::net::{Ipv4Addr, SocketAddr};
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
