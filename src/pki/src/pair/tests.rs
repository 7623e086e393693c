//! Parsing of pairs. The fixtures were made with openssl, for these tests only.

#![allow(clippy::unwrap_used)]

use rcgen::{CertificateParams, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, SanType};

use super::*;

const EC: (&str, &str) = (include_str!("fixtures/ec.crt"), include_str!("fixtures/ec.key"));
const RSA: (&str, &str) = (include_str!("fixtures/rsa.crt"), include_str!("fixtures/rsa.key"));

fn parse((chain, key): (&str, &str)) -> Result<Pair, PairError> {
    Pair::parse(chain, key)
}

fn refusal(chain: &str, key: &str) -> PairError {
    Pair::parse(chain, key).err().unwrap()
}

#[test]
fn names_are_the_dns_names_and_addresses_of_the_leaf_cleaned_and_once_each() {
    assert_eq!(parse(EC).unwrap().names, ["ec.test", "*.ec.test", "192.0.2.1", "2001:db8::1"]);
}

#[test]
fn a_certificate_without_alternative_names_is_named_by_its_common_name() {
    assert_eq!(parse(RSA).unwrap().names, ["rsa.test"]);
}

/// Go and browsers look only at SANs (F9). The user's own certificates, which only some may visit, are another matter.
#[test]
fn a_certificate_of_a_ca_is_named_by_its_alternative_names_alone() {
    assert_eq!(Pair::parse_issued(EC.0, EC.1).unwrap().names, parse(EC).unwrap().names);
    assert_eq!(Pair::parse_issued(RSA.0, RSA.1).err().unwrap(), PairError::NoAlternativeNames);
}

#[test]
fn an_address_and_a_final_dot_in_a_dns_name_count_for_nothing_in_a_certificate_of_a_ca() {
    let dns = |name: &str| SanType::DnsName(name.try_into().unwrap());
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![dns("192.0.2.7"), dns("2001:db8::1"), dns("dot.test."), dns("a.test")];
    let key = KeyPair::generate().unwrap();
    let chain = params.self_signed(&key).unwrap().pem();
    assert_eq!(Pair::parse_issued(&chain, &key.serialize_pem()).unwrap().names, ["a.test"]);
    assert!(Pair::parse(&chain, &key.serialize_pem()).unwrap().names.contains(&"192.0.2.7".to_owned()));
}

#[test]
fn every_usual_encoding_of_a_key_is_taken_and_kept() {
    assert!(EC.1.contains("BEGIN EC PARAMETERS"), "as openssl writes it");
    assert!(parse(EC).unwrap().key_pem.starts_with("-----BEGIN EC PRIVATE KEY-----\n"));
    assert!(parse(RSA).unwrap().key_pem.starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let pair = Pair::parse(&certificate.pem(), &key.serialize_pem()).unwrap();
    assert!(pair.key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
}

#[test]
fn larger_curves_are_taken() {
    for algorithm in [&PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        Pair::parse(&certificate.pem(), &key.serialize_pem()).unwrap();
    }
}

#[test]
fn text_around_the_blocks_is_dropped_and_a_pair_parses_to_itself() {
    let chatty = format!("subject=CN = ec.test\n{}\nissuer=…\n{}", EC.0.replace('\n', "\r\n"), RSA.0);
    let pair = Pair::parse(&chatty, &format!("Bag Attributes\n{}", EC.1)).unwrap();
    assert_eq!(pair.chain_pem, format!("{}{}", EC.0, RSA.0));
    let again = Pair::parse(&pair.chain_pem, &pair.key_pem).unwrap();
    assert_eq!((again.version, again.chain_pem, again.key_pem), (pair.version, pair.chain_pem, pair.key_pem));
}

#[test]
fn the_version_is_that_of_the_whole_chain() {
    let alone = parse(EC).unwrap().version;
    assert_eq!(alone.len(), 2 * VERSION_BYTES);
    assert_eq!(alone, parse(EC).unwrap().version);
    assert_ne!(alone, Pair::parse(&format!("{}{}", EC.0, RSA.0), EC.1).unwrap().version);
}

#[test]
fn a_key_of_another_certificate_is_refused_also_when_it_is_further_down_the_chain() {
    assert_eq!(refusal(EC.0, RSA.1), PairError::KeyMismatch);
    assert_eq!(refusal(&format!("{}{}", EC.0, RSA.0), RSA.1), PairError::KeyMismatch);
}

#[test]
fn keys_that_envoy_refuses_are_refused() {
    let weak = refusal(include_str!("fixtures/weak.crt"), include_str!("fixtures/weak.key"));
    assert_eq!(weak, PairError::KeyType("an RSA key of 1024 bits".to_owned()));
    let ed25519 = refusal(include_str!("fixtures/ed25519.crt"), include_str!("fixtures/ed25519.key"));
    assert_eq!(ed25519, PairError::KeyType("neither RSA nor ECDSA".to_owned()));
}

#[test]
fn an_encrypted_damaged_or_missing_key_is_told_apart() {
    let why = |key: &str| refusal(EC.0, key).to_string();
    assert!(why(include_str!("fixtures/encrypted.key")).contains("passphrase"));
    assert!(why(&EC.1[..EC.1.len() - 40]).contains("cut short"));
    assert!(why("").contains("no PEM block"));
    assert!(why("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").contains("no key of a known type"));
}

#[test]
fn a_damaged_chain_is_refused_and_the_place_named() {
    assert_eq!(refusal("", EC.1), PairError::NoCertificate);
    assert_eq!(refusal(EC.1, EC.1), PairError::NoCertificate);
    assert!(matches!(refusal(&EC.0[..EC.0.len() - 40], EC.1), PairError::Chain(_)));
    let junk = format!("{}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", EC.0);
    assert!(refusal(&junk, EC.1).to_string().contains("certificate 2"), "{}", refusal(&junk, EC.1));
    assert_eq!(refusal(&EC.0.repeat(MAX_CHAIN + 1), EC.1), PairError::ChainTooLong(MAX_CHAIN + 1));
}

#[test]
fn a_certificate_that_names_nothing_is_refused() {
    assert_eq!(refusal(include_str!("fixtures/nameless.crt"), EC.1), PairError::NoNames);
}

#[test]
fn no_refusal_shows_anything_of_the_key() {
    let body = RSA.1.lines().nth(3).unwrap();
    for error in [refusal(EC.0, RSA.1), refusal(EC.0, &RSA.1.replace("END", "ENT")), refusal("", RSA.1)] {
        assert!(!format!("{error} {error:?}").contains(body));
    }
}
