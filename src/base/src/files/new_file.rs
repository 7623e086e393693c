//! A file that is made under another name, and gets its own when it is whole.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Write};

use rustix::fs::{AtFlags, Gid, Mode, RenameFlags, fchmod, fchown, linkat, renameat_with};
use rustix::io::Errno;

use super::directory::Directory;
use super::error::FileError;

/// How much is handed to the kernel at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// A file that has not got its name yet. It is removed when this is dropped before.
#[derive(Debug)]
pub struct NewFile {
    directory: Directory,
    temporary: OsString,
    file: File,
    is_synced: bool,
    /// It has its name, or another one's.
    is_put: bool,
}

impl NewFile {
    pub(super) fn new(directory: Directory, temporary: OsString, file: File) -> Self {
        Self { directory, temporary, file, is_synced: false, is_put: false }
    }

    /// Gives the file exactly this mode, whatever the umask is, and to a group.
    ///
    /// # Errors
    /// When the system refuses; the text names the group that this process can't give it to.
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

    /// Brings the content to the disk.
    ///
    /// # Errors
    /// When it can't be.
    pub fn sync(&mut self) -> Result<(), FileError> {
        self.file.sync_all().map_err(|error| self.failed("write", error))?;
        self.is_synced = true;
        Ok(())
    }

    /// Puts it in the place of whatever has this name. When it returns `Ok`, all of it is on disk.
    ///
    /// # Errors
    /// When it can't be put there. What was there still is, unless only making that durable failed.
    pub fn put(self, name: &OsStr) -> Result<(), FileError> {
        let directory = self.directory.clone();
        self.rename_to(name)?;
        directory.sync()
    }

    /// As [`NewFile::put`], but the renaming is not durable before [`Directory::sync`].
    ///
    /// # Errors
    /// When it can't be put there. What was there still is.
    pub fn rename_to(mut self, name: &OsStr) -> Result<Metadata, FileError> {
        if !self.is_synced {
            self.sync()?;
        }
        let metadata = self.file.metadata().map_err(|error| self.failed("look at", error))?;
        self.directory.rename(&self.temporary, name)?;
        self.is_put = true;
        Ok(metadata)
    }

    /// Puts it under a name that is free; says whether it was.
    ///
    /// # Errors
    /// When it can't be put there for another reason.
    pub fn put_if_absent(mut self, name: &OsStr) -> Result<bool, FileError> {
        if !self.is_synced {
            self.sync()?;
        }
        let (at, from, to) = (self.directory.file(), &self.temporary, self.directory.checked(name)?);
        let moved = self.directory.acting(|| match renameat_with(at, from, at, to, RenameFlags::NOREPLACE) {
            // The file system knows no such renaming: then by a second name. The first one goes with us.
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
            // On a full disk every block counts. The error that matters is the one before.
            let _ = self.directory.remove(&self.temporary);
        }
    }
}
