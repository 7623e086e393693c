//! Certificates as keys of maps: the order of their names makes no difference, and looking one up copies nothing.

use std::hash::{Hash, Hasher};

use crate::spread::hash;
use crate::vault::CertificateId;

/// The key of a certificate: equal for all ids that are the same certificate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a>(pub(crate) &'a CertificateId);

impl PartialEq for Key<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0.is_same(other.0)
    }
}

impl Eq for Key<'_> {}

impl Hash for Key<'_> {
    fn hash<S: Hasher>(&self, state: &mut S) {
        self.0.resolver.hash(state);
        match self.0.names.as_slice() {
            [name] => name.hash(state),
            // A sum is the same in any order.
            names => state.write_u64(names.iter().fold(0, |sum, name| hash(name).wrapping_add(sum))),
        }
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
        let (stored, single) = (id("le", &["a.example", "b.example", "c.example"]), id("le", &["a.example"]));
        let keys = HashSet::from([Key(&stored), Key(&single)]);
        assert!(keys.contains(&Key(&id("le", &["c.example", "a.example", "b.example"]))));
        assert!(keys.contains(&Key(&id("le", &["a.example"]))));
        for other in
            [id("le", &["a.example", "b.example"]), id("zero", &["a.example"]), id("le", &["b.example"]), id("le", &[])]
        {
            assert!(!keys.contains(&Key(&other)), "{other:?}");
        }
    }
}
