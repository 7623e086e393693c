//! A unix socket in a directory that no other user can write to.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use rustix::fs::{AtFlags, Gid, Mode, chmodat, chownat};

use super::directory::Directory;
use super::error::FileError;

impl Directory {
    /// Listens on a new socket, which has its mode and group before it has its name. The directory must have been
    /// opened as ours or root's. An existing entry of this name is replaced; until then the socket's name is `.name`,
    /// which must be unused.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn listen(&self, name: &OsStr, mode: u32, group: Option<u32>) -> Result<UnixListener, FileError> {
        let mut hidden = OsString::from(".");
        hidden.push(self.checked(name)?);
        let bound = match UnixListener::bind(self.path_of(&hidden)) {
            // The resolved path may be longer than a socket's address can be.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => UnixListener::bind(self.short_path(&hidden)),
            bound => bound,
        };
        let listener = bound.map_err(|error| self.failed(name, "bind", error))?;
        let restricted = self.restrict(&hidden, mode, group).and_then(|()| self.rename(&hidden, name));
        if let Err(error) = restricted {
            // A socket without its final name is of no use.
            let _ = self.remove(&hidden);
            return Err(error);
        }
        Ok(listener)
    }

    fn short_path(&self, name: &OsStr) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file().as_raw_fd())).join(name)
    }

    fn restrict(&self, name: &OsStr, mode: u32, group: Option<u32>) -> Result<(), FileError> {
        let failed = |error: rustix::io::Errno| self.failed(name, "set up", error);
        if let Some(group) = group {
            chownat(self.file(), name, None, Some(Gid::from_raw(group)), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        }
        chmodat(self.file(), name, Mode::from_raw_mode(mode), AtFlags::empty()).map_err(failed)
    }
}
