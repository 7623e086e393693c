//! The user's own certificates: directories of PEM files, and a default certificate in a file.
//!
//! Promises: a change is picked up within seconds; a bad update (half-written, mismatched, expired, unreadable) never
//! evicts the previous good certificate; every file that is not served is named in the log with the reason, once.
//! Refuses: to write anything into these directories.

mod file;
mod layout;
mod watch;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::RecursiveMode;

pub use file::{FileError, Files};

use base::clock::Clock;
use file::Stamp;
use layout::Layout;
use pki::Pair;
use sds::catalog::{Catalog, DefaultCertificate};

/// The places of the user's certificates.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Directories of pairs, each with its sub-directories, one level deep.
    pub directories: Vec<PathBuf>,
    /// Single pairs.
    pub pairs: Vec<Files>,
    /// The default certificate, if it is the user's.
    pub default: Option<Files>,
}

/// The user's certificates as last read.
pub struct Provided {
    sources: Sources,
    clock: Clock,
    /// The pairs served, by their files.
    held: BTreeMap<Files, Arc<Pair>>,
    /// The stamps of each pair's files when they were last looked at, so that unchanged files are not parsed again.
    stamps: HashMap<Files, Stamp>,
    /// The faults by file, as last logged.
    problems: BTreeMap<PathBuf, String>,
}

impl Provided {
    /// Creates a reader that has read nothing yet.
    pub fn new(sources: Sources, clock: Clock) -> Self {
        Self { sources, clock, held: BTreeMap::new(), stamps: HashMap::new(), problems: BTreeMap::new() }
    }

    /// Reads every changed file and publishes it to the catalog. Blocks on the file system.
    pub fn read(&mut self, catalog: &Catalog) {
        let mut problems = BTreeMap::new();
        let mut layout = Layout::of(&self.sources.directories, &mut problems);
        layout.pairs.extend(self.sources.pairs.iter().cloned());
        for files in &layout.pairs {
            self.read_pair(files, &mut problems);
        }
        self.held.retain(|files, _| layout.pairs.contains(files) || layout.keeps(files));
        self.stamps.retain(|files, _| layout.pairs.contains(files) || self.sources.default.as_ref() == Some(files));
        catalog.replace_provided(self.held.values().cloned().collect());
        self.read_default(catalog, &mut problems);
        self.report(problems);
    }

    fn read_pair(&mut self, files: &Files, problems: &mut BTreeMap<PathBuf, String>) {
        let stamp = files.stamp();
        if stamp.is_some() && stamp.as_ref() == self.stamps.get(files) {
            self.repeat_problem(files, problems);
            return;
        }
        match files.load_valid_at(self.clock.now_seconds()) {
            Ok(pair) => self.hold(files, pair),
            Err(error) => {
                problems.insert(files.certificate.clone(), self.explain(files, &error));
            }
        }
        // A file that changes during the reading gets another stamp, so the next reading looks at it again.
        match stamp {
            Some(stamp) => self.stamps.insert(files.clone(), stamp),
            None => self.stamps.remove(files),
        };
    }

    fn hold(&mut self, files: &Files, pair: Pair) {
        if self.held.get(files).is_none_or(|held| held.version != pair.version) {
            tracing::info!(file = %files.certificate.display(), names = pair.names.join(" "), "certificate read");
            self.held.insert(files.clone(), Arc::new(pair));
        }
    }

    fn explain(&self, files: &Files, error: &FileError) -> String {
        let before = if self.held.contains_key(files) { "; the previous certificate stays in use" } else { "" };
        format!("{error}{before}")
    }

    fn repeat_problem(&self, files: &Files, problems: &mut BTreeMap<PathBuf, String>) {
        if let Some(problem) = self.problems.get(&files.certificate) {
            problems.insert(files.certificate.clone(), problem.clone());
        }
    }

    /// Reads the default certificate. It stays as it was when its files turn bad.
    fn read_default(&mut self, catalog: &Catalog, problems: &mut BTreeMap<PathBuf, String>) {
        let Some(files) = self.sources.default.clone() else { return };
        let stamp = files.stamp();
        if stamp.is_some() && stamp.as_ref() == self.stamps.get(&files) {
            self.repeat_problem(&files, problems);
            return;
        }
        match files.load() {
            Ok(pair) => catalog.replace_default(DefaultCertificate::Pair(Arc::new(pair))),
            Err(error) => {
                problems.insert(files.certificate.clone(), format!("{error}; the default certificate stays as it was"));
            }
        }
        if let Some(stamp) = stamp {
            self.stamps.insert(files, stamp);
        }
    }

    /// Logs new faults, and those that are mended.
    fn report(&mut self, problems: BTreeMap<PathBuf, String>) {
        for (path, problem) in &problems {
            if self.problems.get(path) != Some(problem) {
                tracing::warn!(file = %path.display(), "certificate not used: {problem}");
            }
        }
        for path in self.problems.keys().filter(|path| !problems.contains_key(*path)) {
            tracing::info!(file = %path.display(), "the certificate file's fault is mended");
        }
        self.problems = problems;
    }

    /// All directories to watch. A single pair's directory may be full of other files.
    fn watched(&self) -> Vec<(&Path, RecursiveMode)> {
        let directories = self.sources.directories.iter().map(|path| (path.as_path(), RecursiveMode::Recursive));
        let single = self.sources.pairs.iter().chain(&self.sources.default);
        let single = single.flat_map(|files| [&files.certificate, &files.key]);
        let parents = single.filter_map(|file| file.parent()).map(|parent| {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            (parent, RecursiveMode::NonRecursive)
        });
        directories.chain(parents).collect()
    }
}

#[cfg(test)]
mod tests;
