//! Certificates as keys of maps.

/// What makes certificates the same: the resolver and the set of names, whatever their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateKey {
    /// The resolver's name.
    pub resolver: String,
    names: Vec<String>,
}

impl CertificateKey {
    /// The names, sorted.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

impl From<&protocol::CertificateId> for CertificateKey {
    fn from(id: &protocol::CertificateId) -> Self {
        let mut names = id.names.clone();
        names.sort_unstable();
        names.dedup();
        Self { resolver: id.resolver.clone(), names }
    }
}
