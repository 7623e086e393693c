//! Coverage of names by a set of certificates.

use std::collections::HashSet;

/// The names that some certificates cover, exactly or by a wildcard for one label (RFC 6125 §6.4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage<'a> {
    exact: HashSet<&'a str>,
    /// The parts after `*.` of the wildcard names.
    parents: HashSet<&'a str>,
}

impl<'a> Coverage<'a> {
    /// Adds the names of a certificate: DNS names in lower-case ASCII (also `*.example.com`), or IP addresses.
    pub fn add_all(&mut self, names: &'a [String]) {
        names.iter().for_each(|name| self.add(name));
    }

    /// Adds one name.
    pub fn add(&mut self, name: &'a str) {
        match name.strip_prefix("*.") {
            Some(parent) => self.parents.insert(parent),
            None => self.exact.insert(name),
        };
    }

    /// True if all of these names are covered.
    pub fn covers_all(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.covers(name))
    }

    /// True if this name is covered. A wildcard is covered by the same wildcard only.
    pub fn covers(&self, name: &str) -> bool {
        match name.split_once('.') {
            Some(("*", parent)) => self.parents.contains(parent),
            Some((first, parent)) => {
                self.exact.contains(name)
                    // Only DNS names can be covered by a wildcard: an IP address's labels have no meaning.
                    || (!first.is_empty() && self.parents.contains(parent) && name.parse::<std::net::IpAddr>().is_err())
            }
            None => self.exact.contains(name),
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn covers(names: &[&str], name: &str) -> bool {
        let mut coverage = Coverage::default();
        names.iter().for_each(|name| coverage.add(name));
        coverage.covers(name)
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        assert!(covers(&["*.example.com"], "a.example.com"));
        assert!(!covers(&["*.example.com"], "example.com"));
        assert!(!covers(&["*.example.com"], "a.b.example.com"));
        assert!(covers(&["*.example.com"], "*.example.com"));
        assert!(!covers(&["*.com"], "*.example.com"));
    }

    #[test]
    fn an_address_is_covered_by_itself_only() {
        assert!(covers(&["192.0.2.1"], "192.0.2.1"));
        assert!(!covers(&["*.0.2.1"], "192.0.2.1"));
    }
}
