//! An open directory that has been judged, and what can be done in it.

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
use super::new_file::NewFile;
use super::trust::{Owners, actor, judge_file, judge_way};
use super::walk::{Last, Walk, is_name, walk};

/// An open directory that has been judged. Whatever happens to its path, it stays this one.
#[derive(Clone, Debug)]
pub struct Directory {
    file: Arc<File>,
    path: PathBuf,
    /// Its owner's uid.
    owner: u32,
    /// With whose rights things are changed in it, when not with ours.
    actor: Option<Owner>,
}

/// A file's content.
pub struct Content {
    /// What the file was when it was opened.
    pub metadata: Metadata,
    /// All of it.
    pub bytes: Vec<u8>,
}

impl Directory {
    /// The directory at this path.
    ///
    /// # Errors
    /// When it is not there, or not to be trusted.
    pub fn open(path: &Path, owners: Owners) -> Result<Self, FileError> {
        Self::at_end(walk(path, Last::Directory)?, owners)
    }

    /// The directory at this path, which is made when it is not there, and so are those above.
    ///
    /// # Errors
    /// When it can't be made, or is not to be trusted.
    pub fn make(path: &Path, mode: u32, owners: Owners) -> Result<Self, FileError> {
        Self::made(walk(path, Last::Directory)?, mode, owners)
    }

    /// The directory and the name of a file. When the file is a link, it is followed first, if whoever made it and all
    /// the directories on the way are to be trusted.
    ///
    /// # Errors
    /// When the directory is not there, or not to be trusted.
    pub fn of(file: &Path) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::at_end(walk, Owners::Anybody))
    }

    /// As [`Directory::of`], for a file without secrets: others may write into the directory.
    ///
    /// # Errors
    /// When the directory is not there, or a link or directory on the way is somebody's who could lead elsewhere.
    pub fn of_output(file: &Path) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::at_end(walk, Owners::AnybodyAmongOthers))
    }

    /// As [`Directory::of`]; the directory is made when it is not there.
    ///
    /// # Errors
    /// When it can't be made, or is not to be trusted.
    pub fn made_for(file: &Path, mode: u32) -> Result<(Self, OsString), FileError> {
        named(file, walk(file, Last::File)?, |walk| Self::made(walk, mode, Owners::Anybody))
    }

    /// The directory and the name of a file, which is not followed when it is a link.
    ///
    /// # Errors
    /// When the directory is not there, or not to be trusted.
    pub fn beside(file: &Path) -> Result<(Self, OsString), FileError> {
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
        // Those above what is missing; what is made there is ours or its owner's.
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

    /// Opens a directory for all that is to be done in it. Where we may only pass through, it is open for that.
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

    /// Where it is, absolute and without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its mode now.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn mode(&self) -> Result<u32, FileError> {
        let metadata = self.file.metadata().map_err(|error| FileError::io(&self.path, "look at", error))?;
        Ok(metadata.mode() & 0o7777)
    }

    /// The path of something in it.
    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// What is there under a name, without following or opening it; none when there is nothing.
    ///
    /// # Errors
    /// When it can't be looked at.
    pub fn look(&self, name: &OsStr) -> Result<Option<Metadata>, FileError> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&*self.file, self.checked(name)?, flags, Mode::empty()) {
            Ok(found) => Ok(Some(File::from(found).metadata().map_err(|error| self.failed(name, "look at", error))?)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(self.failed(name, "look at", error)),
        }
    }

    /// What a file of ours is, without opening it; none when there is nothing.
    ///
    /// # Errors
    /// When there is something that can't be a file of ours.
    pub fn look_at_file(&self, name: &OsStr) -> Result<Option<Metadata>, FileError> {
        let found = self.look(name)?;
        if let Some(metadata) = &found {
            judge_file(&self.path_of(name), metadata, self.owner)?;
        }
        Ok(found)
    }

    /// A file's content, of at most `most` bytes; none when it is not there.
    ///
    /// # Errors
    /// When it can't be read, is larger, or can't be a file of ours.
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

    /// A new file that gets its name when it is whole. What a crash has left under `temporary` is removed: nobody else
    /// may be using that name.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new_file(&self, temporary: &OsStr, mode: u32) -> Result<NewFile, FileError> {
        self.remove(temporary)?;
        let file = self.create(temporary, mode)?;
        Ok(NewFile::new(self.clone(), temporary.to_owned(), file))
    }

    /// A new file that gets its name when it is whole. Until then it has one that nobody can foresee.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn new_file_for(&self, name: &OsStr, mode: u32) -> Result<NewFile, FileError> {
        let mut temporary = OsString::from(".");
        temporary.push(self.checked(name)?);
        temporary.push(format!(".{:016x}.new", unforeseen()));
        self.new_file(&temporary, mode)
    }

    /// Makes a file under a name that is free.
    pub(super) fn create(&self, name: &OsStr, mode: u32) -> Result<File, FileError> {
        let name = self.checked(name)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let created = self.acting(|| openat(&*self.file, name, flags, Mode::from_raw_mode(mode)));
        created.map(File::from).map_err(|error| self.failed(name, "create", error))
    }

    /// Gives something another name. What had that one is gone.
    ///
    /// # Errors
    /// When it can't be renamed.
    pub fn rename(&self, from: &OsStr, to: &OsStr) -> Result<(), FileError> {
        let (from, to) = (self.checked(from)?, self.checked(to)?);
        let renamed = self.acting(|| renameat(&*self.file, from, &*self.file, to));
        renamed.map_err(|error| self.failed(to, "replace", error))
    }

    /// Removes a file or link, if it is there.
    ///
    /// # Errors
    /// When it can't be removed.
    pub fn remove(&self, name: &OsStr) -> Result<(), FileError> {
        self.unlink(name, AtFlags::empty())
    }

    /// Removes an empty directory, if it is there.
    ///
    /// # Errors
    /// When it can't be removed.
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

    /// Makes what was made, renamed and removed in it durable. Some file systems know no such thing, and say so.
    ///
    /// # Errors
    /// When it can't be.
    pub fn sync(&self) -> Result<(), FileError> {
        match self.file.sync_all() {
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(FileError::io(&self.path, "write", error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Gives the directory exactly this mode, whatever the umask is, and to a group. It must have been made by us.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set_access(&self, mode: u32, group: Option<u32>) -> Result<(), FileError> {
        let failed = |error: rustix::io::Errno| FileError::io(&self.path, "set up", error.into());
        if let Some(group) = group {
            fchown(&*self.file, None, Some(Gid::from_raw(group))).map_err(failed)?;
        }
        fchmod(&*self.file, Mode::from_raw_mode(mode)).map_err(failed)
    }

    /// The names of everything in it, sorted.
    ///
    /// # Errors
    /// When it can't be listed.
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

    /// Whether something in it is mounted there by itself, as with `docker run -v ./acme.json:/acme.json`.
    pub fn is_mount_point(&self, name: &OsStr) -> bool {
        is_mounted(&self.file, name)
    }

    /// Its owner's uid.
    pub(super) fn owner(&self) -> u32 {
        self.owner
    }

    pub(super) fn metadata(&self) -> Result<Metadata, FileError> {
        self.file.metadata().map_err(|error| FileError::io(&self.path, "look at", error))
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Does something with the rights of the directory's owner, when it is root who does it.
    pub(super) fn acting<T, E: Into<io::Error>>(&self, work: impl FnOnce() -> Result<T, E>) -> io::Result<T> {
        acting(self.actor, || work().map_err(Into::into))
    }

    /// Opens a file that is there, without a wait when it is a FIFO, and judges it. Nothing is changed by that, so it
    /// takes no other rights than ours: an owner's file that root has made is still root's to read.
    pub(super) fn open_file(&self, name: &OsStr, access: OFlags) -> Result<Option<File>, FileError> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        // A socket can't be opened, and a FIFO without a reader neither: what it is says more than that.
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

/// Whether something in a directory is mounted there by itself.
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

/// A number that nobody can foresee.
fn unforeseen() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    // Its keys are random, and others each time.
    std::hash::RandomState::new().build_hasher().finish()
}
