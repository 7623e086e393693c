//! Links and directories in a directory.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, mkdirat, readlinkat, symlinkat};

use super::directory::Directory;
use super::error::FileError;
use super::trust::judge_below;

impl Directory {
    /// Creates a symbolic link under an unused name.
    ///
    /// # Errors
    /// If the link can't be created.
    pub fn make_link(&self, name: &OsStr, target: &Path) -> Result<(), FileError> {
        let name = self.checked(name)?;
        let made = self.acting(|| symlinkat(target, self.file(), name));
        made.map_err(|error| self.failed(name, "make", error))
    }

    /// The target of a symbolic link; `None` if it does not exist.
    ///
    /// # Errors
    /// If the entry is no link (`InvalidInput`), or can't be read.
    pub fn link(&self, name: &OsStr) -> Result<Option<PathBuf>, FileError> {
        match readlinkat(self.file(), self.checked(name)?, Vec::new()) {
            Ok(target) => Ok(Some(OsString::from_vec(target.into_bytes()).into())),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(name, "read", error)),
        }
    }

    /// Opens a subdirectory.
    ///
    /// # Errors
    /// If the subdirectory does not exist, is a link or something else, or is not to be trusted.
    pub fn directory(&self, name: &OsStr) -> Result<Self, FileError> {
        let directory = Self::opened(self.file(), self.checked(name)?, self.path_of(name))?;
        let metadata = directory.metadata()?;
        judge_below(directory.path(), &metadata, self.owner())?;
        Ok(directory)
    }

    /// Creates a subdirectory, or opens an existing one.
    ///
    /// # Errors
    /// If the subdirectory can't be created, or is not to be trusted.
    pub fn make_directory(&self, name: &OsStr, mode: u32) -> Result<Self, FileError> {
        let name = self.checked(name)?;
        match self.acting(|| mkdirat(self.file(), name, Mode::from_raw_mode(mode))) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(self.failed(name, "create", error)),
            Ok(()) | Err(_) => self.directory(name),
        }
    }
}
