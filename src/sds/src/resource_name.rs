//! Resource names of clients, parsed into what they ask for.

use protocol::resource_name::Resource;

use pki::Name;

/// A resource, by the name that a client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceName {
    /// CA certificates to verify clients by. There are none here, and an Envoy that got a certificate with a key in
    /// their place would verify nobody.
    CaCertificates,
    /// The certificate for this name.
    Certificate(Name),
    /// No valid name: the resource may be anything, also CA certificates.
    Unknown,
}

impl ResourceName {
    /// Parses a client's spelling: `a.example`, and the URLs that Istio makes of a Gateway's `credentialName`.
    pub fn parse(given: &str) -> Self {
        match Resource::parse(given) {
            Resource::CaCertificates => Self::CaCertificates,
            Resource::Certificate(name) => Name::parse(name).map_or(Self::Unknown, Self::Certificate),
        }
    }

    /// The name of a certificate.
    pub fn certificate(&self) -> Option<&Name> {
        match self {
            Self::Certificate(name) => Some(name),
            Self::CaCertificates | Self::Unknown => None,
        }
    }
}
