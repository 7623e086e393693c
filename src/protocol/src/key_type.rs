//! Key types of certificates.

/// The types of a certificate's key, by Traefik's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// ECDSA on P-256.
    Ec256,
    /// ECDSA on P-384.
    Ec384,
    /// RSA, 2048 bit.
    Rsa2048,
    /// RSA, 4096 bit.
    Rsa4096,
    /// RSA, 8192 bit.
    Rsa8192,
}

impl KeyType {
    /// Every type, in the order of their names.
    pub const ALL: [Self; 5] = [Self::Ec256, Self::Ec384, Self::Rsa2048, Self::Rsa4096, Self::Rsa8192];

    /// Traefik's name: `EC256`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec256 => "EC256",
            Self::Ec384 => "EC384",
            Self::Rsa2048 => "RSA2048",
            Self::Rsa4096 => "RSA4096",
            Self::Rsa8192 => "RSA8192",
        }
    }

    /// The type of this name, case-sensitive as in Traefik.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key_type| key_type.as_str() == name)
    }
}
