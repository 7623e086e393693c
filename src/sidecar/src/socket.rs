//! Unix sockets that only the right peers reach.
//!
//! Promises: a socket is never reachable with another mode than its own; one that a crashed sidecar left is replaced,
//! one that somebody listens on never is, and nothing that is no socket is touched.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream as BlockingStream;
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

/// Owner and group may connect.
const SOCKET_MODE: u32 = 0o660;
/// Owner may do all, group may pass.
const DIRECTORY_MODE: u32 = 0o750;
/// Who else could put a socket of their own in place of ours.
const OTHERS_WRITE: u32 = 0o022;

/// A socket at a path; it is removed when this is dropped.
pub struct BoundSocket {
    path: PathBuf,
    inode: u64,
}

impl BoundSocket {
    /// Listens at `path`. The directory is made when it is not there. `group` is given both.
    ///
    /// # Errors
    /// When it can't be made such that only the right peers reach it.
    pub fn bind(path: &Path, group: Option<u32>) -> Result<(UnixListener, Self), SocketError> {
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(SocketError::NotASocket(path.to_owned()));
        };
        let directory = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        prepare_directory(directory, group)?;
        remove_stale(path)?;
        // It gets its mode at another path, so that nobody can connect before.
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        let hidden = directory.join(hidden);
        remove_stale(&hidden)?;
        let io = |doing, error| SocketError::Io { path: path.to_owned(), doing, error };
        let listener = UnixListener::bind(&hidden).map_err(|error| io("bind", error))?;
        let restricted = restrict(&hidden, SOCKET_MODE, group).and_then(|()| fs::rename(&hidden, path));
        if let Err(error) = restricted {
            // Best effort: it is of no use to anybody.
            let _ = fs::remove_file(&hidden);
            return Err(io("set up", error));
        }
        let metadata = fs::symlink_metadata(path).map_err(|error| io("look at", error))?;
        let bound = Self { path: path.to_owned(), inode: metadata.ino() };
        if metadata.mode() & 0o7777 != SOCKET_MODE {
            return Err(SocketError::Mode { path: path.to_owned(), found: metadata.mode() & 0o7777 });
        }
        Ok((listener, bound))
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        // Only if it is still ours.
        if fs::symlink_metadata(&self.path).is_ok_and(|metadata| metadata.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn prepare_directory(directory: &Path, group: Option<u32>) -> Result<(), SocketError> {
    let io = |doing, error| SocketError::Io { path: directory.to_owned(), doing, error };
    if !directory.exists() {
        DirBuilder::new()
            .recursive(true)
            .mode(DIRECTORY_MODE)
            .create(directory)
            .map_err(|error| io("create", error))?;
        return restrict(directory, DIRECTORY_MODE, group).map_err(|error| io("set up", error));
    }
    let metadata = fs::metadata(directory).map_err(|error| io("look at", error))?;
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(SocketError::UnsafeDirectory { path: directory.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let owner = metadata.uid();
    if owner != 0 && owner != rustix::process::geteuid().as_raw() {
        return Err(SocketError::ForeignDirectory { path: directory.to_owned(), owner });
    }
    Ok(())
}

fn restrict(path: &Path, mode: u32, group: Option<u32>) -> io::Result<()> {
    if let Some(group) = group {
        std::os::unix::fs::chown(path, None, Some(group))?;
    }
    fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Removes what a sidecar left that could not clean up.
fn remove_stale(path: &Path) -> Result<(), SocketError> {
    let io = |doing, error| SocketError::Io { path: path.to_owned(), doing, error };
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(io("look at", error)),
    };
    if !metadata.file_type().is_socket() {
        return Err(SocketError::NotASocket(path.to_owned()));
    }
    match BlockingStream::connect(path) {
        Ok(_) => Err(SocketError::InUse(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            tracing::info!(path = %path.display(), "a socket that nobody listens on is replaced");
            fs::remove_file(path).map_err(|error| io("remove", error))
        }
        // It went away by itself.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Its queue is full: somebody listens.
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SocketError::InUse(path.to_owned())),
        Err(error) => Err(io("connect to", error)),
    }
}

/// Why there is no socket.
#[derive(Debug)]
pub enum SocketError {
    /// The directory belongs to another user.
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
        /// Its owner's uid.
        owner: u32,
    },
    /// Somebody listens there.
    InUse(PathBuf),
    /// The system refuses.
    Io {
        /// The socket or its directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// The file system does not keep the mode.
    Mode {
        /// The socket.
        path: PathBuf,
        /// The mode that it has.
        found: u32,
    },
    /// There is something else at this path.
    NotASocket(PathBuf),
    /// Others could replace the socket.
    UnsafeDirectory {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
}

impl std::fmt::Display for SocketError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ForeignDirectory { path, owner } => write!(
                f,
                "socket directory {}: it belongs to the uid {owner}, who could replace the socket; run: chown {} {}",
                path.display(),
                rustix::process::geteuid().as_raw(),
                path.display()
            ),
            Self::InUse(path) => {
                write!(f, "socket {}: another process listens there; stop it, or choose another path", path.display())
            }
            Self::Io { path, doing, error } => {
                write!(f, "socket: can't {doing} {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; choose other paths with --api-socket and --sds-socket, or run as another user")
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
            Self::NotASocket(path) => {
                write!(f, "socket {}: there is something else; choose another path", path.display())
            }
            Self::UnsafeDirectory { path, mode } => write!(
                f,
                "socket directory {}: with the mode {mode:04o} others could replace the socket; run: chmod go-w {}, \
                 or choose a directory of its own",
                path.display(),
                path.display()
            ),
        }
    }
}

impl std::error::Error for SocketError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
