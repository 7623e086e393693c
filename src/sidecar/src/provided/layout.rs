//! Finds the pairs in a directory, by the file names that common tools use.
//!
//! | certificate | key | written by |
//! |---|---|---|
//! | `fullchain.pem` | `privkey.pem` | certbot, in `live/NAME/` |
//! | `NAME.crt`, `NAME.cer` or `NAME.pem` | `NAME.key` | lego, openssl, Kubernetes (`tls.crt`, `tls.key`) |
//! | `NAME.pem` | `NAME-key.pem` | mkcert, cfssl |
//! | `NAME.pem` | the same file | HAProxy |

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::Files;
use super::file::MAX_FILE_BYTES;
use base::files::{FileError, users};

/// The most files looked at. More is a wrong directory, such as `/`.
const MAX_FILES: usize = 100_000;

/// Chains without a key, which certbot writes beside `fullchain.pem`, and lego beside `NAME.crt`.
const PARTS: [&str; 2] = ["cert.pem", "chain.pem"];
const ISSUER: &str = ".issuer.crt";

/// The pairs found in some directories.
pub(super) struct Layout {
    pub(super) pairs: BTreeSet<Files>,
    /// All files found.
    files: BTreeSet<PathBuf>,
    /// Directories that couldn't be listed: their files are unknown.
    unknown: Vec<PathBuf>,
}

impl Layout {
    /// Lists the directories and their sub-directories, and notes in `problems` which files can't be used.
    pub(super) fn of(directories: &[PathBuf], problems: &mut BTreeMap<PathBuf, String>) -> Self {
        let mut layout = Self { pairs: BTreeSet::new(), files: BTreeSet::new(), unknown: Vec::new() };
        for directory in directories {
            for sub_directory in layout.list(directory, problems) {
                layout.list(&sub_directory, problems);
            }
        }
        let certificates: Vec<PathBuf> = layout.files.iter().filter(|file| is_certificate(file)).cloned().collect();
        for certificate in certificates {
            match layout.key_of(&certificate) {
                Some(key) => drop(layout.pairs.insert(Files { certificate, key })),
                None if layout.is_part(&certificate) => {}
                None => drop(problems.insert(certificate.clone(), missing_key(&certificate))),
            }
        }
        layout
    }

    /// True if a pair that is no longer complete is to be kept: while either file exists, the pair may be being
    /// replaced.
    pub(super) fn keeps(&self, files: &Files) -> bool {
        let hidden = self.unknown.iter().any(|directory| files.certificate.starts_with(directory));
        hidden || self.files.contains(&files.certificate) || self.files.contains(&files.key)
    }

    /// Adds a directory's files; returns its sub-directories.
    fn list(&mut self, directory: &Path, problems: &mut BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => {
                problems.insert(directory.to_owned(), format!("the directory can't be read: {error}"));
                self.unknown.push(directory.to_owned());
                return Vec::new();
            }
        };
        let mut sub_directories = Vec::new();
        for path in entries.flatten().map(|entry| entry.path()) {
            // Hidden files are editors' and Kubernetes' own.
            if file_name(&path).starts_with('.') {
                continue;
            }
            if self.files.len() >= MAX_FILES {
                problems
                    .insert(directory.to_owned(), format!("more than {MAX_FILES} files; the rest is not looked at"));
                break;
            }
            // Symbolic links are followed, as certbot's files are links.
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => sub_directories.push(path),
                Ok(metadata) if metadata.is_file() => drop(self.files.insert(path)),
                Ok(_) | Err(_) => {}
            }
        }
        sub_directories
    }

    fn key_of(&self, certificate: &Path) -> Option<PathBuf> {
        let stem = certificate.file_stem()?.to_string_lossy().into_owned();
        let mut names = vec![format!("{stem}.key"), format!("{stem}-key.pem")];
        if stem == "fullchain" {
            names.insert(0, "privkey.pem".to_owned());
        }
        let beside = names.into_iter().map(|name| certificate.with_file_name(name));
        beside
            .into_iter()
            .find(|key| self.files.contains(key))
            .or_else(|| holds_key(certificate).then(|| certificate.to_owned()))
    }

    fn is_part(&self, certificate: &Path) -> bool {
        let name = file_name(certificate);
        let certbot = PARTS.contains(&&*name) && self.files.contains(&certificate.with_file_name("fullchain.pem"));
        certbot || name.ends_with(ISSUER)
    }
}

fn missing_key(certificate: &Path) -> String {
    let stem = certificate.file_stem().unwrap_or_default().to_string_lossy();
    format!("there is no key for it; expected {stem}.key or {stem}-key.pem beside it, or the key in the same file")
}

fn is_certificate(file: &Path) -> bool {
    let name = file_name(file);
    let is_key = name == "privkey.pem" || name.ends_with("-key.pem");
    let extension = file.extension().unwrap_or_default();
    !is_key && ["crt", "cer", "pem"].iter().any(|known| extension == *known)
}

/// True if the file holds a key's PEM block too.
fn holds_key(file: &Path) -> bool {
    // The file may have been replaced meanwhile, even by a FIFO that nothing writes to.
    match users::read(file, MAX_FILE_BYTES) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).contains("PRIVATE KEY-----"),
        // Reading the pair reports the same error.
        Err(FileError::TooLarge { .. }) => true,
        Err(_) => false,
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// L7: a file may be replaced after it was listed.
    #[test]
    fn a_fifo_that_took_the_place_of_a_file_holds_up_nobody() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("x.pem");
        mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        assert!(!holds_key(&fifo));
    }
}
