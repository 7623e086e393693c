//! A file that is created under a temporary name, and gets its own when it is complete.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};

use rustix::fs::{AtFlags, Gid, Mode, RenameFlags, fchmod, fchown, linkat, renameat_with};
use rustix::io::Errno;

use super::directory::{Directory, unforeseen};
use super::error::FileError;

/// Buffer size for writes.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file that does not have its final name yet. Dropping it removes the file.
#[derive(Debug)]
pub struct NewFile {
    directory: Directory,
    temporary: OsString,
    file: File,
    is_synced: bool,
    /// True once the file has its final name, or another process has taken it.
    is_put: bool,
}

impl Directory {
    /// A new file that gets its name when it is complete. A leftover of a crash under the name `temporary` is removed:
    /// nobody else may use that name.
    ///
    /// # Errors
    /// If the file can't be created.
    pub fn new_file(&self, temporary: &OsStr, mode: u32) -> Result<NewFile, FileError> {
        self.remove(temporary)?;
        let file = self.create(temporary, mode)?;
        Ok(NewFile::new(self.clone(), temporary.to_owned(), file))
    }

    /// A new file that gets its name when it is complete. Its temporary name can't be predicted.
    ///
    /// # Errors
    /// If the file can't be created.
    pub fn new_file_for(&self, name: &OsStr, mode: u32) -> Result<NewFile, FileError> {
        let mut temporary = OsString::from(".");
        temporary.push(self.checked(name)?);
        temporary.push(format!(".{:016x}.new", unforeseen()));
        self.new_file(&temporary, mode)
    }
}

impl NewFile {
    pub(super) fn new(directory: Directory, temporary: OsString, file: File) -> Self {
        Self { directory, temporary, file, is_synced: false, is_put: false }
    }

    /// Sets the file's exact mode, whatever the umask is, and its group.
    ///
    /// # Errors
    /// If the system refuses; the message names a group that this process can't assign.
    pub fn set_access(&self, mode: u32, group: Option<u32>) -> Result<(), FileError> {
        if let Some(group) = group {
            let given = fchown(&self.file, None, Some(Gid::from_raw(group)));
            given.map_err(|error| self.failed("give to the group", error))?;
        }
        fchmod(&self.file, Mode::from_raw_mode(mode)).map_err(|error| self.failed("set the mode of", error))
    }

    /// Writes the content.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, &self.file);
        content(&mut buffered)?;
        buffered.flush()
    }

    /// Flushes the content to disk.
    ///
    /// # Errors
    /// If the content can't be flushed.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync_all().map_err(|error| self.failed("write", error))?;
        self.is_synced = true;
        Ok(())
    }

    /// Gives the file its name, replacing any other. On `Ok`, the content and the name are on disk.
    ///
    /// # Errors
    /// If the file can't be renamed. The old file still exists, unless only making the change durable failed.
    pub fn put(self, name: &OsStr) -> Result<(), FileError> {
        let directory = self.directory.clone();
        self.rename_to(name)?;
        directory.sync()
    }

    /// As [`NewFile::put`], but the new name is not durable before [`Directory::sync`].
    ///
    /// # Errors
    /// If the file can't be renamed. The old file still exists.
    pub fn rename_to(mut self, name: &OsStr) -> Result<Metadata, FileError> {
        if !self.is_synced {
            self.sync()?;
        }
        let metadata = self.file.metadata().map_err(|error| self.failed("look at", error))?;
        self.directory.rename(&self.temporary, name)?;
        self.is_put = true;
        Ok(metadata)
    }

    /// Gives the file its name if the name is unused; returns true if it was.
    ///
    /// # Errors
    /// If the file can't be renamed for another reason.
    pub fn put_if_absent(mut self, name: &OsStr) -> Result<bool, FileError> {
        if !self.is_synced {
            self.sync()?;
        }
        let (at, from, to) = (self.directory.file(), &self.temporary, self.directory.checked(name)?);
        let moved = self.directory.acting(|| match renameat_with(at, from, at, to, RenameFlags::NOREPLACE) {
            // The file system does not support this kind of rename: use a hard link. The temporary name is removed on
            // drop.
            Err(Errno::INVAL | Errno::NOSYS) => linkat(at, from, at, to, AtFlags::empty()).map(|()| false),
            renamed => renamed.map(|()| true),
        });
        match moved {
            Ok(is_renamed) => {
                self.is_put = is_renamed;
                self.directory.sync().map(|()| true)
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.directory.failed(name, "make", error)),
        }
    }

    fn failed(&self, doing: &'static str, error: impl Into<io::Error>) -> FileError {
        self.directory.failed(&self.temporary, doing, error)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_put {
            // On a full disk every block counts. The earlier error is the one to report.
            let _ = self.directory.remove(&self.temporary);
        }
    }
}
