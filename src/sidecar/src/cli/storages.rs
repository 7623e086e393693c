//! `--storage`: one file for all resolvers, or further ones for some of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use setup::model::Setup;

use super::values::StoragePath;
use storage::Storages;

/// The default file, which is Traefik's.
pub(super) const DEFAULT: &str = "acme.json";

/// A storage file, and its resolver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageChoice {
    /// The resolver the file is for; `None` for all resolvers without a file of their own.
    pub resolver: Option<String>,
    /// The file's path.
    pub path: StoragePath,
}

impl FromStr for StorageChoice {
    type Err = String;

    /// Parses `PATH` or `RESOLVER=PATH`. A text with a slash before the `=` is a path.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((resolver, path)) if !resolver.contains('/') => {
                if resolver.is_empty() {
                    return Err("expected PATH or RESOLVER=PATH, found no resolver before the =".into());
                }
                Ok(Self { resolver: Some(resolver.to_owned()), path: path.parse()? })
            }
            _ => Ok(Self { resolver: None, path: text.parse()? }),
        }
    }
}

impl fmt::Display for StorageChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StoragePath(path) = &self.path;
        match &self.resolver {
            Some(resolver) => write!(f, "{resolver}={}", path.display()),
            None => path.display().fmt(f),
        }
    }
}

/// The sidecar's storages for this setup. The first resolver's file is the one for all resolvers without a file of
/// their own.
pub(super) fn choices(setup: &Setup) -> Vec<StorageChoice> {
    let mut choices: Vec<StorageChoice> = Vec::new();
    for resolver in &setup.resolvers {
        let Some(path) = &resolver.storage else { continue };
        let path = StoragePath(path.into());
        let is_first = choices.is_empty();
        if is_first || choices.first().is_some_and(|first| first.path != path) {
            choices.push(StorageChoice { resolver: (!is_first).then(|| resolver.name.clone()), path });
        }
    }
    choices
}

/// Combines the flag's values.
///
/// # Errors
/// When one resolver, or all without a file of their own, are given two different files.
pub fn storages(choices: &[StorageChoice]) -> Result<Storages, String> {
    let (mut default, mut own) = (None, BTreeMap::<String, PathBuf>::new());
    for StorageChoice { resolver, path: StoragePath(path) } in choices {
        let (before, whose) = match resolver {
            Some(resolver) => (own.insert(resolver.clone(), path.clone()), format!("the resolver {resolver}")),
            None => (default.replace(path.clone()), "resolvers without one of their own".to_owned()),
        };
        if let Some(before) = before.filter(|before| before != path) {
            let before = before.display();
            let path = path.display();
            return Err(format!(
                "--storage: found two files for {whose}, {before} and {path}; expected one, and RESOLVER=PATH for each \
                 resolver with another"
            ));
        }
    }
    Ok(Storages { default: default.unwrap_or_else(|| DEFAULT.into()), own })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn together(texts: &[&str]) -> Result<Storages, String> {
        let choices: Result<Vec<StorageChoice>, String> = texts.iter().map(|text| text.parse()).collect();
        storages(&choices?)
    }

    #[test]
    fn one_is_for_all_and_others_are_for_one_resolver_each() {
        let own = [("le", "/b.json"), ("zero", "/c=d.json")].map(|(resolver, path)| (resolver.into(), path.into()));
        let expected = Storages { default: "/a.json".into(), own: own.into() };
        assert_eq!(together(&["/a.json", "le=/b.json", "zero=/c=d.json"]), Ok(expected));
        assert_eq!(together(&["le=/b.json"]).unwrap().default, PathBuf::from("acme.json"));
        assert_eq!(together(&["./x=y/acme.json"]).unwrap().default, PathBuf::from("./x=y/acme.json"));
        assert!(together(&["/a.json", "/a.json", "le=/b.json", "le=/b.json"]).is_ok());
    }

    #[test]
    fn two_for_the_same_are_refused_and_both_are_named() {
        let refusal = together(&["le=/a.json", "le=/b.json"]).unwrap_err();
        assert!(refusal.contains("the resolver le, /a.json and /b.json"), "{refusal}");
        let refusal = together(&["/a.json", "/b.json"]).unwrap_err();
        assert!(refusal.contains("RESOLVER=PATH"), "{refusal}");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for text in ["", "=", "=/a.json", "le=", "le=etcd://localhost", "le=dir:/x", "etcd://localhost"] {
            assert!(together(&[text]).is_err(), "{text}");
        }
    }
}
