//! Whether a storage in which there is nothing was used before.
//!
//! A disk that was full, `> acme.json`, or a tool that writes in place leaves an empty file where accounts and
//! certificates were. A user who makes a new storage with `touch` leaves the same. What lies beside the file tells them
//! apart: what the file of its lock says, and files that a sidecar makes only beside a storage that it has written.
//!
//! Promises: nothing is written over a file that lost what was in it. Refuses: to guess where a file is not there at all:
//! that is how a user says to start anew.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::blank::is_blank;
use super::document::Document;
use super::open_error::OpenError;
use base::files::atomic_file::sibling;
use base::files::{Directory, Lock};

/// What is added to the storage's name for its lock.
pub(super) const LOCK: &str = ".lock";
/// What is added to the storage's name for what a sidecar keeps beside it, once it has written it.
const COMPANIONS: [&str; 4] = [".api-token", ".sds-token", ".dns-records", ".last-good"];
/// The most bytes of a note that are read.
const MAX_NOTE: u64 = 256;

/// What the file of a lock says of the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing was written into it yet.
    New,
    /// It was written; so also where a version of this program has made the lock that noted nothing.
    Written,
    /// It has held accounts or certificates.
    Held,
}

impl Note {
    /// What is to be noted of a storage with this in it.
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

/// What is known of a storage besides what is in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Before {
    /// None where there was no lock.
    note: Option<Note>,
    /// The file by which it is known that a sidecar has used it.
    known_by: Option<PathBuf>,
}

impl Before {
    /// Looks beside a storage. What can't be read is there all the same.
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

    /// Notes in a lock that was not there before that the storage beside it is new.
    pub(super) fn begin(&self, lock: &Lock) {
        if self.note.is_none() {
            // On a full disk there is no room for it. Then the lock is empty, which says less.
            let _ = lock.write(Note::New.text());
        }
    }

    /// Judges a storage by what is in it.
    ///
    /// # Errors
    /// When it has lost what was in it.
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

/// The note in a lock that is held, as it was written last.
pub(super) struct Noted(Option<Note>);

impl Noted {
    pub(super) fn of(before: &Before) -> Self {
        Self(before.note)
    }

    /// Brings it up to date; it never becomes less than it was.
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
    fn what_is_blank_is_told_from_what_is_not() {
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
