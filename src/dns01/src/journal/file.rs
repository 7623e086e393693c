//! The journal's file: `{"version": 1, "records": […]}`.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::entry::JournalEntry;
use base::state_file;

/// Version of the file's schema.
const VERSION: u32 = 1;
/// Maximum size of the file, in bytes: several times the size for the maximum number of challenges.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    records: Vec<JournalEntry>,
}

/// Reads the records in the file; none if it does not exist. An unreadable file is set aside, under a name with the time
/// `now`.
///
/// # Errors
/// If the file can't be set aside either.
pub(super) fn read(path: &Path, now: i64) -> Result<Vec<JournalEntry>, String> {
    let why = match parse(path) {
        Ok(entries) => return Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => error,
    };
    match state_file::set_aside(path, now) {
        Ok(aside) => {
            tracing::error!(path = %path.display(), aside = %aside.display(), error = %why, "the journal of DNS records \
                can't be read and is set aside; TXT records that are named in it are to be removed by hand");
            Ok(Vec::new())
        }
        Err(error) => {
            let why = format!(
                "{} can't be read ({why}) and not be set aside ({error}); move it away, and start the \
                sidecar again",
                path.display()
            );
            tracing::error!(error = why, "no DNS-01 challenge can be answered");
            Err(why)
        }
    }
}

fn parse(path: &Path) -> io::Result<Vec<JournalEntry>> {
    let document: Document = state_file::read(path, MAX_BYTES)?;
    if document.version != VERSION {
        return Err(io::Error::other(format!("expected version {VERSION}, found {}", document.version)));
    }
    Ok(document.records)
}

/// Replaces the file. On `Ok` the new file is on disk; on an error the old one is still there.
pub(super) fn write(path: &Path, records: Vec<JournalEntry>) -> io::Result<()> {
    if records.is_empty() {
        return state_file::remove(path);
    }
    state_file::replace(path, &Document { version: VERSION, records })
}
