//! Signatures made by OpenSSL: right where the algorithm is checked here, `Unknown` where it is not.

#![allow(clippy::unwrap_used)]

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use x509_parser::prelude::FromDer;

use super::*;

/// Self-signed certificates, each named by its algorithm; `fixtures/make.sh` makes them.
const KNOWN: &str = include_str!("fixtures/known.pem");
const UNKNOWN: &str = include_str!("fixtures/unknown.pem");

/// Verdicts on each of these certificates, unaltered and altered.
fn verdicts(pem: &str) -> Vec<(String, [Result<(), Unverified>; 2])> {
    let ders: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
    let verdict = |der: &CertificateDer<'_>| {
        let (_, certificate) = X509Certificate::from_der(der).unwrap();
        let signed = Signed::from(&certificate);
        let mut altered = signed.content.to_vec();
        *altered.last_mut().unwrap() ^= 1;
        let other = Signed { content: &altered, ..Signed::from(&certificate) };
        let key = certificate.public_key();
        (certificate.subject().to_string(), [signed.verify(key), other.verify(key)])
    };
    ders.iter().map(verdict).collect()
}

#[test]
fn every_algorithm_of_cas_is_checked() {
    let verdicts = verdicts(KNOWN);
    assert_eq!(verdicts.len(), 21);
    for (name, verdict) in verdicts {
        assert_eq!(verdict, [Ok(()), Err(Unverified::Wrong)], "{name}");
    }
}

#[test]
fn an_algorithm_that_is_not_checked_is_never_called_wrong_and_is_named() {
    let verdicts = verdicts(UNKNOWN);
    assert_eq!(verdicts.len(), 7);
    for (name, verdict) in &verdicts {
        assert!(verdict.iter().all(|verdict| matches!(verdict, Err(Unverified::Unknown(_)))), "{name}: {verdict:?}");
    }
    let text = format!("{verdicts:?}");
    for named in ["ed448", "ecdsa-with-SHA224", "1.3.36.3.3.2.8.1.1.7", "rsassa-pss"] {
        assert!(text.to_ascii_lowercase().contains(&named.to_ascii_lowercase()), "{named}: {text}");
    }
}

/// An RSA key makes no ECDSA signature.
#[test]
fn a_key_of_another_kind_did_not_make_it() {
    let ders: Vec<_> = CertificateDer::pem_slice_iter(KNOWN.as_bytes()).map(Result::unwrap).collect();
    let certificates: Vec<_> = ders.iter().map(|der| X509Certificate::from_der(der).unwrap().1).collect();
    for signed in &certificates {
        for other in certificates.iter().filter(|other| other.public_key().raw != signed.public_key().raw) {
            let verdict = Signed::from(signed).verify(other.public_key());
            assert!(verdict.is_err(), "{} by {}", signed.subject(), other.subject());
        }
    }
    let of = |name: &str| certificates.iter().find(|one| one.subject().to_string() == format!("CN={name}")).unwrap();
    for (signed, by) in [("P-256 sha256", "RSA sha256"), ("RSA sha256", "P-256 sha256"), ("Ed25519", "P-384 sha384")] {
        let verdict = Signed::from(of(signed)).verify(of(by).public_key());
        assert_eq!(verdict, Err(Unverified::Wrong), "{signed} by {by}");
    }
}
