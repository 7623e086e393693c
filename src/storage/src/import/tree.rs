//! Read-only access to the files of another tool.
//!
//! Promises: nothing is written, made or given other permissions; a symbolic link is followed only to what lies within
//! the directory the user named; every file and every listing is bounded.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::text;
use base::files::users;

/// Size limit of a file of PEM, JSON or settings, in bytes. A chain of ten certificates has some 20 KiB.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// The most entries of one directory. More means a wrong directory, such as `/`.
pub const MAX_ENTRIES: usize = 200_000;
/// The mode bits of group and others.
const OTHERS: u32 = 0o077;

/// A directory of another tool's.
pub struct Tree {
    root: PathBuf,
    /// Files with a key that other users may read.
    exposed: Mutex<BTreeSet<PathBuf>>,
}

impl Tree {
    /// The tree at this directory.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(root: &Path) -> Result<Self, ReadError> {
        let root = fs::canonicalize(root).map_err(|error| ReadError::of(root, error))?;
        if !root.is_dir() {
            return Err(ReadError { path: root, what: "it is not a directory".into() });
        }
        Ok(Self { root, exposed: Mutex::new(BTreeSet::new()) })
    }

    /// A path as the user knows it: from the root on.
    pub fn place(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// A path below the root, whether or not it exists.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// The entries of a directory, sorted; empty when there is no such directory. Hidden entries are left out.
    ///
    /// # Errors
    /// When it can't be listed, lies outside, or has more than [`MAX_ENTRIES`].
    pub fn list(&self, directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
        let Some(real) = self.resolve(directory)? else { return Ok(Vec::new()) };
        if !real.is_dir() {
            return Ok(Vec::new());
        }
        let io = |error| ReadError::of(directory, error);
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&real).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            if name.to_string_lossy().starts_with('.') {
                continue;
            }
            names.insert(directory.join(name));
            if names.len() > MAX_ENTRIES {
                let what = format!("it has more than {MAX_ENTRIES} entries: is it the right directory?");
                return Err(ReadError { path: directory.to_owned(), what });
            }
        }
        Ok(names.into_iter().collect())
    }

    /// The sub-directories of a directory, sorted.
    ///
    /// # Errors
    /// As [`Tree::list`].
    pub fn directories(&self, directory: &Path) -> Result<Vec<PathBuf>, ReadError> {
        let mut entries = self.list(directory)?;
        entries.retain(|path| path.is_dir());
        Ok(entries)
    }

    /// The directories that hold a file of this name, from this one on, to this depth. Links are not followed: their
    /// targets are found where they are.
    ///
    /// # Errors
    /// As [`Tree::list`].
    pub fn holders(&self, directory: &Path, name: &str, depth: usize) -> Result<Vec<PathBuf>, ReadError> {
        if directory.join(name).exists() {
            return Ok(vec![directory.to_owned()]);
        }
        let Some(depth) = depth.checked_sub(1) else { return Ok(Vec::new()) };
        let mut holders = Vec::new();
        for inner in self.directories(directory)? {
            if !is_link(&inner) {
                holders.extend(self.holders(&inner, name, depth)?);
            }
        }
        Ok(holders)
    }

    /// True for the path of the root, however it is written.
    pub fn is_root(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| path == self.root)
    }

    /// A file's content; `None` when there is no such file.
    ///
    /// # Errors
    /// When it can't be read, lies outside, is none, or is larger than [`MAX_FILE_BYTES`].
    pub fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, ReadError> {
        let Some(real) = self.resolve(path)? else { return Ok(None) };
        Ok(Some(read_resolved(&real)?.bytes))
    }

    /// The content of a file with a key, which must exist. The file is recorded if other users may read it.
    ///
    /// # Errors
    /// As [`Tree::read`], and when there is no such file.
    pub fn read_key(&self, path: &Path) -> Result<Vec<u8>, ReadError> {
        let Some(real) = self.resolve(path)? else {
            return Err(ReadError { path: path.to_owned(), what: "there is no such file".into() });
        };
        let content = read_resolved(&real)?;
        if content.is_exposed {
            self.exposed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(path.to_owned());
        }
        Ok(content.bytes)
    }

    /// Warnings about the files that were read.
    pub fn warnings(&self) -> Vec<String> {
        let exposed = self.exposed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let Some(first) = exposed.first() else { return Vec::new() };
        let others = match exposed.len() {
            1 => String::new(),
            count => format!(" and of {} more", count.saturating_sub(1)),
        };
        vec![format!("the permissions of {}{others} let others read a private key", self.place(first))]
    }

    /// Resolves a path; `None` when it leads nowhere.
    fn resolve(&self, path: &Path) -> Result<Option<PathBuf>, ReadError> {
        match fs::canonicalize(path) {
            Ok(real) if real.starts_with(&self.root) => Ok(Some(real)),
            Ok(_) => {
                let what = format!("it leads out of {}, and is not followed", self.root.display());
                Err(ReadError { path: path.to_owned(), what })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::symlink_metadata(path) {
                Ok(_) => Err(ReadError { path: path.to_owned(), what: "it links to a file that is not there".into() }),
                Err(_) => Ok(None),
            },
            Err(error) => Err(ReadError::of(path, error)),
        }
    }
}

/// True for a symbolic link.
pub fn is_link(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink())
}

/// The entries of a directory, sorted, hidden ones too; empty when it can't be listed. For recognition, which looks at
/// the first [`MAX_ENTRIES`] of them.
pub fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().take(MAX_ENTRIES).flatten();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    entries.sort();
    entries
}

/// A file's content.
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// True if other users may read the file.
    pub is_exposed: bool,
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// When it can't be read, is none, or is larger.
pub fn read_file(path: &Path, most: u64) -> Result<Content, ReadError> {
    let real = fs::canonicalize(path).map_err(|error| ReadError::of(path, error))?;
    content(users::open_resolved(&real), path, most)
}

/// Reads a file of a tree. While root reads a user's tree, a link put there meanwhile could lead to any file.
fn read_resolved(real: &Path) -> Result<Content, ReadError> {
    content(users::open_resolved(real), real, MAX_FILE_BYTES)
}

fn content(opened: io::Result<File>, path: &Path, most: u64) -> Result<Content, ReadError> {
    let io = |error| ReadError::of(path, error);
    let file = opened.map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(ReadError { path: path.to_owned(), what: "it is not a regular file".into() });
    }
    let mut bytes = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(io)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > most {
        return Err(ReadError { path: path.to_owned(), what: format!("it has more than {most} bytes") });
    }
    Ok(Content { bytes: text::plain(bytes), is_exposed: metadata.mode() & OTHERS != 0 })
}

/// Reason why a file or directory can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError {
    /// The path.
    pub path: PathBuf,
    /// The fault.
    pub what: String,
}

impl ReadError {
    fn of(path: &Path, error: io::Error) -> Self {
        Self { path: path.to_owned(), what: format!("it can't be read: {error}") }
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.what)
    }
}

impl std::error::Error for ReadError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_are_followed_only_within_the_root() {
        let outside = tempfile::tempdir().unwrap();
        let root = outside.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(outside.path().join("secret"), "x").unwrap();
        fs::write(root.join("file"), "y").unwrap();
        symlink("../secret", root.join("out")).unwrap();
        symlink("file", root.join("in")).unwrap();
        symlink("gone", root.join("broken")).unwrap();
        let tree = Tree::open(&root).unwrap();
        assert_eq!(tree.read(&tree.path("in")).unwrap().unwrap(), b"y");
        assert!(tree.read(&tree.path("out")).unwrap_err().to_string().contains("leads out of"));
        assert!(tree.read(&tree.path("../secret")).unwrap_err().to_string().contains("leads out of"));
        assert!(tree.read(&tree.path("broken")).unwrap_err().to_string().contains("not there"));
        assert_eq!(tree.read(&tree.path("none")), Ok(None));
    }

    #[test]
    fn a_link_that_was_put_there_meanwhile_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("real/key"), "k").unwrap();
        assert_eq!(read_resolved(&root.join("real/key")).unwrap().bytes, b"k");
        symlink("real", root.join("directory")).unwrap();
        symlink("real/key", root.join("key")).unwrap();
        for path in ["directory/key", "key"] {
            assert!(read_resolved(&root.join(path)).is_err(), "{path}");
        }
    }

    #[test]
    fn what_is_too_large_or_no_file_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::open(directory.path()).unwrap();
        fs::write(tree.path("large"), vec![b'x'; usize::try_from(MAX_FILE_BYTES).unwrap() + 1]).unwrap();
        fs::create_dir(tree.path("directory")).unwrap();
        assert!(tree.read(&tree.path("large")).unwrap_err().to_string().contains("more than 1048576 bytes"));
        assert!(tree.read(&tree.path("directory")).unwrap_err().to_string().contains("not a regular file"));
        assert_eq!(tree.list(&tree.path("nothing")), Ok(Vec::new()));
    }

    #[test]
    fn a_key_that_others_may_read_is_warned_of() {
        let directory = tempfile::tempdir().unwrap();
        let tree = Tree::open(directory.path()).unwrap();
        let key = tree.path("a.key");
        fs::write(&key, "k").unwrap();
        fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
        tree.read_key(&key).unwrap();
        assert!(tree.warnings().is_empty());
        fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
        tree.read_key(&key).unwrap();
        assert_eq!(tree.warnings(), ["the permissions of a.key let others read a private key"]);
    }
}
