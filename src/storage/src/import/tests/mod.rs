//! Whole imports, each run twice.

#![allow(clippy::unwrap_used)]

mod from_tools;
mod junk;
mod outcomes;
mod places;
mod shapes;
mod sources;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base::clock::Clock;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::*;

const NOW: i64 = 1_800_000_000;

/// The clock that shows [`NOW`].
fn clock() -> Clock {
    Clock::showing(std::sync::Arc::new((NOW * 1000).into()))
}
const DAY: i64 = 24 * 60 * 60;

/// A certificate with its key, in PEM.
struct Pem {
    chain: String,
    key: String,
}

/// A certificate valid for this many days from [`NOW`] on; expired if negative.
fn pem(names: &[&str], days: i64) -> Pem {
    let key = KeyPair::generate().unwrap();
    Pem { chain: params(names, days).self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

fn params(names: &[&str], days: i64) -> CertificateParams {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_before = OffsetDateTime::from_unix_timestamp(NOW - 90 * DAY).unwrap();
    params.not_after = OffsetDateTime::from_unix_timestamp(NOW + days * DAY).unwrap();
    params
}

/// A source and a storage.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn source(&self) -> PathBuf {
        self.0.path().join("source")
    }

    fn storage(&self) -> PathBuf {
        self.0.path().join("acme.json")
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.source().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Makes the source a file.
    fn write_source(&self, content: impl AsRef<[u8]>) {
        fs::write(self.source(), content).unwrap();
        fs::set_permissions(self.source(), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn write_pair(&self, path: &str, extensions: [&str; 2], pem: &Pem) {
        self.write(&format!("{path}{}", extensions[0]), &pem.chain);
        self.write(&format!("{path}{}", extensions[1]), &pem.key);
    }

    fn options(&self, resolver: Option<&str>) -> Options {
        Options {
            path: self.source(),
            key: None,
            kind: None,
            resolver: resolver.map(|resolver| resolver.parse().unwrap()),
            storages: Storages::from(self.storage().as_path()),
            takes_tests: false,
            dry_run: false,
        }
    }

    /// Imports, and again: the second time must find everything in place.
    fn import(&self, resolver: Option<&str>) -> Report {
        self.import_with(&self.options(resolver))
    }

    /// The same with a source at another path.
    fn import_from(&self, path: &Path) -> Report {
        self.import_with(&Options { path: path.to_owned(), ..self.options(Some("le")) })
    }

    fn import_with(&self, options: &Options) -> Report {
        let source = hash(&options.path);
        let report = import(options, &clock()).unwrap_or_else(|error| panic!("{error}"));
        let stored = fs::read(self.storage()).ok();
        let again = import(options, &clock()).unwrap_or_else(|error| panic!("{error}"));
        assert!(!again.changed, "{again}");
        assert!(
            count(&again, Outcome::Imported) == 0
                && !again.accounts.iter().any(|line| line.outcome == Outcome::Imported)
        );
        assert_eq!(fs::read(self.storage()).ok(), stored, "the second run changed the storage");
        assert_eq!(hash(&options.path), source, "the source was changed");
        report
    }

    /// The error of an import.
    fn refused(&self) -> String {
        match import(&self.options(Some("le")), &clock()) {
            Ok(report) => report.error.clone().unwrap_or_else(|| panic!("{report}")),
            Err(error) => error.to_string(),
        }
    }

    fn stored(&self) -> Value {
        serde_json::from_slice(&fs::read(self.storage()).unwrap()).unwrap()
    }
}

/// All files: paths, modes, times and content.
fn hash(path: &Path) -> Vec<(PathBuf, u32, i64, Vec<u8>)> {
    let metadata = fs::symlink_metadata(path).unwrap();
    let content = if metadata.is_file() { fs::read(path).unwrap() } else { Vec::new() };
    let mut all = vec![(path.to_owned(), metadata.mode(), metadata.mtime_nsec(), content)];
    if metadata.is_dir() {
        let mut entries: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        all.extend(entries.iter().flat_map(|entry| hash(entry)));
    }
    all
}

fn count(report: &Report, outcome: Outcome) -> usize {
    report.certificates.iter().filter(|line| line.outcome == outcome).count()
}

/// The reason why the certificate at this place is left out.
fn reason<'a>(report: &'a Report, place: &str) -> &'a str {
    let line = report.certificates.iter().find(|line| line.place == place).unwrap();
    assert_eq!(line.outcome, Outcome::LeftOut, "{report}");
    line.reason.as_deref().unwrap()
}

fn entry(pem: &Pem, names: &[&str]) -> Value {
    let chain = BASE64.encode(&pem.chain);
    let key = BASE64.encode(&pem.key);
    json!({ "domain": { "main": names[0], "sans": names[1..] }, "certificate": chain, "key": key, "Store": "default" })
}

fn account_key() -> String {
    BASE64.encode(pki::keys::account::to_sec1(&pki::keys::account::generate().unwrap()).unwrap().expose())
}

fn account(key: &str, url: &str) -> Value {
    let registration = json!({ "body": { "status": "valid", "contact": ["mailto:a@b.example"] }, "uri": url });
    json!({ "Email": "a@b.example", "Registration": registration, "PrivateKey": key, "KeyType": "4096" })
}
