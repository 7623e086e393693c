//! Unix sockets that only permitted peers can reach.
//!
//! Promises: a socket is never reachable with another mode than its own; a socket left by a crashed sidecar is
//! replaced, one that a process listens on never is, and no other kind of file is touched.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use rustix::net::sockopt::socket_peercred;
use tokio::net::UnixListener;

use crate::holder::Holder;
use base::files::{Directory, FileError, Owners};

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;
/// The owner has all rights, the group may enter.
const DIRECTORY_MODE: u32 = 0o750;

/// The bits that let others reach a socket in a directory, though not connect to it.
const OTHERS: u32 = 0o007;

/// A socket at a path, removed when this is dropped.
pub struct BoundSocket {
    directory: Directory,
    name: OsString,
    inode: u64,
}

impl BoundSocket {
    /// Listens at `path`. Creates the directory if it is missing. Both are given to `group`.
    ///
    /// # Errors
    /// When the socket can't be created such that only permitted peers reach it.
    pub fn bind(path: &Path, group: Option<u32>) -> Result<(UnixListener, Self), SocketError> {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(SocketError::NotASocket(path.to_owned()));
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let directory = directory(parent, group)?;
        remove_stale(&directory, name, path)?;
        // The socket gets its mode under this hidden name, so that nobody can connect before.
        let mut hidden = OsString::from(".");
        hidden.push(name);
        remove_stale(&directory, &hidden, &path.with_file_name(&hidden))?;
        let listener = directory.listen(name, SOCKET_MODE, group)?;
        let found = directory.look(name)?;
        let (inode, mode) = found.map_or((0, 0), |metadata| (metadata.ino(), metadata.mode() & 0o7777));
        let bound = Self { directory, name: name.to_owned(), inode };
        if mode != SOCKET_MODE {
            return Err(SocketError::Mode { path: path.to_owned(), found: mode });
        }
        let io = |error| SocketError::Io { path: path.to_owned(), doing: "set up", error };
        listener.set_nonblocking(true).map_err(io)?;
        Ok((UnixListener::from_std(listener).map_err(io)?, bound))
    }
}

impl BoundSocket {
    /// Listens as [`Self::bind`] does, in a directory that only its owner and its group can enter: for a socket whose
    /// clients show no token.
    ///
    /// # Errors
    /// When others could reach the socket.
    pub fn bind_apart(path: &Path, group: Option<u32>) -> Result<(UnixListener, Self), SocketError> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mode = directory(parent, group)?.mode()?;
        if mode & OTHERS != 0 {
            return Err(SocketError::OpenToOthers { path: parent.to_owned(), mode });
        }
        Self::bind(path, group)
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        // The path may be another process's socket by now.
        if self.directory.look(&self.name).is_ok_and(|found| found.is_some_and(|found| found.ino() == self.inode)) {
            let _ = self.directory.remove(&self.name);
        }
    }
}

/// Opens the directory, into which nobody else can write; creates it if it is missing.
fn directory(path: &Path, group: Option<u32>) -> Result<Directory, FileError> {
    match Directory::open(path, Owners::OursOrRoot) {
        Err(error) if error.is_absent() => {
            let directory = Directory::make(path, DIRECTORY_MODE, Owners::OursOrRoot)?;
            directory.set_access(DIRECTORY_MODE, group)?;
            Ok(directory)
        }
        opened => opened,
    }
}

/// Removes a socket left by a sidecar that could not clean up.
fn remove_stale(directory: &Directory, name: &OsStr, path: &Path) -> Result<(), SocketError> {
    let Some(found) = directory.look(name)? else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Ok(stream) => {
            let peer = socket_peercred(&stream).ok().map(|peer| peer.pid.as_raw_nonzero().get().unsigned_abs());
            Err(SocketError::InUse { path: path.to_owned(), holder: Holder::at_the_other_end(peer) })
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "replaced a stale socket");
            Ok(directory.remove(name)?)
        }
        // The socket has disappeared meanwhile.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue means that a process listens.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            Err(SocketError::InUse { path: path.to_owned(), holder: Holder::Unknown })
        }
        Err(error) => Err(SocketError::Io { path: path.to_owned(), doing: "connect to", error }),
    }
}

/// Reasons why there is no socket.
#[derive(Debug)]
pub enum SocketError {
    /// Others could replace the socket, or its directory can't be used for another reason.
    Directory(FileError),
    /// A process listens at the path.
    InUse {
        /// The socket.
        path: PathBuf,
        /// The process.
        holder: Holder,
    },
    /// The system refused.
    Io {
        /// The socket or its directory.
        path: PathBuf,
        /// The operation that failed.
        doing: &'static str,
        /// The system's error.
        error: io::Error,
    },
    /// Others can enter the directory of a socket that asks for no token.
    OpenToOthers {
        /// The directory.
        path: PathBuf,
        /// The directory's mode.
        mode: u32,
    },
    /// The file system does not keep the mode.
    Mode {
        /// The socket.
        path: PathBuf,
        /// The mode it has.
        found: u32,
    },
    /// The path is no socket.
    NotASocket(PathBuf),
}

impl std::fmt::Display for SocketError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Directory(error) => write!(f, "socket directory {error}"),
            Self::InUse { path, holder } => {
                write!(f, "socket {}: {holder} listens there; stop it, or choose another path", path.display())
            }
            Self::Io { path, doing, error } => {
                write!(f, "socket: can't {doing} {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; choose other paths with --api-socket and --sds-socket, or make the directory as root: install -d \
                         -o USER -m 750 DIRECTORY")
                    }
                    _ => Ok(()),
                }
            }
            Self::Mode { path, found } => write!(
                f,
                "socket {}: its mode is {found:04o} and can't be made {SOCKET_MODE:04o}; choose a path on another \
                 file system",
                path.display()
            ),
            Self::OpenToOthers { path, mode } => {
                let path = path.display();
                write!(
                    f,
                    "socket directory {path}: with the mode {mode:04o} everybody can enter it, and a socket there asks for \
                     no token; run: chmod o-rwx {path}"
                )
            }
            Self::NotASocket(path) => {
                write!(f, "socket {}: there is something else; choose another path", path.display())
            }
        }
    }
}

impl From<FileError> for SocketError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { path, doing, error } => Self::Io { path, doing, error },
            other => Self::Directory(other),
        }
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Directory(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
