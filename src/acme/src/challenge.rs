//! Challenges (RFC 8555 §8): the ways to prove that a name is ours, and what is shown to the CA for each.

use std::time::Duration;

/// The types of challenges that can be answered, the most preferred first, as in Traefik.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChallengeType {
    /// A certificate with the answer on port 443 (RFC 8737).
    TlsAlpn01,
    /// A page with the answer on port 80 (RFC 8555 §8.3).
    Http01,
    /// A TXT record with the answer (§8.4).
    Dns01,
    /// A TXT record that stays, by which the name's owner trusts this account (draft-ietf-acme-dns-persist).
    DnsPersist01,
}

impl ChallengeType {
    /// All of them, in the order of preference.
    pub const ALL: [Self; 4] = [Self::TlsAlpn01, Self::Http01, Self::Dns01, Self::DnsPersist01];

    /// The type's name in ACME: `http-01`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::DnsPersist01 => "dns-persist-01",
        }
    }

    /// The type of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// True if the type can prove a name: only DNS proves a wildcard (RFC 8555 §7.1.3), and an address has no DNS to
    /// prove it (RFC 8738 §7).
    pub fn proves(self, name: &str) -> bool {
        match self {
            Self::TlsAlpn01 | Self::Http01 => !name.starts_with('*'),
            Self::Dns01 | Self::DnsPersist01 => name.parse::<std::net::IpAddr>().is_err(),
        }
    }
}

impl std::fmt::Display for ChallengeType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A challenge type selected for a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeChoice {
    /// The challenge type.
    pub kind: ChallengeType,
    /// The wait between presenting the response and telling the CA.
    pub delay: Duration,
}

/// A challenge that is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The challenge's type.
    pub kind: ChallengeType,
    /// The challenge's token; empty for dns-persist-01, which has none.
    pub token: String,
    /// The name that is proved, without the `*.` of a wildcard.
    pub host: String,
    /// True if the identifier is the wildcard `*.` of this name.
    pub wildcard: bool,
    /// The key authorization (RFC 8555 §8.1); empty for dns-persist-01.
    pub key_authorization: String,
    /// The account's URL, which the record of dns-persist-01 names.
    pub account: String,
    /// The names by which the CA finds its own record of dns-persist-01.
    pub issuer_domain_names: Vec<String>,
    /// When the answer is dead in any case, seconds since 1970.
    pub expires: i64,
}

impl Challenge {
    /// The name as it stands in the certificate.
    pub fn name(&self) -> String {
        named(&self.host, self.wildcard)
    }
}

/// A name as it stands in a certificate.
pub(crate) fn named(host: &str, wildcard: bool) -> String {
    if wildcard { format!("*.{host}") } else { host.to_owned() }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn wildcards_are_proved_by_dns_and_addresses_are_not() {
        let proving = |name: &str| -> Vec<&str> {
            ChallengeType::ALL.into_iter().filter(|kind| kind.proves(name)).map(ChallengeType::as_str).collect()
        };
        assert_eq!(proving("a.example"), ["tls-alpn-01", "http-01", "dns-01", "dns-persist-01"]);
        assert_eq!(proving("*.a.example"), ["dns-01", "dns-persist-01"]);
        assert_eq!(proving("192.0.2.1"), ["tls-alpn-01", "http-01"]);
        assert_eq!(proving("2001:db8::1"), ["tls-alpn-01", "http-01"]);
    }
}
