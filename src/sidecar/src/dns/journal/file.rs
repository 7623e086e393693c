//! The journal's file: `{"version": 1, "records": […]}`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::catalog::now_seconds;
use crate::store::sync_directory;

/// Only the owner may read and write.
const MODE: u32 = 0o600;
/// The schema of the file.
const VERSION: u32 = 1;
/// The largest file that is read, in bytes: several times what all the challenges need that there is room for.
const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// The file's content.
#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    records: Vec<Entry>,
}

/// The records in the file; none when there is no such file. One that can't be read is set aside.
///
/// # Errors
/// When it can't be set aside either.
pub(super) fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let why = match parse(path) {
        Ok(entries) => return Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => error,
    };
    let mut aside = path.as_os_str().to_owned();
    aside.push(format!(".unreadable-{}", now_seconds()));
    let aside = PathBuf::from(aside);
    match fs::rename(path, &aside) {
        Ok(()) => {
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

fn parse(path: &Path) -> io::Result<Vec<Entry>> {
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("expected a regular file"));
    }
    let mut text = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::other(format!("larger than {MAX_BYTES} bytes")));
    }
    let document: Document = serde_json::from_slice(&text)?;
    if document.version != VERSION {
        return Err(io::Error::other(format!("expected version {VERSION}, found {}", document.version)));
    }
    Ok(document.records)
}

/// Replaces the file. When it returns `Ok` the new one is on disk; on an error the old one is still there.
pub(super) fn write(path: &Path, records: Vec<Entry>) -> io::Result<()> {
    if records.is_empty() {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => return sync_directory(directory(path)),
        }
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = PathBuf::from(temporary);
    // A crash may have left one. Nobody else is writing it, as the storage beside it is locked.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(&Document { version: VERSION, records })?)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_directory(directory(path))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
