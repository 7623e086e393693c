//! Walks from a path to an open directory: name by name, links included.
//!
//! Directories on the path are only opened for passing through, so that nothing else happens before all of them have
//! passed the checks.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};

use super::error::FileError;
use super::trust::Seen;

/// Maximum number of links to follow, as in Linux.
const MAX_LINKS: usize = 40;

/// The kind of the last name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Last {
    /// A directory, to work in.
    Directory,
    /// A file in the preceding directory; if it is a link, the link's target.
    File,
    /// A file in the preceding directory, even if it is a link.
    Name,
}

/// The end of a walk.
pub(super) struct Walk {
    /// The last existing directory. It is only open for passing through.
    pub(super) directory: File,
    pub(super) last: Seen,
    /// The directories above it, and everything on the path.
    pub(super) seen: Vec<Seen>,
    /// Directories that do not exist yet, each in the one before.
    pub(super) missing: Vec<OsString>,
    /// The file's name; `None` for a directory.
    pub(super) name: Option<OsString>,
}

/// An open directory on the path, and its path.
struct Step {
    directory: File,
    path: PathBuf,
    metadata: Metadata,
}

/// Walks to the end of a path.
pub(super) fn walk(path: &Path, ends_with: Last) -> Result<Walk, FileError> {
    let absolute = std::path::absolute(path).map_err(|error| FileError::io(path, "find", error))?;
    let mut left: VecDeque<OsString> = names(&absolute).collect();
    let mut steps = vec![step(CWD, OsStr::new("/"), PathBuf::from("/"))?];
    let (mut seen, mut links) = (Vec::new(), 0);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            if steps.len() > 1 {
                seen.extend(steps.pop().map(Seen::from));
            }
            continue;
        }
        let Some(here) = steps.last() else { break };
        let is_file = left.is_empty() && ends_with != Last::Directory;
        if is_file && ends_with == Last::Name {
            return end(steps, seen, Vec::new(), Some(name), path);
        }
        let at = here.path.join(&name);
        let found = match step(&here.directory, &name, at.clone()) {
            Ok(found) => found,
            Err(FileError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                let mut missing: Vec<OsString> = [name].into_iter().chain(left).collect();
                if missing.iter().any(|name| name == "..") {
                    return Err(FileError::io(&at, "find", error));
                }
                let name = if ends_with == Last::Directory { None } else { missing.pop() };
                return end(steps, seen, missing, name, path);
            }
            Err(error) => return Err(error),
        };
        if found.metadata.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(FileError::io(path, "find", rustix::io::Errno::LOOP.into()));
            }
            let target = readlinkat(&here.directory, &name, Vec::new());
            let target = target.map_err(|error| FileError::io(&at, "read the link", error.into()))?;
            let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
            seen.push(Seen { path: at, metadata: found.metadata });
            if target.is_absolute() {
                seen.extend(steps.drain(1..).map(Seen::from));
            }
            left = names(&target).chain(left).collect();
        } else if is_file {
            return end(steps, seen, Vec::new(), Some(name), path);
        } else if found.metadata.is_dir() {
            steps.push(found);
        } else {
            return Err(FileError::NotADirectory(at));
        }
    }
    if ends_with != Last::Directory {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    end(steps, seen, Vec::new(), None, path)
}

fn end(
    mut steps: Vec<Step>,
    mut seen: Vec<Seen>,
    missing: Vec<OsString>,
    name: Option<OsString>,
    path: &Path,
) -> Result<Walk, FileError> {
    let Some(Step { directory, path, metadata }) = steps.pop() else {
        return Err(FileError::NotADirectory(path.to_owned()));
    };
    // From the root on, so that the first one to be reported is the first one to repair.
    seen.splice(0..0, steps.into_iter().map(Seen::from));
    Ok(Walk { directory, last: Seen { path, metadata }, seen, missing, name })
}

fn step(at: impl rustix::fd::AsFd, name: &OsStr, path: PathBuf) -> Result<Step, FileError> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(at, name, flags, Mode::empty()).map_err(io::Error::from);
    let directory: File = opened.map_err(|error| FileError::io(&path, "look at", error))?.into();
    let metadata = directory.metadata().map_err(|error| FileError::io(&path, "look at", error))?;
    Ok(Step { directory, path, metadata })
}

/// The names of a path, `..` among them.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

/// True for the single name of an entry in a directory.
pub(super) fn is_name(name: &OsStr) -> bool {
    !matches!(name.as_bytes(), b"" | b"." | b"..") && !name.as_bytes().contains(&b'/')
}

impl From<Step> for Seen {
    fn from(step: Step) -> Self {
        Self { path: step.path, metadata: step.metadata }
    }
}
