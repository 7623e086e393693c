//! One certificate's directory: the pair is replaced by one step, for whoever reads at any moment.
//!
//! ```text
//! a.example/                    0700
//!   cert.pem -> .current/cert.pem    and so for each file: these links never change
//!   .current -> .pair-5f1c…          the one thing that is replaced, by a rename
//!   .pair-5f1c…/cert.pem             written whole before it is linked, and never changed; keys 0600, others 0644
//! ```
//!
//! So the files at `.current` always belong together, also after a crash at any point. Everything is inside of the
//! directory, and so survives being mounted into a container. The pair before the current one is kept for those who
//! are reading it. Refuses: to touch anything that it has not made itself.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::catalog::Pair;

/// Only the owner may look in.
const DIRECTORY_MODE: u32 = 0o700;
/// The link to the pair that counts.
const CURRENT: &str = ".current";
/// What the names of pairs begin with.
const PAIR: &str = ".pair-";
/// What is not finished yet. A crash may leave one.
const NEW_PAIR: &str = ".new-pair";
const NEW_LINK: &str = ".new-link";
/// A whole directory that is not finished yet, beside the others.
const NEW_DIRECTORY: &str = ".envoy-autocert.new";
/// How many damaged copies of one pair are passed over before it is an error.
const MAX_DAMAGED: usize = 100;

/// A file of a pair.
struct Part {
    name: &'static str,
    mode: u32,
    content: String,
}

/// certbot's four, and HAProxy's one: whoever reads that never sees a certificate with another one's key, however long
/// it takes between two files.
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

/// Puts a pair into the directory `name` of `root`, and says whether that was needed.
///
/// # Errors
/// When something that isn't ours is in the way, or the system refuses. What was there is as it was then.
pub(super) fn put(root: &Path, name: &str, pair: &Pair) -> Result<bool, FolderError> {
    let directory = root.join(name);
    let parts = parts(pair);
    match fs::symlink_metadata(&directory) {
        Ok(metadata) if metadata.is_dir() => renew(&directory, pair, &parts),
        Ok(_) => Err(FolderError::InTheWay { path: directory, expected: "a directory" }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(root, &directory, pair, &parts)?;
            Ok(true)
        }
        Err(error) => Err(FolderError::io("read", &directory)(error)),
    }
}

/// Whether a directory has been made by [`put`].
pub(super) fn is_ours(directory: &Path) -> bool {
    let is_directory = fs::symlink_metadata(directory).is_ok_and(|metadata| metadata.is_dir());
    is_directory && matches!(current(directory), Ok(Some(_)))
}

/// Makes it whole, and only then gives it its name.
fn make(root: &Path, directory: &Path, pair: &Pair, parts: &[Part]) -> Result<(), FolderError> {
    let new = root.join(NEW_DIRECTORY);
    if new.exists() {
        fs::remove_dir_all(&new).map_err(FolderError::io("remove", &new))?;
    }
    make_directory(&new)?;
    renew(&new, pair, parts)?;
    fs::rename(&new, directory).map_err(FolderError::io("make", directory))?;
    sync(root)
}

fn renew(directory: &Path, pair: &Pair, parts: &[Part]) -> Result<bool, FolderError> {
    let before = current(directory)?;
    let missing = missing_links(directory, parts)?;
    let (wanted, is_there) = place_for(directory, pair, parts)?;
    if is_there && missing.is_empty() && before.as_deref() == Some(&wanted) {
        return Ok(false);
    }
    if !is_there {
        write_pair(directory, &wanted, parts)?;
    }
    let (new, link) = (directory.join(NEW_LINK), directory.join(CURRENT));
    remove_if_there(&new)?;
    symlink(&wanted, &new).map_err(FolderError::io("make", &new))?;
    fs::rename(&new, &link).map_err(FolderError::io("replace", &link))?;
    for name in missing {
        let link = directory.join(name);
        symlink(Path::new(CURRENT).join(name), &link).map_err(FolderError::io("make", &link))?;
    }
    sync(directory)?;
    remove_old(directory, parts, &[Some(&wanted), before.as_ref()]);
    Ok(true)
}

/// The name of the pair that counts.
fn current(directory: &Path) -> Result<Option<String>, FolderError> {
    let link = directory.join(CURRENT);
    let foreign = || FolderError::InTheWay { path: link.clone(), expected: "a link made by this command" };
    let target = match fs::read_link(&link) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(foreign()),
        Err(error) => return Err(FolderError::io("read", &link)(error)),
    };
    let name = target.to_str().filter(|name| name.starts_with(PAIR) && !name.contains('/'));
    name.map(|name| Some(name.to_owned())).ok_or_else(foreign)
}

/// The links that are yet to be made. What has one of their names and isn't it is somebody else's.
fn missing_links(directory: &Path, parts: &[Part]) -> Result<Vec<&'static str>, FolderError> {
    let mut missing = Vec::new();
    for name in parts.iter().map(|part| part.name) {
        let link = directory.join(name);
        match fs::read_link(&link) {
            Ok(target) if target == Path::new(CURRENT).join(name) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => missing.push(name),
            Err(error) if error.kind() != io::ErrorKind::InvalidInput => {
                return Err(FolderError::io("read", &link)(error));
            }
            Ok(_) | Err(_) => {
                return Err(FolderError::InTheWay { path: link, expected: "a link made by this command" });
            }
        }
    }
    Ok(missing)
}

/// Where this pair is, or else is to be, and which of both. One that has been changed by somebody is passed over.
fn place_for(directory: &Path, pair: &Pair, parts: &[Part]) -> Result<(String, bool), FolderError> {
    let names = (0..MAX_DAMAGED).map(|damaged| match damaged {
        0 => format!("{PAIR}{}", pair.version),
        _ => format!("{PAIR}{}-{damaged}", pair.version),
    });
    for name in names {
        let path = directory.join(&name);
        match fs::symlink_metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((name, false)),
            Err(error) => return Err(FolderError::io("read", &path)(error)),
            Ok(_) if parts.iter().all(|part| part.is_in(&path)) => return Ok((name, true)),
            Ok(_) => {}
        }
    }
    Err(FolderError::InTheWay { path: directory.join(format!("{PAIR}{}", pair.version)), expected: "its content" })
}

fn write_pair(directory: &Path, name: &str, parts: &[Part]) -> Result<(), FolderError> {
    let (new, pair) = (directory.join(NEW_PAIR), directory.join(name));
    remove_pair(&new, parts);
    make_directory(&new)?;
    for part in parts {
        let path = new.join(part.name);
        part.write(&path).map_err(FolderError::io("write", &path))?;
    }
    sync(&new)?;
    fs::rename(&new, &pair).map_err(FolderError::io("make", &pair))
}

impl Part {
    fn is_in(&self, directory: &Path) -> bool {
        fs::read(directory.join(self.name)).is_ok_and(|content| content == self.content.as_bytes())
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(self.mode).open(path)?;
        // The umask may have taken away what others need to read a certificate.
        file.set_permissions(fs::Permissions::from_mode(self.mode))?;
        file.write_all(self.content.as_bytes())?;
        file.sync_all()
    }
}

/// Removes the pairs but these. It is no error when that fails: nothing reads them.
fn remove_old(directory: &Path, parts: &[Part], kept: &[Option<&String>]) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PAIR) && !kept.contains(&Some(&name)) {
            remove_pair(&entry.path(), parts);
        }
    }
}

/// Removes our own files, and the directory if nothing else is in it.
fn remove_pair(path: &Path, parts: &[Part]) {
    for part in parts {
        let _ = fs::remove_file(path.join(part.name));
    }
    let _ = fs::remove_dir(path);
}

fn make_directory(path: &Path) -> Result<(), FolderError> {
    DirBuilder::new().mode(DIRECTORY_MODE).create(path).map_err(FolderError::io("make", path))
}

fn remove_if_there(path: &Path) -> Result<(), FolderError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FolderError::io("remove", path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes what was made and renamed in it durable. Some file systems know no such thing, and say so.
fn sync(directory: &Path) -> Result<(), FolderError> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        synced => synced.map_err(FolderError::io("write", directory)),
    }
}

/// Why a pair is not in its directory.
#[derive(Debug)]
pub(super) enum FolderError {
    /// Something that we have not made. It is left as it is.
    InTheWay {
        /// Where.
        path: PathBuf,
        /// What would do.
        expected: &'static str,
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
}

impl FolderError {
    fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, doing, error }
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
            Self::Io { path, doing, error } => write!(f, "can't {doing} {}: {error}", path.display()),
        }
    }
}
