//! Reads the certificates of files that a sidecar uses: without locks, and without changing anything.
//!
//! Files are replaced atomically, so a reader sees a whole one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::disk::{self, Stamp};
use super::document::Records;
use super::open_error::OpenError;
use super::storages::Storages;
use crate::record::Certificate;

/// The certificates as last read.
pub struct Reader {
    storages: Storages,
    /// The files' stamps at that time; `None` for a missing file.
    stamps: Vec<Option<Stamp>>,
    certificates: Vec<Certificate>,
}

impl Reader {
    /// Returns a reader that has read nothing yet.
    pub fn new(storages: Storages) -> Self {
        Self { storages, stamps: Vec::new(), certificates: Vec::new() }
    }

    /// Reads the files if they have changed. Certificates that can't be read are logged. Blocks.
    ///
    /// # Errors
    /// When a file can't be read, or there is none at all.
    pub fn read(&mut self) -> Result<&[Certificate], OpenError> {
        let files = self.storages.files();
        let stamps = files.iter().map(|(path, _)| disk::stamp(path)).collect();
        if self.stamps != stamps {
            self.certificates = certificates(&files)?;
            self.stamps = stamps;
        }
        Ok(&self.certificates)
    }

    /// The directories in which a change of the files can be seen.
    pub fn directories(&self) -> Vec<PathBuf> {
        let parent = |path: PathBuf| {
            let path = fs::canonicalize(&path).unwrap_or(path);
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            parent.to_owned()
        };
        self.storages.files().into_iter().map(|(path, _)| parent(path)).collect()
    }
}

/// The certificates, each once. Of a resolver's certificates those in its own file come first.
fn certificates(files: &[(PathBuf, Vec<String>)]) -> Result<Vec<Certificate>, OpenError> {
    let mut books = Vec::new();
    for (place, (path, resolvers)) in files.iter().enumerate() {
        if let Some(records) = records(path).map_err(|error| error.of(resolvers))? {
            books.push((place, resolvers, records));
        }
    }
    if let ([], Some((path, _))) = (books.as_slice(), files.first()) {
        let error = io::ErrorKind::NotFound.into();
        return Err(OpenError::Io { path: path.clone(), doing: "read", error });
    }
    let mut found = HashMap::new();
    for (place, resolvers, records) in &books {
        for certificate in records.certificates() {
            let resolver = &certificate.facts.resolver;
            let has_own = || files.iter().any(|(_, resolvers)| resolvers.contains(resolver));
            let belongs_here = resolvers.contains(resolver) || (*place == 0 && !has_own());
            let entry = found.entry(certificate.facts.id());
            if belongs_here {
                entry.insert_entry(certificate.clone());
            } else {
                entry.or_insert_with(|| certificate.clone());
            }
        }
    }
    Ok(found.into_values().collect())
}

/// The content of a file; `None` when there is no file.
fn records(path: &Path) -> Result<Option<Records>, OpenError> {
    let found = disk::read(path)?;
    if found.text.is_none() {
        return Ok(None);
    }
    found.records().map(Some)
}
