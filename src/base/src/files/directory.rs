//! An open directory that has passed the checks, and operations in it.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{
    AtFlags, Dir, Gid, Mode, OFlags, StatxAttributes, StatxFlags, fchmod, fchown, openat, renameat, statx, unlinkat,
};

use super::acting::{Owner, acting};
use super::error::FileError;
use super::trust::{Owners, actor, judge_file, judge_way};
use super::walk::{Last, Walk, is_name, walk};

/// An open directory that has passed the checks. Whatever happens to its path, it stays this directory.
#[derive(Clone, Debug)]
pub struct Directory {
    file: Arc<File>,
    path: PathBuf,
    /// The owner's uid.
    owner: u32,
    /// The user whose rights are used for changes in the directory, if not our own.
    actor: Option<Owner>,
}

/// A file's content.
pub struct Content {
    /// The file's metadata at the time of opening.
    pub metadata: Metadata,
    /// The complete content.
    pub bytes: Vec<u8>,
}

impl Directory {
    /// Opens the directory at this path.
    ///
    /// # Errors
    /// If the directory does not exist, or is not to be trusted.
    pub fn open(path: &Path, owners: Owners) -> Result<Self, FileError> {
        Self::at_end(walk(path, Last::Directory)?, owners)
    }

    /// Opens the directory at this path, and creates it and its parents if they do not exist.
    ///
    /// # Errors
    /// If the directory can't be created, or is not to be trusted.
    pub fn make(path: &Path, mode: u32, owners: Owners) -> Result<Self, FileError> {
        Self::made(walk(path, Last::Directory)?, mode, owners)
    }

    /// The directory and the name of a file. If the file is a link, it is followed first, provided that its owner and
    /// all directories on the path are to be trusted.
    ///
    /// # Errors
    /// If the directory does not exist, or is not to be trusted.
    pub fn of(file: &Path) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::at_end(walk, Owners::Anybody))
    }

    /// As [`Directory::of`], for a file without secrets: others may write into the directory.
    ///
    /// # Errors
    /// If the directory does not exist, or if the owner of a link or directory on the path could redirect it.
    pub fn of_output(file: &Path) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::at_end(walk, Owners::AnybodyAmongOthers))
    }

    /// As [`Directory::of`]; creates the directory if it does not exist.
    ///
    /// # Errors
    /// If the directory can't be created, or is not to be trusted.
    pub fn made_for(file: &Path, mode: u32) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::made(walk, mode, Owners::Anybody))
    }

    /// The directory and the name of a file, which is not followed if it is a link.
    ///
    /// # Errors
    /// If the directory does not exist, or is not to be trusted.
    pub fn of_entry(file: &Path) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::Name)?, |walk| Self::at_end(walk, Owners::Anybody))
    }

    fn at_end(walk: Walk, owners: Owners) -> Result<Self, FileError> {
        if let Some(name) = walk.missing.first() {
            return Err(FileError::io(&walk.last.path.join(name), "find", io::ErrorKind::NotFound.into()));
        }
        judge_way(&walk.seen, &walk.last, owners)?;
        Self::opened(&walk.directory, OsStr::new("."), walk.last.path)
    }

    fn made(mut walk: Walk, mode: u32, owners: Owners) -> Result<Self, FileError> {
        let missing = std::mem::take(&mut walk.missing);
        // The parents of missing directories; new directories are ours or their owner's.
        let above = if missing.is_empty() { owners } else { Owners::Anybody };
        let mut directory = Self::at_end(walk, above)?;
        for name in missing {
            if owners != Owners::Anybody && directory.actor.is_some() {
                return Err(FileError::ForeignDirectory { path: directory.path, owner: directory.owner });
            }
            directory = directory.make_directory(&name, mode)?;
        }
        Ok(directory)
    }

    /// Opens a directory for all operations. If we may only pass through, it is opened for that.
    pub(super) fn opened(at: &File, name: &OsStr, path: PathBuf) -> Result<Self, FileError> {
        let open = |further| {
            let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC | further;
            openat(at, name, flags, Mode::empty())
        };
        let opened = match open(OFlags::RDONLY) {
            Err(rustix::io::Errno::ACCESS) => open(OFlags::PATH),
            opened => opened,
        };
        let file: File = match opened {
            Ok(file) => file.into(),
            Err(rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => return Err(FileError::NotADirectory(path)),
            Err(error) => return Err(FileError::io(&path, "open", error.into())),
        };
        let metadata = file.metadata().map_err(|error| FileError::io(&path, "look at", error))?;
        Ok(Self { file: Arc::new(file), path, owner: metadata.uid(), actor: actor(&metadata) })
    }

    /// The directory's absolute path, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory's current mode.
    ///
    /// # Errors
    /// If the system reports none.
    pub fn mode(&self) -> Result<u32, FileError> {
        let metadata = self.file.metadata().map_err(|error| FileError::io(&self.path, "look at", error))?;
        Ok(metadata.mode() & 0o7777)
    }

    /// The path of an entry.
    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// The metadata of an entry, without following or opening it; `None` if it does not exist.
    ///
    /// # Errors
    /// If the metadata can't be read.
    pub fn look(&self, name: &OsStr) -> Result<Option<Metadata>, FileError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&*self.file, self.checked(name)?, flags, Mode::empty()) {
            Ok(found) => Ok(Some(File::from(found).metadata().map_err(|error| self.failed(name, "look at", error))?)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(name, "look at", error)),
        }
    }

    /// The metadata of a file of ours, without opening it; `None` if it does not exist.
    ///
    /// # Errors
    /// If the entry can't be a file of ours.
    pub fn look_at_file(&self, name: &OsStr) -> Result<Option<Metadata>, FileError> {
        let found = self.look(name)?;
        if let Some(metadata) = &found {
            judge_file(&self.path_of(name), metadata, self.owner)?;
        }
        Ok(found)
    }

    /// Reads a file of at most `most` bytes; `None` if it does not exist.
    ///
    /// # Errors
    /// If the file can't be read, is larger, or can't be a file of ours.
    pub fn read(&self, name: &OsStr, most: u64) -> Result<Option<Content>, FileError> {
        let Some(file) = self.open_file(name, OFlags::RDONLY)? else { return Ok(None) };
        let failed = |error| self.failed(name, "read", error);
        let metadata = file.metadata().map_err(failed)?;
        let mut bytes = Vec::new();
        file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
            return Err(FileError::TooLarge { path: self.path_of(name), most });
        }
        Ok(Some(Content { metadata, bytes }))
    }

    /// Creates a file under an unused name.
    pub(super) fn create(&self, name: &OsStr, mode: u32) -> Result<File, FileError> {
        let name = self.checked(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = self.acting(|| openat(&*self.file, name, flags, Mode::from_raw_mode(mode)));
        created.map(File::from).map_err(|error| self.failed(name, "create", error))
    }

    /// Renames an entry. An existing entry of the new name is replaced.
    ///
    /// # Errors
    /// If the entry can't be renamed.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), FileError> {
        let (from, to) = (self.checked(from)?, self.checked(to)?);
        let renamed = self.acting(|| renameat(&*self.file, from, &*self.file, to));
        renamed.map_err(|error| self.failed(to, "replace", error))
    }

    /// Removes a file or link, if it exists.
    ///
    /// # Errors
    /// If it can't be removed.
    pub fn remove(&self, name: &OsStr) -> Result<(), FileError> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes an empty directory, if it exists.
    ///
    /// # Errors
    /// If it can't be removed.
    pub fn remove_directory(&self, name: &OsStr) -> Result<(), FileError> {
        self.unlink(name, AtFlags::REMOVEDIR)
    }

    fn unlink(&self, name: &OsStr, flags: AtFlags) -> Result<(), FileError> {
        let name = self.checked(name)?;
        match self.acting(|| unlinkat(&*self.file, name, flags)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(name, "remove", error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Makes creations, renames and removals durable. Some file systems do not support this, and say so.
    ///
    /// # Errors
    /// If the directory can't be synced.
    pub fn sync(&self) -> Result<(), FileError> {
        match self.file.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(FileError::io(&self.path, "write", error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Sets the directory's exact mode, whatever the umask is, and its group. We must have created it.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn set_access(&self, mode: u32, group: Option<u32>) -> Result<(), FileError> {
        let failed = |error: rustix::io::Errno| FileError::io(&self.path, "set up", error.into());
        if let Some(group) = group {
            fchown(&*self.file, None, Some(Gid::from_raw(group))).map_err(failed)?;
        }
        fchmod(&*self.file, Mode::from_raw_mode(mode)).map_err(failed)
    }

    /// The names of all entries, sorted.
    ///
    /// # Errors
    /// If the directory can't be listed.
    pub fn names(&self) -> Result<Vec<OsString>, FileError> {
        let failed = |error: rustix::io::Errno| FileError::io(&self.path, "list", error.into());
        let mut names = Vec::new();
        for entry in Dir::read_from(&*self.file).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if is_name(name) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    /// True if an entry is a mount point, as with `docker run -v ./acme.json:/acme.json`.
    pub fn is_mount_point(&self, name: &OsStr) -> bool {
        is_mounted(&self.file, name)
    }

    /// The owner's uid.
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    pub(super) fn metadata(&self) -> Result<Metadata, FileError> {
        self.file.metadata().map_err(|error| FileError::io(&self.path, "look at", error))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Does something with the rights of the directory's owner, if we are root.
    pub(super) fn acting<T, E: Into<io::Error>>(&self, work: impl FnOnce() -> Result<T, E>) -> io::Result<T> {
        acting(self.actor, || work().map_err(Into::into))
    }

    /// Opens an existing file, without blocking on a FIFO, and checks it. Nothing is changed by that, so our own rights
    /// are used: root can still read a file in an owner's directory that root has created.
    pub(super) fn open_file(&self, name: &OsStr, access: OFlags) -> Result<Option<File>, FileError> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // A socket can't be opened, and neither can a FIFO without a reader; the kind of file explains more than that
        // error.
        let Some(_) = self.look_at_file(name)? else { return Ok(None) };
        let file: File = match openat(&*self.file, name, flags | access, Mode::empty()) {
            Ok(file) => file.into(),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::LOOP) => return Err(FileError::Link(self.path_of(name))),
            Err(error) => return Err(self.failed(name, "open", error)),
        };
        let metadata = file.metadata().map_err(|error| self.failed(name, "look at", error))?;
        judge_file(&self.path_of(name), &metadata, self.owner)?;
        Ok(Some(file))
    }

    pub(super) fn checked<'a>(&self, name: &'a OsStr) -> Result<&'a OsStr, FileError> {
        if is_name(name) { Ok(name) } else { Err(FileError::NotAFile(self.path_of(name))) }
    }

    pub(super) fn failed(&self, name: &OsStr, doing: &'static str, error: impl Into<io::Error>) -> FileError {
        FileError::io(&self.path_of(name), doing, error.into())
    }
}

/// True if an entry of a directory is a mount point.
pub(super) fn is_mounted(directory: &File, name: &OsStr) -> bool {
    statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS).is_ok_and(|statx| {
        let known = statx.stx_attributes_mask.contains(StatxAttributes::MOUNT_ROOT);
        known && statx.stx_attributes.contains(StatxAttributes::MOUNT_ROOT)
    })
}

fn named(
    path: &Path,
    mut walk: Walk,
    open: impl FnOnce(Walk) -> Result<Directory, FileError>,
) -> Result<(Directory, OsString), FileError> {
    let Some(name) = walk.name.take() else { return Err(FileError::NotAFile(path.to_owned())) };
    Ok((open(walk)?, name))
}

/// An unpredictable number.
pub(crate) fn unforeseen() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // The hasher has new random keys each time.
    std::hash::RandomState::new().build_hasher().finish()
}
