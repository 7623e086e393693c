//! The files of all resolvers.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of all resolvers. Several resolvers may share one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storages {
    /// The file of all resolvers without one of their own.
    pub default: PathBuf,
    /// The files of single resolvers, by the resolver's name.
    pub own: BTreeMap<String, PathBuf>,
}

impl From<&Path> for Storages {
    /// A single file for everything.
    fn from(path: &Path) -> Self {
        Self { default: path.to_owned(), own: BTreeMap::new() }
    }
}

impl Storages {
    /// The files, each once, the default one first; each with the resolvers that have it as their own, and not the
    /// default one.
    pub fn files(&self) -> Vec<(PathBuf, Vec<String>)> {
        let default = identity(&self.default);
        let mut own: BTreeMap<PathBuf, (PathBuf, Vec<String>)> = BTreeMap::new();
        for (resolver, path) in &self.own {
            let identity = identity(path);
            if identity != default {
                own.entry(identity).or_insert_with(|| (path.clone(), Vec::new())).1.push(resolver.clone());
            }
        }
        [(self.default.clone(), Vec::new())].into_iter().chain(own.into_values()).collect()
    }
}

/// The identity of a file: equal for every spelling of its path, also when it does not exist yet.
fn identity(path: &Path) -> PathBuf {
    let beside = || {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(fs::canonicalize(parent).ok()?.join(path.file_name()?))
    };
    let found = fs::canonicalize(path).ok().or_else(beside);
    found.or_else(|| std::path::absolute(path).ok()).unwrap_or_else(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_that_is_named_twice_is_there_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("here.json"), "").unwrap();
        std::os::unix::fs::symlink(at("here.json"), at("link.json")).unwrap();
        let own = [("a", "link.json"), ("b", "./here.json"), ("c", "new.json"), ("d", "./new.json"), ("e", "x/y.json")];
        let own = own.into_iter().map(|(resolver, name)| (resolver.to_owned(), at(name))).collect();
        let files = Storages { default: at("here.json"), own }.files();
        let expected = [("here.json", &[][..]), ("new.json", &["c", "d"]), ("x/y.json", &["e"])];
        assert_eq!(files.len(), expected.len());
        for ((path, resolvers), (name, expected)) in files.iter().zip(expected) {
            assert_eq!((path, resolvers.iter().map(String::as_str).collect()), (&at(name), expected.to_vec()));
        }
    }
}
