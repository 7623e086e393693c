//! Atomic creation and replacement of files.
//!
//! Promises: the path has the complete old or the complete new file at every moment, also after a crash. The new file is
//! written under another name in the same directory, synced, renamed, and the directory is synced, so that on `Ok` it is
//! completely on disk. On an error the old file is still there (unless only the directory's sync failed), the partial new
//! file is removed, and the error names the file. The mode is set when the file is created, before it has content: a
//! secret is never readable by others in between.
//! Refuses: to find the directory. The caller has to open one that is to be trusted ([`super`]).

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::{self, Write};

use super::directory::Directory;
use super::error::FileError;
use super::new_file::NewFile;

/// Access to a new file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// The file's mode, such as 0600 or 0640, whatever the umask is.
    pub mode: u32,
    /// The file's group.
    pub group: Option<u32>,
}

/// Replaces the file `name`, or creates it, with this mode less the umask.
///
/// # Errors
/// If the file can't be written; the old file is unchanged.
pub fn replace(directory: &Directory, name: &OsStr, mode: u32, content: &[u8]) -> Result<(), FileError> {
    written(directory.new_file_for(name, mode)?, directory, name, content)?.put(name)
}

/// Replaces the file `name`, or creates it, with exactly this access.
///
/// # Errors
/// As [`replace`], and if this process can't assign the group.
pub fn replace_as(directory: &Directory, name: &OsStr, access: Access, content: &[u8]) -> Result<(), FileError> {
    let new = directory.new_file_for(name, access.mode)?;
    new.set_access(access.mode, access.group)?;
    written(new, directory, name, content)?.put(name)
}

/// Creates the file `name` with exactly this access; returns false if the name is in use, and leaves that file unchanged.
///
/// # Errors
/// As [`replace_as`].
pub fn create(directory: &Directory, name: &OsStr, access: Access, content: &[u8]) -> Result<bool, FileError> {
    let new = directory.new_file_for(name, access.mode)?;
    new.set_access(access.mode, access.group)?;
    written(new, directory, name, content)?.put_if_absent(name)
}

/// Replaces the file `name` by way of a fixed temporary name, so that crashes leave one file at most. The caller must hold
/// a lock against concurrent replacements. `before` runs once the new file is on disk, before it gets its name.
///
/// # Errors
/// If the file can't be written, or if `before` fails; the old file is unchanged.
pub fn replace_locked(
    directory: &Directory,
    [name, temporary]: [&OsStr; 2],
    mode: u32,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    before: impl FnOnce() -> io::Result<()>,
) -> io::Result<Metadata> {
    let mut new = directory.new_file(temporary, mode)?;
    new.write(content)?;
    new.sync()?;
    before()?;
    let metadata = new.rename_to(name)?;
    directory.sync()?;
    Ok(metadata)
}

/// `name` with a prefix and a suffix, for a file in the same directory.
pub fn sibling(before: &str, name: &OsStr, after: &str) -> OsString {
    let mut sibling = OsString::from(before);
    sibling.push(name);
    sibling.push(after);
    sibling
}

fn written(mut new: NewFile, directory: &Directory, name: &OsStr, content: &[u8]) -> Result<NewFile, FileError> {
    let failed = |error| FileError::Io { path: directory.path_of(name), doing: "write", error };
    new.write(|out| out.write_all(content)).map_err(failed)?;
    Ok(new)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::*;

    #[test]
    fn a_replacement_that_fails_leaves_the_old_file_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a");
        let (directory, name) = Directory::of_entry(&path).unwrap();
        let temporary = sibling(".", &name, ".new");
        let names = [name.as_os_str(), temporary.as_os_str()];
        replace(&directory, &name, 0o600, b"old").unwrap();
        let full = |_: &mut dyn Write| Err(io::ErrorKind::StorageFull.into());
        assert!(replace_locked(&directory, names, 0o600, full, || Ok(())).is_err());
        let half = |out: &mut dyn Write| out.write_all(b"new");
        assert!(replace_locked(&directory, names, 0o600, half, || Err(io::ErrorKind::Other.into())).is_err());
        assert_eq!(
            (fs::read(&path).unwrap().as_slice(), fs::read_dir(place.path()).unwrap().count()),
            (&b"old"[..], 1)
        );
        fs::write(place.path().join(&temporary), "left by a crash").unwrap();
        replace_locked(&directory, names, 0o600, half, || Ok(())).unwrap();
        assert_eq!(
            (fs::read(&path).unwrap().as_slice(), fs::read_dir(place.path()).unwrap().count()),
            (&b"new"[..], 1)
        );
    }
}
