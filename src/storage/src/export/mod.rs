//! Certificates as PEM files, for programs that take them from a directory.
//!
//! Promises: certificate and key of a pair never appear mixed; an unchanged pair is not written again; a file that
//! isn't ours is never touched; no name of a certificate leads out of the directory. An export may run while a sidecar
//! uses the storage, and writes nothing there.
//!
//! | file | what it does |
//! |---|---|
//! | `selection.rs` | selects certificates, and names their directories |
//! | `folder.rs` | one certificate's directory |
//! | `report.rs` | the result |

mod folder;
mod report;
mod selection;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use report::{Exported, Report};
pub use selection::Selection;

use crate::{Certificate, OpenError, Reader, Storages};
use base::files::{Directory, FileError, Owners};

/// Only the owner may enter.
const DIRECTORY_MODE: u32 = 0o700;
/// The lock file, which allows one export into a directory at a time.
const LOCK: &str = ".envoy-autocert.lock";
/// Time limit of the wait for another export. Thousands of certificates are written in less.
const PATIENCE: Duration = Duration::from_secs(60);

/// An export of certificates from storages into a directory.
pub struct Export {
    reader: Reader,
    selection: Selection,
    root: PathBuf,
}

impl Export {
    /// Returns an export that has not run yet.
    pub fn new(storages: Storages, selection: Selection, root: PathBuf) -> Self {
        Self { reader: Reader::new(storages), selection, root }
    }

    /// The directories to watch for changes of the storages.
    pub fn watched(&self) -> Vec<PathBuf> {
        self.reader.directories()
    }

    /// Writes the stored certificates. Blocks.
    ///
    /// # Errors
    /// When nothing can be read, or nothing can be written. What can't be done for one certificate only is in the
    /// report.
    pub fn run(&mut self) -> Result<Report, ExportError> {
        let stored = self.reader.read().map_err(ExportError::Storage)?;
        let root = Directory::make(&self.root, DIRECTORY_MODE, Owners::Anybody).map_err(ExportError::Directory)?;
        // Held until this export ends.
        let _turn = root.wait_for_lock(OsStr::new(LOCK), PATIENCE).map_err(ExportError::Directory)?;
        let selected: Vec<&Certificate> = stored.iter().filter(|certificate| self.selection.has(certificate)).collect();
        let mut report = Report::default();
        for domain in self.selection.unmet(&selected) {
            report.problems.push(format!("there is no certificate for {}", domain.as_str()));
        }
        let mut known = BTreeSet::new();
        for (name, certificate) in selection::directories(&selected) {
            match name {
                Ok(name) => {
                    put(&self.root, &root, &name, certificate, &mut report);
                    known.insert(name);
                }
                Err(main) => report.problems.push(format!(
                    "a certificate of the resolver {} has the main name {main:?}, which can't be a directory's; it is \
                     not exported",
                    certificate.facts.resolver
                )),
            }
        }
        // All certificates: one that is not selected has not been removed.
        let all: Vec<&Certificate> = stored.iter().collect();
        known.extend(selection::directories(&all).into_iter().filter_map(|(name, _)| name.ok()));
        report.left = left(&self.root, &root, &known);
        Ok(report)
    }
}

fn put(path: &Path, root: &Directory, name: &str, certificate: &Certificate, report: &mut Report) {
    let exported = Exported::new(path.join(name), certificate);
    match folder::put(root, name, &certificate.pair) {
        Ok(true) => report.written.push(exported),
        Ok(false) => report.unchanged.push(exported),
        Err(error) => report.problems.push(error.to_string()),
    }
}

/// Directories of ours whose certificates are no longer stored, sorted.
fn left(path: &Path, root: &Directory, known: &BTreeSet<String>) -> Vec<PathBuf> {
    let mut names = root.names().unwrap_or_default();
    names.retain(|name| {
        let text = name.to_string_lossy();
        !text.starts_with('.') && !known.contains(&*text) && folder::is_ours(root, name)
    });
    names.into_iter().map(|name| path.join(name)).collect()
}

/// Reason why nothing was exported.
#[derive(Debug)]
pub enum ExportError {
    /// The directory can't be used.
    Directory(FileError),
    /// A storage can't be read.
    Storage(OpenError),
}

impl ExportError {
    /// True if there is no storage yet.
    pub fn is_missing_storage(&self) -> bool {
        matches!(self, Self::Storage(OpenError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl std::fmt::Display for ExportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(error) => write!(f, "directory {error}"),
            Self::Storage(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ExportError {}

#[cfg(test)]
mod tests;
