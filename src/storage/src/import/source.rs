//! Recognition of the source that the user named: its kind, and its exact path.
//!
//! Promises: a tool's directory is recognised by files that only that tool writes. A directory further down, as in a
//! home directory or a container's volume, is found when it is the only one; several are all named.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::candidates::Candidates;
use super::kind::DIRECTORIES;
use super::tree::{Content, ReadError, entries, is_link, read_file};
use super::{ImportError, Kind, kubernetes, traefik, unsupported};

/// Depth of the search for a tool's directory: `/home/NAME/.local/share/caddy` from `/` on.
const MAX_DEPTH: usize = 5;
/// The most directories searched. More means a wrong directory, such as `/`.
const MAX_DIRECTORIES: usize = 5_000;

/// A recognised source.
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) path: PathBuf,
    /// A file's content; `None` for a directory.
    pub(super) content: Option<Content>,
    /// The part of it that the user named, as a path from it on; `None` for all of it.
    pub(super) part: Option<PathBuf>,
    /// True if the kind is only the user's word.
    pub(super) is_guess: bool,
}

impl Source {
    /// A note for a user who has named another path.
    pub(super) fn note(&self, named: &Path) -> Option<String> {
        let is_below = self.path != named;
        let kind = self.kind;
        let path = self.path.display();
        let named = named.display();
        if self.part.is_some() {
            return Some(format!(
                "{named} is a part of {path}, which is {kind}'s, and imported alone, without accounts"
            ));
        }
        is_below.then(|| format!("imported is {path}, which is {kind}'s, and nothing else that lies in {named}"))
    }
}

/// Recognises the source at a path, or takes the kind that the user names.
pub(super) fn source(path: &Path, named: Option<Kind>, storages: &[PathBuf]) -> Result<Source, ImportError> {
    let metadata = path.metadata();
    let metadata =
        metadata.map_err(|error| ReadError { path: path.to_owned(), what: format!("it can't be read: {error}") });
    if metadata?.is_dir() { directory(path, named, storages) } else { file(path, named) }
}

fn file(path: &Path, named: Option<Kind>) -> Result<Source, ImportError> {
    let content = read_file(path, traefik::MAX_FILE_BYTES)?;
    let kind = match named {
        Some(kind) if DIRECTORIES.contains(&kind) => {
            let what = format!("it is a file; expected a directory, with {}", kind.looked_for());
            return Err(ReadError { path: path.to_owned(), what }.into());
        }
        Some(kind) => kind,
        None => kind_of(path, &content.bytes)?,
    };
    Ok(Source { kind, path: path.to_owned(), content: Some(content), part: None, is_guess: false })
}

/// The kind of a file, by its content: the name says nothing.
fn kind_of(path: &Path, bytes: &[u8]) -> Result<Kind, ImportError> {
    let unrecognised = |why| ImportError::Unrecognised { path: path.to_owned(), why };
    if let Some(other) = unsupported::binary(bytes) {
        return Err(unrecognised(other.with(path)));
    }
    let text = String::from_utf8_lossy(bytes);
    let start = text.trim_start();
    let is_json = start.is_empty() || start.starts_with(['{', '[']) || start == "null";
    let is_store =
        || ["\"Certificates\"", "\"Account\"", "\"DomainsCertificate\""].iter().any(|name| text.contains(name));
    if kubernetes::is_resource(bytes) {
        Ok(Kind::Kubernetes)
    } else if is_json && is_store() {
        Ok(Kind::Traefik)
    } else if text.lines().any(|line| line.starts_with("-----BEGIN ")) {
        Ok(Kind::Pem)
    } else if let Some(other) = unsupported::configuration(bytes) {
        Err(unrecognised(other.with(path)))
    } else if is_json && may_be_traefiks(start) {
        Ok(Kind::Traefik)
    } else {
        let why = "it is neither Traefik's acme.json, nor PEM, nor a Secret of Kubernetes in YAML or JSON";
        Err(unrecognised(why.to_owned()))
    }
}

/// True if a JSON text without certificates may be Traefik's: empty resolvers, or damage at a place that the reader can
/// name.
fn may_be_traefiks(text: &str) -> bool {
    let is_nothing = |value: &Value| value.is_null() || value.as_object().is_some_and(Map::is_empty);
    serde_json::from_str::<Map<String, Value>>(text).map_or(true, |members| members.values().all(is_nothing))
}

fn directory(path: &Path, named: Option<Kind>, storages: &[PathBuf]) -> Result<Source, ImportError> {
    let of = |kind, path: &Path| Source { kind, path: path.to_owned(), content: None, part: None, is_guess: false };
    let is = |kind: &Kind| named.is_none_or(|named| named == *kind);
    if let Some(kind) = DIRECTORIES.into_iter().filter(is).find(|kind| kind.lies_in(path)) {
        return Ok(of(kind, path));
    }
    if named.is_some_and(|kind| kind == Kind::Pem || kind == Kind::Kubernetes) {
        return Ok(of(Kind::Pem, path));
    }
    let mut candidates = below(path, storages);
    candidates.retain(|(kind, _)| is(kind));
    match (candidates.as_slice(), named) {
        ([(Kind::Traefik, place)], _) => file(place, named),
        ([(kind, place)], _) => Ok(of(*kind, place)),
        ([], Some(Kind::Traefik)) => {
            let what = "it is a directory, and no acme.json lies in it: name the file".into();
            Err(ReadError { path: path.to_owned(), what }.into())
        }
        ([], Some(kind)) => Ok(of(kind, path)),
        ([], None) => Ok(part(path).unwrap_or(Source { is_guess: true, ..of(Kind::Pem, path) })),
        _ => Err(ImportError::Several(Candidates {
            path: path.to_owned(),
            candidates: candidates.into_iter().collect(),
        })),
    }
}

/// The kind of a directory, when the user has named another.
pub(super) fn other(path: &Path, named: Option<Kind>) -> Option<Kind> {
    let named = named?;
    DIRECTORIES.into_iter().find(|kind| *kind != named && kind.lies_in(path))
}

/// The tools' directories further down. Directories within a recognised one belong to it.
fn below(path: &Path, storages: &[PathBuf]) -> Vec<(Kind, PathBuf)> {
    let mut found = Vec::new();
    let mut directories = vec![path.to_owned()];
    let mut count = 0_usize;
    for depth in 0..=MAX_DEPTH {
        let mut further = Vec::new();
        for directory in directories {
            count = count.saturating_add(1);
            if count > MAX_DIRECTORIES {
                return found;
            }
            let kind = DIRECTORIES.into_iter().find(|kind| depth > 0 && kind.lies_in(&directory));
            if let Some(kind) = kind {
                found.push((kind, directory));
                continue;
            }
            for entry in entries(&directory) {
                if entry.is_dir() && !is_link(&entry) {
                    further.push(entry);
                } else if is_traefiks(&entry)
                    && !storages.iter().any(|storage| super::directory::is_same(storage, &entry))
                {
                    found.push((Kind::Traefik, entry));
                }
            }
        }
        directories = further;
    }
    found
}

/// True for the names that users of Traefik give the file: `acme.json`, `acme-NAME.json`.
fn is_traefiks(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_called = name.starts_with("acme") && name.ends_with(".json");
    is_called && file(path, None).is_ok_and(|source| source.kind == Kind::Traefik)
}

/// Recognises a part of a tool's directory, such as `live/NAME` of certbot's.
fn part(path: &Path) -> Option<Source> {
    let path = path.canonicalize().ok()?;
    path.ancestors().skip(1).take(MAX_DEPTH).find_map(|above| {
        let kind = DIRECTORIES.into_iter().find(|kind| kind.lies_in(above))?;
        let part = path.strip_prefix(above).ok()?.to_owned();
        let read = super::directory::directory(kind, above).ok()?;
        let is_in = |place: &str| Path::new(place).starts_with(&part);
        let is_kept = read.certificates.iter().any(|certificate| is_in(&certificate.place));
        is_kept.then(|| Source { kind, path: above.to_owned(), content: None, part: Some(part), is_guess: false })
    })
}
