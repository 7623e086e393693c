//! The file on disk: who may read it, who else uses it, and how it is replaced.
//!
//! Promises: at every moment the path holds the whole old or the whole new file; it is never readable by others; one
//! sidecar uses it at a time; what somebody else wrote into it meanwhile is set aside, not overwritten. Nothing is made
//! or locked before what is there has been judged.
//! Refuses: to open a file that is too open, is none, or is a mount point of its own (it could not be replaced).

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::schema::Damage;
use crate::catalog::now_seconds;
use crate::files::{Content, Directory, FileError, Lock};

/// Only the owner may read and write.
const MODE: u32 = 0o600;
/// Only the owner may look in.
const DIRECTORY_MODE: u32 = 0o700;
/// The bits that let others in.
const OTHERS: u32 = 0o077;
/// The largest file that is read, in bytes: ten thousand certificates take a tenth of it.
const MAX_BYTES: u64 = 1024 * 1024 * 1024;

/// The file, locked.
pub(super) struct Disk {
    directory: Directory,
    name: OsString,
    path: PathBuf,
    temporary: OsString,
    /// What the file was when we last read or wrote it; none when it was not there.
    known: Option<Stamp>,
    /// Held as long as the file is used. The kernel lets go of it when the process ends, however that happens.
    _lock: Lock,
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

impl Disk {
    /// Locks the file and reads it; none when there is no such file.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<Vec<u8>>), OpenError> {
        let (directory, name) = Directory::made_for(path, DIRECTORY_MODE)?;
        let path = directory.path_of(&name);
        if let Some(metadata) = directory.look_at_file(&name)? {
            judge(&directory, &name, &metadata)?;
        }
        let lock = directory.lock(&around("", &name, ".lock")).map_err(|error| match error {
            FileError::Locked(_) => OpenError::Locked(path.clone()),
            other => other.into(),
        })?;
        let content = content(&directory, &name)?;
        let known = content.as_ref().map(|content| Stamp::of(&content.metadata));
        let temporary = around(".", &name, ".new");
        Ok((Self { directory, name, path, temporary, known, _lock: lock }, content.map(|content| content.bytes)))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file. When it returns `Ok` the new one is on disk; on an error the old one is still there.
    pub(super) fn replace(&mut self, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        // A crash may have left one; another process can't be writing it, as we hold the lock.
        let mut new = self.directory.new_file(&self.temporary, MODE)?;
        new.write(content)?;
        new.sync()?;
        self.set_aside_what_others_wrote()?;
        self.known = Some(Stamp::of(&new.rename_to(&self.name)?));
        Ok(self.directory.sync()?)
    }

    fn set_aside_what_others_wrote(&self) -> io::Result<()> {
        let Some(found) = self.directory.look(&self.name)? else {
            if self.known.is_some() {
                tracing::warn!(path = %self.path.display(), "the storage file was removed; it is written anew");
            }
            return Ok(());
        };
        if self.known == Some(Stamp::of(&found)) {
            return Ok(());
        }
        let aside = around("", &self.name, &format!(".changed-{}", now_seconds()));
        self.directory.rename(&self.name, &aside)?;
        let (path, aside) = (self.path.display(), self.directory.path_of(&aside));
        tracing::warn!(%path, aside = %aside.display(), "the storage file was changed by something else while in use; \
            that version is set aside, and ours is written. Stop the sidecar before you edit the file");
        Ok(())
    }
}

/// The file as it is, without its lock, and where it is; no content when it is not there. Nothing is made or changed.
pub(super) fn look(path: &Path) -> Result<(PathBuf, Option<Vec<u8>>), OpenError> {
    let (directory, name) = match Directory::of(path) {
        Err(error) if error.is_absent() => return Ok((path.to_owned(), None)),
        found => found?,
    };
    let content = content(&directory, &name)?;
    Ok((directory.path_of(&name), content.map(|content| content.bytes)))
}

/// The file as it is for whoever only reads it; none when it is not there.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, OpenError> {
    let (directory, name) = match Directory::of(path) {
        Err(error) if error.is_absent() => return Ok(None),
        found => found?,
    };
    Ok(directory.read(&name, MAX_BYTES)?.map(|content| content.bytes))
}

/// What the file is now; none when it is not there, or can't be looked at.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let (directory, name) = Directory::of(path).ok()?;
    directory.look(&name).ok()?.map(|metadata| Stamp::of(&metadata))
}

fn content(directory: &Directory, name: &OsStr) -> Result<Option<Content>, OpenError> {
    let content = directory.read(name, MAX_BYTES)?;
    if let Some(content) = &content {
        judge(directory, name, &content.metadata)?;
    }
    Ok(content)
}

/// Whether it can be a storage.
fn judge(directory: &Directory, name: &OsStr, metadata: &Metadata) -> Result<(), OpenError> {
    let path = directory.path_of(name);
    if metadata.mode() & OTHERS != 0 {
        return Err(OpenError::TooOpen { mode: metadata.mode() & 0o7777, path });
    }
    if directory.is_mount_point(name) { Err(OpenError::MountPoint(path)) } else { Ok(()) }
}

fn around(before: &str, name: &OsStr, after: &str) -> OsString {
    let mut sibling = OsString::from(before);
    sibling.push(name);
    sibling.push(after);
    sibling
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
    /// It, or its directory, is not to be trusted.
    File(FileError),
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
            Self::File(error) => write!(f, "storage: {error}"),
            Self::Io { path, doing, error } => {
                write!(f, "storage: can't {doing} {}: {error}", path.display())?;
                match error.kind() {
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("; its directory must be the user's who runs this (or whom --user names): choose another path with \
                         --storage, or make one as root: install -d -o USER -m 700 DIRECTORY")
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

impl From<FileError> for OpenError {
    fn from(error: FileError) -> Self {
        match error {
            FileError::Io { path, doing, error } => Self::Io { path, doing, error },
            FileError::Locked(path) => Self::Locked(path),
            FileError::NotAFile(path) => Self::NotAFile(path),
            other => Self::File(other),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File(error) => Some(error),
            Self::Io { error, .. } => Some(error),
            Self::OfResolvers { error, .. } => error.source(),
            _ => None,
        }
    }
}
