//! Which names a set of certificates covers.

use std::collections::HashSet;

/// The names that some certificates cover, exactly or by a wildcard for one label (RFC 6125 §6.4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(HashSet<String>);

impl Coverage {
    /// Adds the names of a certificate: DNS names in lower-case ASCII (also `*.example.com`), or IP addresses.
    pub fn add_all(&mut self, names: &[String]) {
        self.0.extend(names.iter().cloned());
    }

    /// Whether every one of these names is covered. A wildcard is covered by the same wildcard only.
    pub fn covers_all(&self, names: &[String]) -> bool {
        names.iter().all(|name| self.covers(name))
    }

    fn covers(&self, name: &str) -> bool {
        if self.0.contains(name) {
            return true;
        }
        // An address has labels of no meaning: only names can be covered by a wildcard.
        let is_name = !name.starts_with('*') && name.parse::<std::net::IpAddr>().is_err();
        is_name && name.split_once('.').is_some_and(|(_, parent)| self.0.contains(&format!("*.{parent}")))
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn covers(names: &[&str], name: &str) -> bool {
        let mut coverage = Coverage::default();
        coverage.add_all(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        coverage.covers_all(&[name.to_owned()])
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
