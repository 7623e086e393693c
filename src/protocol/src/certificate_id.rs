//! The identity of a certificate: the one notion of it that configuration, engine, storage and SDS share.
//!
//! Promises: two ids are equal, and hash alike, exactly when they have the same resolver and the same *set* of names. The
//! order of the names says which one is the main one, and nothing of identity.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::fnv;

/// The identity of a certificate: its resolver and the set of its names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateId {
    /// The resolver's name.
    pub resolver: String,
    /// DNS names in lower-case ASCII, or IP addresses; the first is the main one. Never empty.
    pub names: Vec<String>,
}

impl CertificateId {
    /// The same certificate with its names sorted, for where ids are listed or compared as text.
    pub fn canonical(&self) -> Self {
        let mut canonical = self.clone();
        canonical.names.sort_unstable();
        canonical.names.dedup();
        canonical
    }

    /// True for the id of a record that is stored under its certificate, and therefore does not repeat it.
    pub fn is_unset(&self) -> bool {
        self.names.is_empty() && self.resolver.is_empty()
    }

    /// The names, each once, in the order of the list.
    fn distinct(&self) -> impl Iterator<Item = &String> {
        let names = &self.names;
        names
            .iter()
            .enumerate()
            .filter(|(index, name)| !names.iter().take(*index).any(|other| other == *name))
            .map(|(_, name)| name)
    }
}

impl PartialEq for CertificateId {
    fn eq(&self, other: &Self) -> bool {
        let has_all = |names: &[String], of: &[String]| of.iter().all(|name| names.contains(name));
        // Most lists have one name, or are in the same order. The others are short, and differ soon or not at all.
        self.resolver == other.resolver
            && (self.names == other.names || (has_all(&self.names, &other.names) && has_all(&other.names, &self.names)))
    }
}

impl Eq for CertificateId {}

impl PartialOrd for CertificateId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// By resolver, then by the sorted names: consistent with [`Eq`].
impl Ord for CertificateId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.resolver.cmp(&other.resolver).then_with(|| match (self.names.as_slice(), other.names.as_slice()) {
            ([name], [another]) => name.cmp(another),
            (names, others) => sorted(names).cmp(sorted(others)),
        })
    }
}

/// Names in their order, each once. Nothing is copied: lists are short, and most differ in the first name.
fn sorted(names: &[String]) -> impl Iterator<Item = &String> {
    let after = |name: Option<&String>| names.iter().filter(|other| name.is_none_or(|name| *other > name)).min();
    std::iter::successors(after(None), move |name| after(Some(*name)))
}

impl Hash for CertificateId {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.resolver.hash(state);
        // A sum is the same in any order, and copies nothing.
        state.write_u64(self.distinct().fold(0, |sum, name| fnv::hash(name.as_bytes()).wrapping_add(sum)));
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let more = self.names.len().saturating_sub(1);
        write!(f, "{}", self.names.first().map_or("certificate without names", String::as_str))?;
        if more > 0 { write!(f, " (and {more} more)") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn id(resolver: &str, names: &[&str]) -> CertificateId {
        CertificateId { resolver: resolver.into(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    #[test]
    fn a_certificate_is_found_by_its_names_in_any_order() {
        let keys = HashSet::from([id("le", &["a.example", "b.example", "c.example"]), id("le", &["a.example"])]);
        assert!(keys.contains(&id("le", &["c.example", "a.example", "b.example"])));
        assert!(keys.contains(&id("le", &["a.example"])));
        for other in
            [id("le", &["a.example", "b.example"]), id("zero", &["a.example"]), id("le", &["b.example"]), id("le", &[])]
        {
            assert!(!keys.contains(&other), "{other:?}");
        }
    }

    #[test]
    fn certificates_are_ordered_by_their_sorted_names() {
        let sorted = [
            id("a", &["z"]),
            id("b", &[]),
            id("b", &["a"]),
            id("b", &["b", "a"]),
            id("b", &["c", "a"]),
            id("b", &["b"]),
        ];
        assert!(sorted.is_sorted());
        assert!(sorted.iter().rev().is_sorted_by(|one, other| one > other));
        assert!(id("b", &["b", "a", "a"]).cmp(&id("b", &["a", "b"])).is_eq());
    }

    #[test]
    fn a_name_that_is_repeated_counts_once() {
        let (repeated, two) = (id("le", &["a.example", "a.example"]), id("le", &["a.example", "b.example"]));
        assert_ne!(repeated, two);
        assert_ne!(two, repeated);
        assert_eq!(repeated, id("le", &["a.example"]));
        assert!(HashSet::from([repeated.clone()]).contains(&id("le", &["a.example"])));
        assert_eq!(repeated.canonical().names, ["a.example"]);
    }
}
