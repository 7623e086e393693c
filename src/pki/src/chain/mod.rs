//! Chains from a CA: their verification before they are served, and the facts read from them.
//!
//! Promises: no chain is published that visitors would refuse: wrong key, missing names, outside its dates, a
//! certificate not signed by the next. Refuses: to decide whom to trust, and to judge signatures of algorithms unknown
//! here; the visitor does.

mod links;
mod parsed;
mod refusal;

use parsed::parsed;
pub use refusal::{MAX_CHAIN_BYTES, Refusal};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use protocol::KeyType;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::secret::Secret;
use crate::{Name, Pair, PairError};

/// Tolerated lead of the CA's clock over ours, in seconds.
const CLOCK_SKEW: i64 = 60;

/// Verifies a chain that an order produced.
///
/// # Errors
/// When the chain can't be served for these names.
pub fn verify(chain_pem: &str, key: &Secret, names: &[String], now: i64) -> Result<Pair, Refusal> {
    if chain_pem.len() > MAX_CHAIN_BYTES {
        return Err(Refusal::TooLarge(chain_pem.len()));
    }
    let pair = Pair::parse_issued(chain_pem, &key_pem(key))?;
    verify_names(&pair, names)?;
    if now > pair.not_after {
        return Err(Refusal::Expired { not_after: pair.not_after, now });
    }
    if now.saturating_add(CLOCK_SKEW) < pair.not_before {
        return Err(Refusal::NotYetValid { not_before: pair.not_before, now });
    }
    links::verify(&pair)?;
    Ok(pair)
}

/// Verifies a pair that was made elsewhere, whatever its dates.
///
/// # Errors
/// When the pair does not cover the names, or its chain is broken.
pub fn verify_undated(pair: &Pair, names: &[String]) -> Result<(), Refusal> {
    verify_names(pair, names)?;
    links::verify(pair)
}

/// True if this PEM is the chain of this pair.
pub fn is_same(pair: &Pair, chain_pem: &str) -> bool {
    let other: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect();
    other.is_ok_and(|other| other == pair.chain)
}

fn verify_names(pair: &Pair, names: &[String]) -> Result<(), Refusal> {
    match names.iter().find(|name| !covers(&pair.names, name)) {
        Some(missing) => Err(Refusal::NameMissing { missing: missing.clone(), covered: pair.names.clone() }),
        None => Ok(()),
    }
}

fn covers(covered: &[String], name: &str) -> bool {
    let Some(name) = Name::parse(name) else { return false };
    let wildcard = name.wildcard();
    let is = |covered: &str, name: &Name| covered == name.as_str();
    covered.iter().any(|covered| is(covered, &name) || wildcard.as_ref().is_some_and(|name| is(covered, name)))
}

/// True when a pair's leaf names itself as its issuer: no CA has issued it.
pub fn is_self_signed(pair: &Pair) -> bool {
    let Some(leaf) = pair.chain.first() else { return false };
    X509Certificate::from_der(leaf).is_ok_and(|(_, leaf)| leaf.issuer().as_raw() == leaf.subject().as_raw())
}

/// The common name of the issuer of a chain's root, or of its last certificate where the chain has no root: in most
/// chains the root that it leads to. Empty where there is none.
pub fn root_name(chain_pem: &str) -> String {
    let mut name = String::new();
    for der in CertificateDer::pem_slice_iter(chain_pem.as_bytes()).filter_map(Result::ok) {
        let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return String::new() };
        let common_name = certificate.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
        name = common_name.unwrap_or_default().to_owned();
        if links::is_root(&certificate) {
            break;
        }
    }
    name
}

/// The facts of a certificate, for the engine and for people.
///
/// # Errors
/// When the pair's leaf can't be read.
pub fn facts(id: protocol::CertificateId, pair: &Pair) -> Result<protocol::StoredCertificate, Refusal> {
    let leaf = parsed(pair.chain.first().ok_or(PairError::NoCertificate)?)?;
    let common_name = leaf.issuer().iter_common_name().next().and_then(|name| name.as_str().ok());
    Ok(protocol::StoredCertificate {
        resolver: id.resolver,
        names: id.names,
        not_before: pair.not_before,
        not_after: pair.not_after,
        serial: serial_text(leaf.raw_serial()),
        issuer: common_name.map_or_else(|| leaf.issuer().to_string(), str::to_owned),
        key_type: key_type(&leaf),
        renewal_id: renewal_id(&leaf),
    })
}

/// The identifier by which the CA is asked when to renew a certificate (RFC 9773 §4.1): its authority key identifier
/// and its serial number in DER (with the leading zero that keeps it positive), each in base64url.
fn renewal_id(leaf: &X509Certificate<'_>) -> Option<String> {
    let authority = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(authority) => authority.key_identifier.as_ref(),
        _ => None,
    })?;
    Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(authority.0), URL_SAFE_NO_PAD.encode(leaf.raw_serial())))
}

/// The serial number of a certificate in DER, as in [`protocol::StoredCertificate`].
pub fn serial_of(der: &[u8]) -> Option<String> {
    X509Certificate::from_der(der).ok().map(|(_, certificate)| serial_text(certificate.raw_serial()))
}

/// A serial number as it stands in DER, without the zero byte that keeps it positive there.
pub fn serial_text(raw: &[u8]) -> String {
    let significant = match raw {
        [0, rest @ ..] if !rest.is_empty() => rest,
        raw => raw,
    };
    hex::encode(significant)
}

/// The key type by Traefik's names, also for types that we don't make but users bring.
fn key_type(leaf: &X509Certificate<'_>) -> String {
    match leaf.public_key().parsed() {
        Ok(PublicKey::EC(point)) if point.key_size() == 256 => KeyType::Ec256.as_str().to_owned(),
        Ok(PublicKey::EC(point)) if point.key_size() == 384 => KeyType::Ec384.as_str().to_owned(),
        // 521 bits in whole bytes.
        Ok(PublicKey::EC(point)) if point.key_size() == 528 => "EC521".to_owned(),
        Ok(PublicKey::EC(point)) => format!("EC{}", point.key_size()),
        Ok(PublicKey::RSA(rsa)) => format!("RSA{}", rsa.key_size()),
        Ok(_) | Err(_) => "other".to_owned(),
    }
}

/// A PKCS#8 key as PEM.
fn key_pem(key: &Secret) -> String {
    let encoded = STANDARD.encode(key.expose());
    format!("-----BEGIN PRIVATE KEY-----\n{encoded}\n-----END PRIVATE KEY-----\n")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_ECDSA_P521_SHA256,
        PKCS_ECDSA_P521_SHA512,
    };
    use time::OffsetDateTime;

    use super::*;
    use crate::keys::generate;

    const NOW: i64 = 1_800_000_000;

    struct Ca {
        issuer: Issuer<'static, KeyPair>,
        pem: String,
    }

    fn params(common_name: &str, names: &[&str]) -> CertificateParams {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.not_before = OffsetDateTime::from_unix_timestamp(NOW - 1000).unwrap();
        params.not_after = OffsetDateTime::from_unix_timestamp(NOW + 1000).unwrap();
        params
    }

    fn ca(common_name: &str) -> Ca {
        ca_with(common_name, KeyPair::generate().unwrap())
    }

    fn ca_with(common_name: &str, key: KeyPair) -> Ca {
        let mut params = params(common_name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Ca { issuer: Issuer::new(params, key), pem }
    }

    /// A leaf for `a.example` and `*.b.example`, with a key as the sidecar keeps it.
    fn leaf(ca: &Ca, change: impl FnOnce(&mut CertificateParams)) -> (String, Secret) {
        let key = generate(KeyType::Ec256).unwrap();
        let key_pair = KeyPair::try_from(key.expose()).unwrap();
        let mut params = params("a.example", &["a.example", "*.b.example", "192.0.2.7"]);
        change(&mut params);
        (params.signed_by(&key_pair, &ca.issuer).unwrap().pem(), key)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn refusal(chain: &str, key: &Secret, wanted: &[&str]) -> Refusal {
        verify(chain, key, &names(wanted), NOW).err().unwrap()
    }

    #[test]
    fn a_chain_that_fits_is_taken() {
        let ca = ca("CA");
        let (leaf, key) = leaf(&ca, |_| {});
        let wanted = names(&["a.example", "*.b.example", "192.0.2.7"]);
        for chain in [leaf.clone(), format!("{leaf}{}", ca.pem), format!("hello\n{leaf}\n\n{}", ca.pem)] {
            assert!(verify(&chain, &key, &wanted, NOW).is_ok());
        }
    }

    /// RFC 9773, appendix A: the example and its identifier in §4.1.
    #[test]
    fn a_certificate_is_known_for_its_renewal_by_its_authority_and_its_serial_number() {
        const EXAMPLE: &str = "-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";
        let der = CertificateDer::from_pem_slice(EXAMPLE.as_bytes()).unwrap();
        let (_, leaf) = X509Certificate::from_der(&der).unwrap();
        assert_eq!(renewal_id(&leaf).as_deref(), Some("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"));
        let (without, _) = self::leaf(&ca("CA"), |_| {});
        let der = CertificateDer::from_pem_slice(without.as_bytes()).unwrap();
        assert_eq!(renewal_id(&X509Certificate::from_der(&der).unwrap().1), None, "it names no authority key");
    }

    #[test]
    fn its_facts_are_read() {
        let ca = ca("Some CA");
        let (leaf, key) = leaf(&ca, |params| params.serial_number = Some(vec![0x00, 0xab, 0x01].into()));
        let id = protocol::CertificateId { resolver: "le".into(), names: names(&["a.example"]) };
        let facts = facts(id.clone(), &verify(&leaf, &key, &id.names, NOW).ok().unwrap()).unwrap();
        assert_eq!(facts.id(), id);
        assert_eq!((facts.not_before, facts.not_after), (NOW - 1000, NOW + 1000));
        assert_eq!((facts.serial.as_str(), facts.issuer.as_str()), ("ab01", "Some CA"));
        assert_eq!(facts.key_type, "EC256");
    }

    #[test]
    fn another_key_is_refused() {
        let (leaf, _) = leaf(&ca("CA"), |_| {});
        let other = generate(KeyType::Ec256).unwrap();
        assert_eq!(refusal(&leaf, &other, &["a.example"]), Refusal::Pair(PairError::KeyMismatch));
    }

    #[test]
    fn a_name_that_is_not_covered_is_refused() {
        let (leaf, key) = leaf(&ca("CA"), |_| {});
        for missing in ["c.example", "x.y.b.example", "b.example", "192.0.2.8", "*.a.example"] {
            let refusal = refusal(&leaf, &key, &["a.example", missing]);
            assert!(matches!(refusal, Refusal::NameMissing { missing: found, .. } if found == missing));
        }
        assert!(verify(&leaf, &key, &names(&["x.b.example"]), NOW).is_ok());
    }

    #[test]
    fn a_certificate_out_of_its_dates_is_refused() {
        let (leaf, key) = leaf(&ca("CA"), |_| {});
        let at = |now| verify(&leaf, &key, &names(&["a.example"]), now).err();
        assert!(matches!(at(NOW + 1001), Some(Refusal::Expired { .. })));
        assert_eq!(at(NOW + 1000), None);
        assert_eq!(at(NOW - 1000 - CLOCK_SKEW), None);
        assert!(matches!(at(NOW - 1001 - CLOCK_SKEW), Some(Refusal::NotYetValid { .. })));
    }

    #[test]
    fn a_chain_in_which_one_is_not_issued_by_the_next_is_refused() {
        let real = ca("CA");
        let twin = ca("CA");
        let other = ca("Other");
        let (leaf, key) = leaf(&real, |_| {});
        let why = |chain: String| match refusal(&chain, &key, &["a.example"]) {
            Refusal::Link { place, why } => (place, why),
            other => panic!("{other}"),
        };
        assert_eq!(why(format!("{leaf}{}", other.pem)), (1, "its issuer is not the subject of the next one"));
        assert_eq!(why(format!("{leaf}{}", twin.pem)), (1, "the next one's key did not sign it"));
    }

    /// F2: the rarest of the curves and hashes that CAs use; `signature` tests the others.
    #[test]
    fn a_chain_of_a_ca_with_a_key_of_521_bits_is_taken_and_a_wrong_signature_in_it_is_not() {
        for algorithm in [&PKCS_ECDSA_P521_SHA256, &PKCS_ECDSA_P521_SHA512] {
            let ca = || ca_with("CA", KeyPair::generate_for(algorithm).unwrap());
            let real = ca();
            let twin = ca();
            let (leaf, key) = leaf(&real, |_| {});
            assert!(verify(&format!("{leaf}{}", real.pem), &key, &names(&["a.example"]), NOW).is_ok());
            let refusal = refusal(&format!("{leaf}{}", twin.pem), &key, &["a.example"]);
            assert_eq!(refusal, Refusal::Link { place: 1, why: "the next one's key did not sign it" });
        }
    }

    /// The same chain, its signature declared to be of another algorithm: nobody here can tell whether it is right.
    #[test]
    fn a_signature_of_an_algorithm_that_is_not_known_is_left_to_the_visitor() {
        const SHA256: [u8; 10] = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
        let with = |pem: &str, hash: u8| {
            let mut der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
            let places: Vec<usize> = (9..der.len()).filter(|end| der[end - 9..=*end] == SHA256).collect();
            places.iter().for_each(|place| der[*place] = hash);
            assert_eq!(places.len(), 2);
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
        };
        let ca = ca("CA");
        let (leaf, key) = leaf(&ca, |_| {});
        let verdict = |hash| verify(&format!("{}{}", with(&leaf, hash), ca.pem), &key, &names(&["a.example"]), NOW);
        let sha224 = 1;
        let sha512 = 4;
        assert!(verdict(sha224).is_ok(), "as long as its names, dates and key are right");
        let why = "the next one's key did not sign it";
        assert_eq!(verdict(sha512).err(), Some(Refusal::Link { place: 1, why }));
    }

    /// F9: the CA omitted the names of the signing request.
    #[test]
    fn a_certificate_with_nothing_but_a_common_name_is_refused() {
        let (leaf, key) = leaf(&ca("CA"), |params| params.subject_alt_names.clear());
        let refusal = refusal(&leaf, &key, &["a.example"]);
        assert_eq!(refusal, Refusal::Pair(PairError::NoAlternativeNames));
        assert!(refusal.to_string().contains("subject alternative names"), "{refusal}");
    }

    #[test]
    fn an_issuer_that_is_no_ca_is_refused() {
        let root = ca("Root");
        let key = KeyPair::generate().unwrap();
        let middle_params = params("Middle", &["m.example"]);
        let pem = middle_params.signed_by(&key, &root.issuer).unwrap().pem();
        let middle = Ca { issuer: Issuer::new(middle_params, key), pem };
        let (leaf, key) = leaf(&middle, |_| {});
        let refusal = refusal(&format!("{leaf}{}", middle.pem), &key, &["a.example"]);
        assert_eq!(refusal, Refusal::Link { place: 1, why: "the next one is not a CA's" });
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        let ca = ca("CA");
        let (leaf, key) = leaf(&ca, |_| {});
        let pair = |chain: &str| match refusal(chain, &key, &["a.example"]) {
            Refusal::Pair(error) => error,
            other => panic!("{other}"),
        };
        assert_eq!(pair(""), PairError::NoCertificate);
        assert!(matches!(pair("-----BEGIN CERTIFICATE-----\n"), PairError::Chain(_)));
        assert!(matches!(pair("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), PairError::Chain(_)));
        assert_eq!(pair(&format!("{leaf}{}", ca.pem.repeat(10))), PairError::ChainTooLong(11));
        let large = " ".repeat(MAX_CHAIN_BYTES + 1);
        assert_eq!(refusal(&large, &key, &["a.example"]), Refusal::TooLarge(MAX_CHAIN_BYTES + 1));
    }

    #[test]
    fn a_chain_is_named_by_the_root_that_it_leads_to() {
        let root = ca("Root");
        let other = ca("Other");
        let (leaf, _) = leaf(&root, |_| {});
        for (chain, expected) in [
            (leaf.clone(), "Root"),
            (format!("{leaf}{}", root.pem), "Root"),
            // Certificates after a root are no part of the chain.
            (format!("{leaf}{}{}", root.pem, other.pem), "Root"),
            (String::new(), ""),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), ""),
        ] {
            assert_eq!(root_name(&chain), expected);
        }
    }

    #[test]
    fn the_same_chain_is_distinguished_from_another_whatever_surrounds_it() {
        let ca = ca("CA");
        let (chain, key) = leaf(&ca, |_| {});
        let pair = verify(&chain, &key, &names(&["a.example"]), NOW).ok().unwrap();
        assert!(is_same(&pair, &format!("# a comment\n{chain}\n")));
        assert!(!is_same(&pair, &format!("{chain}{}", ca.pem)));
        assert!(!is_same(&pair, "junk"));
    }
}
