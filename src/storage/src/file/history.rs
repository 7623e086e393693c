//! The history of an empty storage: new, or used before and emptied.
//!
//! A full disk, `> acme.json`, or a tool that writes in place leaves an empty file where accounts and certificates
//! were. A user who makes a new storage with `touch` leaves the same. The files next to it tell both apart: the note in
//! the lock file, and the files that a sidecar makes only after it has written the storage.
//!
//! Promises: a file that lost its content is never overwritten. Refuses: to judge a missing file: deleting the file is
//! how a user starts anew.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::blank::is_blank;
use super::document::Document;
use super::open_error::OpenError;
use base::files::atomic_file::sibling;
use base::files::{Directory, Lock};

/// Suffix of the lock file's name.
pub(super) const LOCK: &str = ".lock";
/// Suffixes of the files that a sidecar keeps next to a storage once it has written it.
const COMPANIONS: [&str; 4] = [".api-token", ".sds-token", ".dns-records", ".last-good"];
/// The most bytes read of a note.
const MAX_NOTE: u64 = 256;

/// The lock file's note about the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// The storage was never written.
    New,
    /// The storage was written. Also assumed where a version of this program without notes has made the lock.
    Written,
    /// The storage has held accounts or certificates.
    Held,
}

impl Note {
    /// The note for a storage with this content.
    pub(super) fn of(document: &Document) -> Self {
        if document.holds_anything() { Self::Held } else { Self::Written }
    }

    fn read(text: &[u8]) -> Self {
        let is = |note: Self| text == note.text();
        [Self::New, Self::Held].into_iter().find(|note| is(*note)).unwrap_or(Self::Written)
    }

    fn text(self) -> &'static [u8] {
        match self {
            Self::New => b"The storage beside this file is new.\n",
            Self::Written => b"The storage beside this file was written.\n",
            Self::Held => b"The storage beside this file holds accounts or certificates.\n",
        }
    }
}

/// The history of a storage, from the files next to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// The note; `None` without a lock file.
    note: Option<Note>,
    /// A file that only a sidecar that used the storage has made.
    known_by: Option<PathBuf>,
}

impl History {
    /// Looks next to a storage. An unreadable file counts as present.
    pub(super) fn find(directory: &Directory, name: &OsStr) -> Self {
        let lock = sibling("", name, LOCK);
        let note = match directory.read(&lock, MAX_NOTE) {
            Ok(content) => content.map(|content| Note::read(&content.bytes)),
            Err(_) => Some(Note::Written),
        };
        let of_lock = note.filter(|note| *note != Note::New).map(|_| lock);
        let mut companions = COMPANIONS.iter().map(|suffix| sibling("", name, suffix));
        let known_by =
            of_lock.or_else(|| companions.find(|name| directory.look(name).is_ok_and(|found| found.is_some())));
        Self { note, known_by: known_by.map(|name| directory.path_of(&name)) }
    }

    /// Notes in a new lock file that the storage is new.
    pub(super) fn begin(&self, lock: &Lock) {
        if self.note.is_none() {
            // On a full disk there is no room for the note. An empty lock file claims less.
            let _ = lock.write(Note::New.text());
        }
    }

    /// Judges a storage by its content and its history.
    ///
    /// # Errors
    /// When the storage has lost its content.
    pub(super) fn judge(&self, path: &Path, text: Option<&[u8]>, document: &Document) -> Result<(), OpenError> {
        let Some(text) = text else {
            if let Some(known_by) = &self.known_by {
                tracing::warn!(path = %path.display(), known_by = %known_by.display(), "there is no storage where one was \
                    used before; a new one is begun. If it was lost, stop the sidecar and put a backup there");
            }
            return Ok(());
        };
        let is_lost = is_blank(text) || (self.note == Some(Note::Held) && !document.holds_anything());
        match &self.known_by {
            Some(known_by) if is_lost => Err(OpenError::Emptied { path: path.to_owned(), known_by: known_by.clone() }),
            Some(_) | None => Ok(()),
        }
    }
}

/// The note in a lock that is held, as written last.
pub(super) struct Noted(Option<Note>);

impl Noted {
    pub(super) fn of(history: &History) -> Self {
        Self(history.note)
    }

    /// Raises the note to `note`; it is never lowered.
    pub(super) fn update(&mut self, lock: &Lock, note: Note) {
        let is_news = self.0 != Some(note) && self.0 != Some(Note::Held);
        if is_news && lock.write(note.text()).is_ok() {
            self.0 = Some(note);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blank_is_distinguished_from_what_is_not() {
        for blank in ["", "null", " \n", "\u{feff}", "\u{feff}null\r\n"] {
            assert!(is_blank(blank.as_bytes()), "{blank:?}");
        }
        for text in ["{}", "{\"le\": null}", "nul", "\0\0", "[]"] {
            assert!(!is_blank(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn a_note_is_read_as_it_was_written_and_any_other_text_is_of_an_older_version() {
        for note in [Note::New, Note::Written, Note::Held] {
            assert_eq!(Note::read(note.text()), note);
        }
        assert_eq!(Note::read(b""), Note::Written);
        assert_eq!(Note::read(b"something"), Note::Written);
    }
}
