//! The file on disk: who may read it, who else uses it, and how it is replaced.
//!
//! Promises: at every moment the path holds the whole old or the whole new file; it is never readable by others; one
//! sidecar uses it at a time; what somebody else wrote into it meanwhile is set aside, not overwritten.
//! Refuses: to open a file that is too open, is none, or is a mount point of its own (it could not be replaced).

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, OFlags, StatxAttributes, StatxFlags};

use super::schema::Damage;
use crate::catalog::now_seconds;

/// Only the owner may read and write.
const MODE: u32 = 0o600;
/// The bits that let others in.
const OTHERS: u32 = 0o077;
/// How much is handed to the kernel at once.
const BUFFER_BYTES: usize = 256 * 1024;

/// The file, locked.
pub(super) struct Disk {
    path: PathBuf,
    directory: PathBuf,
    temporary: PathBuf,
    /// What the file was when we last read or wrote it; none when it was not there.
    known: Option<Stamp>,
    /// Whose it was then.
    owner: Option<Owner>,
    /// Held as long as the file is used. The kernel lets go of it when the process ends, however that happens.
    lock: File,
}

/// What tells that a file is not the one it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = (metadata.mtime(), metadata.mtime_nsec());
        Self { inode: metadata.ino(), size: metadata.size(), modified }
    }
}

/// A user and its group.
#[derive(Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl Owner {
    fn of(metadata: &Metadata) -> Self {
        Self { user: metadata.uid(), group: metadata.gid() }
    }

    /// Gives a file of ours to whose file it replaces or locks: root may change the storage of a sidecar that runs as
    /// another user, which could not use it any more otherwise. Without the right to do so it stays ours.
    fn give(self, file: &File) {
        if file.metadata().is_ok_and(|metadata| metadata.uid() != self.user) {
            let _ = fchown(file, Some(self.user), Some(self.group));
        }
    }
}

impl Disk {
    /// Locks the file and reads it; none when there is no such file.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Vec<u8>>), OpenError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let (Some(name), Some(parent)) = (path.file_name(), path.parent()) else {
            return Err(OpenError::NotAFile(path));
        };
        let directory = if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() };
        if !directory.exists() {
            let created = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
            created.map_err(|error| OpenError::Io { path: directory.clone(), doing: "create", error })?;
        }
        let sibling = |before: &str, after: &str| {
            let mut sibling = std::ffi::OsString::from(before);
            sibling.push(name);
            sibling.push(after);
            directory.join(sibling)
        };
        let lock = lock(&path, &sibling("", ".lock"))?;
        let temporary = sibling(".", ".new");
        let mut disk = Self { temporary, path: path.clone(), directory, known: None, owner: None, lock };
        let io = |error| OpenError::Io { path: path.clone(), doing: "read", error };
        let text = read(&path).map_err(io)?;
        let Some((metadata, text)) = text else { return Ok((disk, None)) };
        if !metadata.is_file() {
            return Err(OpenError::NotAFile(path));
        }
        if metadata.mode() & OTHERS != 0 {
            return Err(OpenError::TooOpen { mode: metadata.mode() & 0o7777, path });
        }
        if is_mount_point(&path) {
            return Err(OpenError::MountPoint(path));
        }
        let owner = Owner::of(&metadata);
        owner.give(&disk.lock);
        (disk.known, disk.owner) = (Some(Stamp::of(&metadata)), Some(owner));
        Ok((disk, Some(text)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file. When it returns `Ok` the new one is on disk; on an error the old one is still there.
    pub(super) fn replace(&mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        // A crash may have left one; another process can't be writing it, as we hold the lock.
        match fs::remove_file(&self.temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        let result = self.write_and_rename(content);
        if result.is_err() {
            // On a full disk every block counts. It may never have been made.
            let _ = fs::remove_file(&self.temporary);
        }
        result
    }

    fn write_and_rename(&mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&self.temporary)?;
        if let Some(owner) = self.owner {
            owner.give(&file);
        }
        let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
        content(&mut buffered)?;
        let file = buffered.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        self.set_aside_what_others_wrote()?;
        fs::rename(&self.temporary, &self.path)?;
        self.known = Some(Stamp::of(&file.metadata()?));
        sync_directory(&self.directory)
    }

    fn set_aside_what_others_wrote(&self) -> io::Result<()> {
        let found = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => Stamp::of(&metadata),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.known.is_some() {
                    tracing::warn!(path = %self.path.display(), "the storage file was removed; it is written anew");
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if self.known == Some(found) {
            return Ok(());
        }
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".changed-{}", now_seconds()));
        fs::rename(&self.path, &aside)?;
        let (path, aside) = (self.path.display(), PathBuf::from(aside));
        tracing::warn!(%path, aside = %aside.display(), "the storage file was changed by something else while in use; \
            that version is set aside, and ours is written. Stop the sidecar before you edit the file");
        Ok(())
    }
}

/// The file as it is; none when it is not there. What is no regular file is not read.
pub(super) fn read(path: &Path) -> io::Result<Option<(Metadata, Vec<u8>)>> {
    let mut file = match OpenOptions::new().read(true).custom_flags(no_wait()).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let mut text = Vec::new();
    if metadata.is_file() {
        file.read_to_end(&mut text)?;
    }
    Ok(Some((metadata, text)))
}

/// Makes the renaming durable. Some file systems know no such thing, and say so.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory)?.sync_all() {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => Ok(()),
        synced => synced,
    }
}

/// Opening a FIFO must not wait for its other end.
fn no_wait() -> i32 {
    i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default()
}

fn lock(path: &Path, lock_path: &Path) -> Result<File, OpenError> {
    let io = |error| OpenError::Io { path: lock_path.to_owned(), doing: "lock", error };
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(MODE).open(lock_path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::Locked(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// As with `docker run -v ./acme.json:/acme.json`.
fn is_mount_point(path: &Path) -> bool {
    let statx = rustix::fs::statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS);
    statx.is_ok_and(|statx| {
        let known = statx.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
        known && statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
    })
}

/// Why the storage can't be used. The file is as it was.
#[derive(Debug)]
pub enum OpenError {
    /// The file is not what it should be.
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        damage: Damage,
    },
    /// The system refuses.
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// Another process uses it.
    Locked(PathBuf),
    /// It is mounted by itself, so it can't be replaced.
    MountPoint(PathBuf),
    /// There is something else at this path.
    NotAFile(PathBuf),
    /// It is the file of some resolvers only.
    OfResolvers {
        /// Their names.
        resolvers: Vec<String>,
        /// What is wrong with it.
        error: Box<OpenError>,
    },
    /// Others may read it.
    TooOpen {
        /// Its permissions.
        mode: u32,
        /// The file.
        path: PathBuf,
    },
}

impl OpenError {
    /// Names the resolvers whose own file it is, if it is one.
    pub(super) fn of(self, resolvers: &[String]) -> Self {
        if resolvers.is_empty() {
            return self;
        }
        Self::OfResolvers { resolvers: resolvers.to_owned(), error: Box::new(self) }
    }
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged { path, damage } => write!(
                f,
                "storage {}: {damage}. The file is left as it is: mend it, or move it away to start with a new one",
                path.display()
            ),
            Self::Io { path, doing, error } => {
                write!(f, "storage: can't {doing} {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; choose another path with --storage, or run as another user")
                    }
                    _ => Ok(()),
                }
            }
            Self::Locked(path) => write!(
                f,
                "storage {}: another sidecar is using it; stop that one, or give this one another --storage",
                path.display()
            ),
            Self::MountPoint(path) => write!(
                f,
                "storage {}: the file is a mount point of its own, so it can't be replaced atomically; mount its \
                 directory instead",
                path.display()
            ),
            Self::NotAFile(path) => write!(f, "storage {}: expected a regular file", path.display()),
            Self::OfResolvers { resolvers, error } => {
                let noun = if resolvers.len() == 1 { "resolver" } else { "resolvers" };
                write!(f, "{noun} {}: {error}", resolvers.join(", "))
            }
            Self::TooOpen { mode, path } => write!(
                f,
                "storage {}: permissions {mode:04o} are too open for a file with private keys; run: chmod 600 {}",
                path.display(),
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            Self::OfResolvers { error, .. } => error.source(),
            _ => None,
        }
    }
}
