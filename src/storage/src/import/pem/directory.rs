//! A directory of chains and keys, as HAProxy, getssl, acmetool and uacme have them.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::beside::MAX_FILES;
use super::blocks::{Blocks, Certificate, Key};
use super::keys::Keys;
use super::take;
use crate::import::found::{Found, FoundCertificate};
use crate::import::tree::{MAX_FILE_BYTES, ReadError, Tree, is_link};
use crate::import::{kubernetes, unsupported};
use base::shell_word::quoted;

/// Depth of the search for files: `live/NAME/fullchain` has two.
const MAX_DEPTH: usize = 3;
/// Number of files without a partner that are named.
const NAMED: usize = 3;

/// A file with PEM blocks.
struct File {
    path: PathBuf,
    blocks: Blocks,
}

impl File {
    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// The certificates, by directory and subject.
    fn issuers(&self) -> impl Iterator<Item = ((&Path, &[u8]), &Certificate)> {
        self.blocks.certificates.iter().map(|one| ((self.folder(), one.subject.as_slice()), one))
    }
}

/// Reads a directory.
///
/// # Errors
/// When it is none, can't be listed, or has more than [`MAX_FILES`].
pub(in crate::import) fn read(directory: &Path) -> Result<Found, ReadError> {
    let tree = Tree::open(directory)?;
    let mut found = Found::default();
    let mut files = Vec::new();
    let mut closed = Vec::new();
    for path in paths(&tree)? {
        if let Err(error) = file(&tree, path, &mut files, &mut found) {
            closed.push(format!("{} ({})", tree.place(&error.path), error.what));
        }
    }
    let keys: Vec<Key> = files.iter_mut().flat_map(|file| std::mem::take(&mut file.blocks.keys)).collect();
    let keys = Keys::of(&keys);
    // Of files with the same certificate the one with the longest chain comes first, and is the one named.
    files.sort_by_key(|file| (Reverse(file.blocks.certificates.len()), is_link(&file.path)));
    let issuers: HashMap<(&Path, &[u8]), &Certificate> = files.iter().flat_map(File::issuers).collect();
    let mut taken = Found::default();
    for file in &files {
        let beside = |issued: &Certificate| issuers.get(&(file.folder(), issued.issuer.as_slice())).copied();
        take(&tree.place(&file.path), &file.blocks, &keys, beside, &mut taken);
    }
    partnerless(&tree, &files, &keys, &mut found);
    once_each(taken.certificates, &mut found);
    if !closed.is_empty() && found.certificates.is_empty() {
        found.warnings.push(format!("not looked at: {}", some(&closed)));
    }
    found.warnings.extend(tree.warnings());
    Ok(found)
}

/// All files, of the nearest directories first.
fn paths(tree: &Tree) -> Result<Vec<PathBuf>, ReadError> {
    let mut files = Vec::new();
    let mut directories = vec![tree.path("")];
    for _ in 0..=MAX_DEPTH {
        let mut further = Vec::new();
        for path in directories.iter().map(|directory| tree.list(directory)).collect::<Result<Vec<_>, _>>()?.concat() {
            if path.is_dir() {
                further.push(path)
            } else {
                files.push(path)
            }
            if files.len() > MAX_FILES {
                let what = format!("it has more than {MAX_FILES} files: name the directory with the certificates");
                return Err(ReadError { path: tree.path(""), what });
            }
        }
        directories = further;
    }
    Ok(files)
}

fn file(tree: &Tree, path: PathBuf, files: &mut Vec<File>, found: &mut Found) -> Result<(), ReadError> {
    if path.metadata().is_ok_and(|metadata| !metadata.is_file() || metadata.len() > MAX_FILE_BYTES) {
        return Ok(());
    }
    let Some(content) = tree.read(&path)? else { return Ok(()) };
    let place = tree.place(&path);
    if let Some(other) = unsupported::binary(&content) {
        if other.holds_keys() {
            found.leave_out(place, other.with(&path));
        }
        return Ok(());
    }
    if kubernetes::is_resource(&content) {
        kubernetes::take(&place, &content, found);
        return Ok(());
    }
    let blocks = Blocks::of(&content);
    if !blocks.keys.is_empty() {
        // Read again, to check its permissions.
        let _ = tree.read_key(&path);
    }
    for oddity in &blocks.oddities {
        found.leave_out(place.clone(), oddity.replace("FILE", &quoted(&path.display().to_string())));
    }
    if !(blocks.keys.is_empty() && blocks.certificates.is_empty()) {
        files.push(File { path, blocks });
    }
    Ok(())
}

/// Keeps the longest chain of a certificate that is in several files.
fn once_each(taken: Vec<FoundCertificate>, found: &mut Found) {
    let mut places: HashMap<Vec<u8>, usize> = HashMap::new();
    for certificate in taken {
        let leaf = Blocks::of(certificate.chain_pem.as_bytes()).certificates.swap_remove(0).der;
        match places.get(&leaf).and_then(|place| found.certificates.get_mut(*place)) {
            Some(held) if held.chain_pem.len() < certificate.chain_pem.len() => *held = certificate,
            Some(_) => {}
            None => {
                places.insert(leaf, found.certificates.len());
                found.take(certificate);
            }
        }
    }
}

/// Names files with certificates whose keys are missing.
fn partnerless(tree: &Tree, files: &[File], keys: &Keys<'_>, found: &mut Found) {
    let issuers: HashSet<&[u8]> =
        files.iter().flat_map(|file| &file.blocks.certificates).map(|one| one.issuer.as_slice()).collect();
    let alone = files.iter().filter(|file| {
        let certificates = &file.blocks.certificates;
        let is_issuers = certificates.first().is_none_or(|first| issuers.contains(first.subject.as_slice()));
        !is_issuers && !certificates.iter().any(|one| keys.of_certificate(one).is_some())
    });
    let alone: Vec<String> = alone.map(|file| tree.place(&file.path)).collect();
    if !alone.is_empty() {
        found.warnings.push(format!("no private key is there for the certificates of {}", some(&alone)));
    }
}

/// The first few of many, for a message.
fn some(all: &[String]) -> String {
    let more = all.len().saturating_sub(NAMED);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "))
}
