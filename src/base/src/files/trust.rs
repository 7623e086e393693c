//! Checks whether the directories and links of a path, and the file at its end, are to be trusted.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Group, Uid, User};

use super::acting::Owner;
use super::error::FileError;
use super::own_user::own_user;

/// Mode bits: group and others may write.
const OTHERS_WRITE: u32 = 0o022;
/// Mode bit: the group may write.
const GROUP_WRITES: u32 = 0o020;
/// Mode bit: users who may write to the directory can't rename or remove other users' entries.
const STICKY: u32 = 0o1000;

/// Accepted owners of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Us or root; as root, any user, with whose rights the work is then done.
    Anybody,
    /// As [`Owners::Anybody`], and others may write to the directory and its parents: for files without secrets, whose
    /// readers know where they read.
    AnybodyAmongOthers,
    /// Us alone; nobody else may write to the directory, not even if it is sticky.
    Ours,
    /// Us or root; nobody else may write to the directory, not even if it is sticky.
    OursOrRoot,
}

/// A directory or a link on a path.
pub(super) struct Seen {
    pub(super) path: PathBuf,
    pub(super) metadata: Metadata,
}

/// The user whose rights are used for changes in a directory of this owner; `None` if our own will do.
pub(super) fn actor(directory: &Metadata) -> Option<Owner> {
    let is_somebodys = own_user() == 0 && directory.uid() != 0;
    is_somebodys.then(|| Owner { user: directory.uid(), group: directory.gid() })
}

/// Checks everything on the path to a directory, the directory last.
pub(super) fn judge_way(seen: &[Seen], last: &Seen, owners: Owners) -> Result<(), FileError> {
    let mut trusted = vec![0, own_user()];
    let is_anybodys = matches!(owners, Owners::Anybody | Owners::AnybodyAmongOthers);
    if own_user() == 0 && is_anybodys {
        trusted.push(last.metadata.uid());
    }
    for Seen { path, metadata } in seen.iter().chain([last]) {
        let is_link = metadata.is_symlink();
        if !trusted.contains(&metadata.uid()) {
            let (path, owner) = (path.clone(), metadata.uid());
            return Err(match is_link {
                true => FileError::ForeignLink { path, owner },
                false => FileError::ForeignDirectory { path, owner },
            });
        }
        if !is_link && owners != Owners::AnybodyAmongOthers {
            judge_writers(path, metadata)?;
        }
    }
    let (path, found) = (&last.path, &last.metadata);
    if is_anybodys {
        return Ok(());
    }
    if owners == Owners::Ours && found.uid() != own_user() {
        return Err(FileError::ForeignDirectory { path: path.clone(), owner: found.uid() });
    }
    if found.mode() & OTHERS_WRITE != 0 {
        return Err(FileError::OpenDirectory { path: path.clone(), mode: found.mode() & 0o7777 });
    }
    Ok(())
}

/// Checks a subdirectory of a checked directory.
pub(super) fn judge_below(path: &Path, metadata: &Metadata, parent: u32) -> Result<(), FileError> {
    if ![0, own_user(), parent].contains(&metadata.uid()) {
        return Err(FileError::ForeignDirectory { path: path.to_owned(), owner: metadata.uid() });
    }
    judge_writers(path, metadata)
}

/// Checks a file of ours in a directory of `owner`.
pub(super) fn judge_file(path: &Path, metadata: &Metadata, owner: u32) -> Result<(), FileError> {
    if metadata.is_symlink() {
        return Err(FileError::Link(path.to_owned()));
    }
    if !metadata.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    // The count is zero if the file was replaced a moment ago.
    if metadata.nlink() > 1 {
        return Err(FileError::ManyNames { path: path.to_owned(), count: metadata.nlink() });
    }
    if !is_trusted(metadata, owner) {
        return Err(FileError::ForeignFile { path: path.to_owned(), owner: metadata.uid(), expected: owner });
    }
    Ok(())
}

/// True if a file in a directory of `owner` is owned by root, us or that owner.
pub(super) fn is_trusted(metadata: &Metadata, owner: u32) -> bool {
    [0, own_user(), owner].contains(&metadata.uid())
}

/// True if another user may write: others, or a group that is not the owner's private one.
pub(super) fn others_write(metadata: &Metadata) -> bool {
    let writers = metadata.mode() & OTHERS_WRITE;
    writers != 0 && (writers != GROUP_WRITES || !is_private(metadata.gid(), metadata.uid()))
}

fn judge_writers(path: &Path, metadata: &Metadata) -> Result<(), FileError> {
    if metadata.mode() & STICKY == 0 && others_write(metadata) {
        return Err(FileError::OpenDirectory { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    Ok(())
}

/// True if a group has no member but this user. Many systems give each user a group of the same name, and a umask that
/// lets it write. In a container groups often have no names at all: there it is the group with the user's own number,
/// or one that this process was given, as by Kubernetes' `fsGroup`.
fn is_private(group: u32, user: u32) -> bool {
    match Group::from_gid(Gid::from_raw(group)) {
        Ok(Some(named)) => {
            let owner = User::from_uid(Uid::from_raw(user)).ok().flatten();
            let is_alone = |name: &str| named.name == name && named.mem.iter().all(|member| member == name);
            user != 0 && owner.is_some_and(|owner| is_alone(&owner.name))
        }
        Ok(None) => (group == user && user != 0) || is_given(group),
        Err(_) => false,
    }
}

fn is_given(group: u32) -> bool {
    let is_group = |given: rustix::process::Gid| given.as_raw() == group;
    let further = rustix::process::getgroups().unwrap_or_default();
    is_group(rustix::process::getegid()) || further.into_iter().any(is_group)
}
