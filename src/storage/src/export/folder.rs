//! The directory of one exported certificate, in which the pair is replaced in one atomic step.
//!
//! ```text
//! a.example/                    0700
//!   cert.pem -> .current/cert.pem    and so for each file: these links never change
//!   .current -> .pair-5f1c…          the one thing that is replaced, by a rename
//!   .pair-5f1c…/cert.pem             written whole before it is linked, and never changed; keys 0600, others 0644
//! ```
//!
//! So the files at `.current` always belong together, also after a crash at any point. All targets are inside the
//! directory, so that it can be mounted into a container. The previous pair is kept for programs that are reading it.
//! Refuses: to touch anything that this module has not made.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use base::files::atomic_file::{self, Access};
use base::files::{Directory, FileError};
use pki::Pair;

/// Only the owner may enter.
const DIRECTORY_MODE: u32 = 0o700;
/// The link to the current pair.
const CURRENT: &str = ".current";
/// Prefix of the directories of pairs.
const PAIR: &str = ".pair-";
/// A pair that is not complete yet. A crash may leave one.
const NEW_PAIR: &str = ".new-pair";
const NEW_LINK: &str = ".new-link";
/// A whole directory that is not complete yet, next to the others.
const NEW_DIRECTORY: &str = ".envoy-autocert.new";
/// Number of damaged copies of one pair that are skipped before the export fails.
const MAX_DAMAGED: usize = 100;

/// A file of a pair.
struct Part {
    name: &'static str,
    mode: u32,
    content: String,
}

/// certbot's four files, and HAProxy's single one: a program that reads the single file never combines a certificate
/// with another one's key, however slowly it reads.
fn parts(pair: &Pair) -> [Part; 5] {
    const END: &str = "-----END CERTIFICATE-----\n";
    let leaf = pair.chain_pem.find(END).map_or(pair.chain_pem.len(), |at| at + END.len());
    let (cert, chain) = pair.chain_pem.split_at(leaf);
    let public = |name, content: &str| Part { name, mode: 0o644, content: content.to_owned() };
    let secret = |name, content: String| Part { name, mode: 0o600, content };
    [
        public("cert.pem", cert),
        public("chain.pem", chain),
        public("fullchain.pem", &pair.chain_pem),
        secret("privkey.pem", pair.key_pem.clone()),
        secret("combined.pem", format!("{}{}", pair.key_pem, pair.chain_pem)),
    ]
}

/// Puts a pair into the directory `name` of `root`; returns false if it was there already.
///
/// # Errors
/// When another file is in the way, or the system refuses. The directory is unchanged then.
pub(super) fn put(root: &Directory, name: &str, pair: &Pair) -> Result<bool, FolderError> {
    let name = OsStr::new(name);
    let parts = parts(pair);
    match root.look(name)? {
        Some(found) if found.is_dir() => renew(&root.directory(name)?, pair, &parts),
        Some(_) => Err(FolderError::InTheWay { path: root.path_of(name), expected: "a directory" }),
        None => {
            make(root, name, pair, &parts)?;
            Ok(true)
        }
    }
}

/// True if a directory was made by [`put`].
pub(super) fn is_ours(root: &Directory, name: &OsStr) -> bool {
    root.directory(name).is_ok_and(|directory| matches!(current(&directory), Ok(Some(_))))
}

/// Makes the directory complete, and only then gives it its name.
fn make(root: &Directory, name: &OsStr, pair: &Pair, parts: &[Part]) -> Result<(), FolderError> {
    let new = OsStr::new(NEW_DIRECTORY);
    if root.look(new)?.is_some() {
        remove_unfinished(root, new, parts)?;
    }
    renew(&root.make_directory(new, DIRECTORY_MODE)?, pair, parts)?;
    root.rename(new, name)?;
    Ok(root.sync()?)
}

/// Removes a directory that a crash has left, with the files that we make in it.
fn remove_unfinished(root: &Directory, name: &OsStr, parts: &[Part]) -> Result<(), FolderError> {
    let unfinished = root.directory(name)?;
    for inner in unfinished.names()? {
        match unfinished.look(&inner)? {
            Some(found) if found.is_dir() => remove_pair(&unfinished, &inner, parts),
            Some(_) | None => unfinished.remove(&inner)?,
        }
    }
    Ok(root.remove_directory(name)?)
}

fn renew(directory: &Directory, pair: &Pair, parts: &[Part]) -> Result<bool, FolderError> {
    let before = current(directory)?;
    let missing = missing_links(directory, parts)?;
    let (wanted, is_there) = find_or_name(directory, pair, parts)?;
    if is_there && missing.is_empty() && before.as_ref() == Some(&wanted) {
        return Ok(false);
    }
    if !is_there {
        write_pair(directory, &wanted, parts)?;
    }
    let new = OsStr::new(NEW_LINK);
    directory.remove(new)?;
    directory.make_link(new, Path::new(&wanted))?;
    directory.rename(new, OsStr::new(CURRENT))?;
    for name in missing {
        directory.make_link(OsStr::new(name), &Path::new(CURRENT).join(name))?;
    }
    directory.sync()?;
    remove_old(directory, parts, &[Some(&wanted), before.as_ref()]);
    Ok(true)
}

/// The name of the current pair.
fn current(directory: &Directory) -> Result<Option<OsString>, FolderError> {
    let foreign = || foreign_link(directory, CURRENT);
    let Some(target) = link(directory, CURRENT)? else { return Ok(None) };
    let name = target.to_str().filter(|name| name.starts_with(PAIR) && !name.contains('/'));
    name.map(|name| Some(name.into())).ok_or_else(foreign)
}

/// The links that are missing. Another file under the name of one is not ours, and an error.
fn missing_links(directory: &Directory, parts: &[Part]) -> Result<Vec<&'static str>, FolderError> {
    let mut missing = Vec::new();
    for name in parts.iter().map(|part| part.name) {
        match link(directory, name)? {
            Some(target) if target == Path::new(CURRENT).join(name) => {}
            Some(_) => return Err(foreign_link(directory, name)),
            None => missing.push(name),
        }
    }
    Ok(missing)
}

/// A link's target; `None` when there is nothing.
fn link(directory: &Directory, name: &str) -> Result<Option<PathBuf>, FolderError> {
    match directory.link(OsStr::new(name)) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Err(foreign_link(directory, name)),
        read => Ok(read?),
    }
}

fn foreign_link(directory: &Directory, name: &str) -> FolderError {
    FolderError::InTheWay { path: directory.path().join(name), expected: "a link made by this command" }
}

/// The name for this pair, and true if the pair is there already. Copies that somebody has altered are skipped.
fn find_or_name(directory: &Directory, pair: &Pair, parts: &[Part]) -> Result<(OsString, bool), FolderError> {
    let names = (0..MAX_DAMAGED).map(|damaged| match damaged {
        0 => format!("{PAIR}{}", pair.version),
        _ => format!("{PAIR}{}-{damaged}", pair.version),
    });
    for name in names.map(OsString::from) {
        if directory.look(&name)?.is_none() {
            return Ok((name, false));
        }
        let is_whole = |pair: Directory| parts.iter().all(|part| part.is_in(&pair));
        if directory.directory(&name).is_ok_and(is_whole) {
            return Ok((name, true));
        }
    }
    let path = directory.path().join(format!("{PAIR}{}", pair.version));
    Err(FolderError::InTheWay { path, expected: "its content" })
}

fn write_pair(directory: &Directory, name: &OsStr, parts: &[Part]) -> Result<(), FolderError> {
    let new = OsStr::new(NEW_PAIR);
    remove_pair(directory, new, parts);
    let pair = directory.make_directory(new, DIRECTORY_MODE)?;
    for part in parts {
        part.write(&pair)?;
    }
    pair.sync()?;
    Ok(directory.rename(new, name)?)
}

impl Part {
    fn is_in(&self, pair: &Directory) -> bool {
        let most = u64::try_from(self.content.len()).unwrap_or(u64::MAX);
        let there = pair.read(OsStr::new(self.name), most);
        there.is_ok_and(|there| there.is_some_and(|there| there.bytes == self.content.as_bytes()))
    }

    fn write(&self, pair: &Directory) -> Result<(), FolderError> {
        let name = OsStr::new(self.name);
        // The exact mode: the umask may take away what other users need to read a certificate.
        let access = Access { mode: self.mode, group: None };
        match atomic_file::create(pair, name, access, self.content.as_bytes())? {
            true => Ok(()),
            false => Err(FolderError::InTheWay { path: pair.path_of(name), expected: "a new directory" }),
        }
    }
}

/// Removes all pairs but these. Failure is no error: nothing reads the others.
fn remove_old(directory: &Directory, parts: &[Part], kept: &[Option<&OsString>]) {
    for name in directory.names().into_iter().flatten() {
        if name.to_string_lossy().starts_with(PAIR) && !kept.contains(&Some(&name)) {
            remove_pair(directory, &name, parts);
        }
    }
}

/// Removes our own files, and the directory if nothing else is in it.
fn remove_pair(directory: &Directory, name: &OsStr, parts: &[Part]) {
    if let Ok(pair) = directory.directory(name) {
        for part in parts {
            let _ = pair.remove(OsStr::new(part.name));
        }
    }
    let _ = directory.remove_directory(name);
}

/// Reason why a pair can't be put into its directory.
#[derive(Debug)]
pub(super) enum FolderError {
    /// The system refuses, or something is not to be trusted.
    File(FileError),
    /// Another file is in the way; it is left as it is.
    InTheWay {
        /// The file's path.
        path: PathBuf,
        /// The kind of file expected.
        expected: &'static str,
    },
}

impl From<FileError> for FolderError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InTheWay { path, expected } => write!(
                f,
                "{} is in the way: found something else, expected {expected} or nothing. It is left as it is: move it \
                 away, or export to another directory",
                path.display()
            ),
            Self::File(error) => error.fmt(f),
        }
    }
}
