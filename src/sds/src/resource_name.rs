//! What a client asks for by a resource's name.

use protocol::resource_name::Resource;

use pki::Name;

/// A resource, by the name that a client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceName {
    /// CA certificates to verify clients by. There are none here; and an Envoy that is given a certificate with a key in
    /// their place verifies nobody.
    CaCertificates,
    /// The certificate for this name.
    Certificate(Name),
    /// Something without a name: it may be anything, CA certificates too.
    Unknown,
}

impl ResourceName {
    /// Reads a name as a client writes it: `a.example`, and the URLs that Istio makes of a Gateway's `credentialName`.
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
