//! The last good certificates, in a file beside the storage, as long as they may be needed.
//!
//! Promises: the file has mode 0600, since it holds keys, and is absent when there is nothing to keep. A file that
//! can't be read is set aside and prevents no start.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use protocol::CertificateId;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::entry::{Entry, Rejection, State};
use base::state_file;
use pki::Pair;

/// The suffix that is added to the path of the storage.
const SUFFIX: &str = ".last-good";
/// The version of the file's schema.
const VERSION: u32 = 1;
/// The largest file that is read, in bytes: 8 KiB for each certificate that is followed.
const MAX_BYTES: u64 = 160 * 1024 * 1024;

/// The records of a certificate that outlive a restart.
pub(super) struct Kept {
    pub(super) id: CertificateId,
    /// The version of the newest certificate.
    pub(super) version: String,
    pub(super) rejection: Option<Rejection>,
    pub(super) rejections: u32,
    pub(super) last_good: Option<Arc<Pair>>,
}

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    certificates: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    certificate: CertificateId,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejection: Option<Rejection>,
    rejections: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_good: Option<Pem>,
}

#[derive(Serialize, Deserialize)]
struct Pem {
    chain: String,
    key: String,
}

/// Reads and writes the file.
pub(super) struct LastGoodFile {
    path: PathBuf,
    /// Held while the file is written; true if there is a file.
    writing: Arc<Mutex<bool>>,
}

impl LastGoodFile {
    /// Reads the file beside this storage.
    pub(super) async fn open(storage: &Path, now: i64) -> (Self, Vec<Kept>) {
        let path = state_file::path(storage, SUFFIX);
        let reading = path.clone();
        // The task is cancelled only when the runtime ends, and panics only by a bug.
        let kept = spawn_blocking(move || read(&reading, now)).await.unwrap_or_default();
        let is_there = !kept.is_empty();
        (Self { path, writing: Arc::new(Mutex::new(is_there)) }, kept)
    }

    /// Replaces the file. A failure is logged: the records in memory still serve.
    pub(super) async fn write(&self, kept: Vec<Kept>) {
        let mut is_there = self.writing.clone().lock_owned().await;
        if kept.is_empty() && !*is_there {
            return;
        }
        let path = self.path.clone();
        let written = spawn_blocking(move || {
            let written = if kept.is_empty() {
                state_file::remove(&path)
            } else {
                let certificates = kept.into_iter().map(Record::from).collect();
                state_file::replace(&path, &Document { version: VERSION, certificates })
            };
            *is_there = true;
            written
        });
        if let Ok(Err(error)) = written.await {
            let path = self.path.display();
            tracing::warn!(%path, %error, "the last good certificates can't be saved; a restart would forget them");
        }
    }
}

/// Reads the file; empty if there is none, or it can't be read.
fn read(path: &Path, now: i64) -> Vec<Kept> {
    let why = match state_file::read::<Document>(path, MAX_BYTES) {
        Ok(document) if document.version == VERSION => {
            return document.certificates.into_iter().map(Kept::from).collect();
        }
        Ok(document) => io::Error::other(format!("expected version {VERSION}, found {}", document.version)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => error,
    };
    let aside =
        state_file::set_aside(path, now).map_or_else(|error| error.to_string(), |aside| aside.display().to_string());
    let path = path.display();
    tracing::warn!(%path, aside, error = %why, "the last good certificates can't be read and are set aside");
    Vec::new()
}

impl Kept {
    pub(super) fn of(entry: &Entry) -> Self {
        let rejection = match &entry.state {
            State::Rejected(rejection) => Some(rejection.clone()),
            State::Pushed | State::Accepted | State::Proven(_) => None,
        };
        Self {
            id: entry.id.clone(),
            version: entry.newest.version.clone(),
            rejection,
            rejections: entry.rejections,
            last_good: entry.last_good.clone(),
        }
    }
}

impl From<Kept> for Record {
    fn from(kept: Kept) -> Self {
        let pem = |pair: Arc<Pair>| Pem { chain: pair.chain_pem.clone(), key: pair.key_pem.clone() };
        Self {
            certificate: kept.id,
            version: kept.version,
            rejection: kept.rejection,
            rejections: kept.rejections,
            last_good: kept.last_good.map(pem),
        }
    }
}

impl From<Record> for Kept {
    fn from(record: Record) -> Self {
        // An altered pair is dropped.
        let pair = |pem: Pem| Pair::parse(&pem.chain, &pem.key).ok().map(Arc::new);
        Self {
            id: record.certificate,
            version: record.version,
            rejection: record.rejection,
            rejections: record.rejections,
            last_good: record.last_good.and_then(pair),
        }
    }
}
