//! The certificate that answers a challenge (RFC 8737 §3), and the name under which a CA asks for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_lc_rs::digest::{SHA256, digest};
use protocol::TlsAlpn01;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, KeyPair};
use time::{Duration, OffsetDateTime};

use pki::Name;
use pki::Pair;
use pki::PairError;

/// The server name in the CA's ClientHello: the host itself, or for an address the name for reverse look-ups (RFC 8738
/// §6). Wildcards have none.
pub(super) fn asked_name(host: &str) -> Option<Name> {
    let name = Name::parse(host).filter(|name| name.as_str() == host && !name.is_wildcard())?;
    match host.parse() {
        Ok(IpAddr::V4(address)) => Name::parse(&reverse_v4(address)),
        Ok(IpAddr::V6(address)) => Name::parse(&reverse_v6(address)),
        Err(_) => Some(name),
    }
}

/// The reverse look-up name of an IPv4 address (RFC 1035 §3.5).
fn reverse_v4(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{d}.{c}.{b}.{a}.in-addr.arpa")
}

/// The reverse look-up name of an IPv6 address (RFC 3596 §2.5).
fn reverse_v6(address: Ipv6Addr) -> String {
    let digits = address.octets().into_iter().rev().flat_map(|byte| [byte & 0xf, byte >> 4]);
    let labels: String = digits.map(|digit| format!("{digit:x}.")).collect();
    labels + "ip6.arpa"
}

/// Creates a self-signed certificate with a key of its own, which ends with the challenge. The CA looks only at its
/// single SAN and at the hash.
pub(super) fn make(challenge: &TlsAlpn01, asked: &Name, now: i64) -> Result<Pair, MakeError> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(vec![challenge.host.clone()])?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "envoy-autocert TLS-ALPN-01 challenge");
    // Backdated by a day, for CAs whose clock is slow.
    params.not_before = OffsetDateTime::from_unix_timestamp(now)? - Duration::days(1);
    // `notAfter` is the last second of validity (RFC 5280 §4.1.2.5).
    params.not_after = OffsetDateTime::from_unix_timestamp(challenge.expires)? - Duration::seconds(1);
    let hash = digest(&SHA256, challenge.key_authorization.as_bytes());
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(hash.as_ref())];
    let certificate = params.self_signed(&key)?;
    let pair = Pair::parse(&certificate.pem(), &key.serialize_pem())?;
    // The pair is looked up by the CA's server name, which for an address is not the certificate's SAN.
    Ok(Pair { names: vec![asked.as_str().to_owned()], ..pair })
}

/// Reasons why there is no certificate.
#[derive(Debug)]
pub(super) enum MakeError {
    /// The crypto library failed.
    Crypto(rcgen::Error),
    /// The clock shows a time that certificates can't represent.
    Time(time::error::ComponentRange),
    /// The certificate made is not fit to be served.
    Unfit(PairError),
}

impl From<rcgen::Error> for MakeError {
    fn from(error: rcgen::Error) -> Self {
        Self::Crypto(error)
    }
}

impl From<time::error::ComponentRange> for MakeError {
    fn from(error: time::error::ComponentRange) -> Self {
        Self::Time(error)
    }
}

impl From<PairError> for MakeError {
    fn from(error: PairError) -> Self {
        Self::Unfit(error)
    }
}

impl std::fmt::Display for MakeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crypto(error) => error.fmt(f),
            Self::Time(error) => error.fmt(f),
            Self::Unfit(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    use x509_parser::extensions::GeneralName;
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn made(host: &str) -> Pair {
        let challenge = TlsAlpn01 {
            token: "t".into(),
            host: host.into(),
            key_authorization: "t.thumbprint".into(),
            expires: NOW + 600,
        };
        make(&challenge, &asked_name(host).unwrap(), NOW).unwrap()
    }

    #[test]
    fn a_certificate_has_one_name_and_a_critical_hash() {
        let names = [
            ("a.example", GeneralName::DNSName("a.example")),
            ("192.0.2.1", GeneralName::IPAddress(&[192, 0, 2, 1])),
            ("::1", GeneralName::IPAddress(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
        ];
        for (host, name) in names {
            let pair = made(host);
            let der = CertificateDer::from_pem_slice(pair.chain_pem.as_bytes()).unwrap();
            let (_, certificate) = X509Certificate::from_der(&der).unwrap();
            assert_eq!(certificate.subject_alternative_name().unwrap().unwrap().value.general_names, [name]);
            let oid = "1.3.6.1.5.5.7.1.31";
            let found = certificate.extensions().iter().find(|extension| extension.oid.to_id_string() == oid).unwrap();
            let hash = digest(&SHA256, b"t.thumbprint");
            assert!(found.critical);
            assert_eq!(found.value, [&[4, 32], hash.as_ref()].concat(), "an OCTET STRING of 32 bytes");
            assert_eq!(pair.not_after, NOW + 599);
            assert!(pair.is_valid_at(NOW) && !pair.is_valid_at(NOW + 600));
        }
    }

    #[test]
    fn an_address_is_asked_for_by_its_reverse_name() {
        let asked = |host| asked_name(host).map(|name| name.as_str().to_owned());
        assert_eq!(asked("a.example").as_deref(), Some("a.example"));
        assert_eq!(asked("192.0.2.7").as_deref(), Some("7.2.0.192.in-addr.arpa"));
        // The example of RFC 3596 §2.5.
        let reverse = "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa";
        assert_eq!(asked("4321:0:1:2:3:4:567:89ab").as_deref(), Some(reverse));
        for host in ["*.a.example", "A.example", "a.example.", "[::1]", "0:0::1", "../x", ""] {
            assert_eq!(asked(host), None, "{host}");
        }
    }
}
