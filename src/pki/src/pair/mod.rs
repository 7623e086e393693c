//! A certificate chain with its key: the content of one secret.
//!
//! Promises: Envoy accepts every [`Pair`] made by [`Pair::parse`]: the chain parses, the key is the leaf's, and its
//! type and size are ones that Envoy serves. Refuses everything else with a reason for a person.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use acme::test_system;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{KeyPair, PublicKeyData};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::Name;

/// The longest chain. Public ones have two to four certificates; a hundred would be a mistake or an attack.
const MAX_CHAIN: usize = 10;
/// Length of the hash that is the version, in bytes: 128 bits, so that a client with very many names can send all
/// versions back.
const VERSION_BYTES: usize = 16;
/// The smallest RSA key that Envoy accepts, in bits.
const MIN_RSA_BITS: usize = 2048;
/// The elliptic curves that Envoy accepts, by the size of their keys in bits.
const CURVES: [usize; 3] = [256, 384, 521];

/// A certificate with its key, ready to be served.
pub struct Pair {
    /// The chain in DER, leaf first, for all later questions about it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The same chain in PEM, as it is served and stored.
    pub chain_pem: String,
    /// The key in PEM (PKCS#8, or the encoding the user's file has). Secret: no Debug, no Display.
    pub key_pem: String,
    /// The names that the leaf covers: lower-case ASCII DNS names (also `*.example.com`), or IP addresses.
    pub names: Vec<String>,
    /// Start of validity, seconds since 1970.
    pub not_before: i64,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
    /// True if the issuer's name is that of a CA's test system, whose certificates nobody trusts.
    pub is_of_test_system: bool,
    /// A hash of the content: equal content, equal version. It is the secret's version in SDS.
    pub version: String,
}

impl Pair {
    /// Parses a user's own chain (PEM, leaf first) and its key (PEM: PKCS#8, PKCS#1 or SEC1). Text around the PEM
    /// blocks is dropped. A leaf without alternative names is named by its common name.
    ///
    /// # Errors
    /// When either does not parse, they don't belong together, the leaf names nothing, or Envoy would not take it. The
    /// dates are the caller's to judge.
    pub fn parse(chain_pem: &str, key_pem: &str) -> Result<Self, PairError> {
        let names = |leaf: &X509Certificate<'_>| match alternative_names(leaf, |_| true) {
            names if names.is_empty() => common_names(leaf),
            names => names,
        };
        Self::read(chain_pem, key_pem, names, PairError::NoNames)
    }

    /// Parses a CA's chain in the same way. Its common name doesn't count: browsers and Go refuse a certificate that
    /// has no other name. Nor do DNS SANs that are addresses or end in a dot: no client asks for such a name.
    ///
    /// # Errors
    /// As those of [`Pair::parse`].
    pub fn parse_issued(chain_pem: &str, key_pem: &str) -> Result<Self, PairError> {
        let names = |leaf: &X509Certificate<'_>| alternative_names(leaf, is_host);
        Self::read(chain_pem, key_pem, names, PairError::NoAlternativeNames)
    }

    fn read(
        chain_pem: &str,
        key_pem: &str,
        names: impl FnOnce(&X509Certificate<'_>) -> Vec<String>,
        nameless: PairError,
    ) -> Result<Self, PairError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| PairError::Chain(error.to_string()))?;
        if chain.len() > MAX_CHAIN {
            return Err(PairError::ChainTooLong(chain.len()));
        }
        let leaf = chain.first().ok_or(PairError::NoCertificate)?;
        for (place, der) in chain.iter().enumerate() {
            whole_certificate(der).map_err(|why| PairError::Chain(format!("certificate {}: {why}", place + 1)))?;
        }
        let leaf_parsed = whole_certificate(leaf).map_err(PairError::Chain)?;
        check_key_type(&leaf_parsed)?;
        let key_der =
            PrivateKeyDer::from_pem_slice(key_pem.as_bytes()).map_err(|_| PairError::Key(describe_key(key_pem)))?;
        let key = KeyPair::try_from(&key_der).map_err(|_| PairError::Key("its content is no key of a known type"))?;
        if key.der_bytes() != &*leaf_parsed.public_key().subject_public_key.data {
            return Err(PairError::KeyMismatch);
        }
        let names = names(&leaf_parsed);
        if names.is_empty() {
            return Err(nameless);
        }
        let not_before = leaf_parsed.validity().not_before;
        let not_after = leaf_parsed.validity().not_after;
        Ok(Self {
            chain_pem: chain.iter().map(|der| pem_block("CERTIFICATE", der)).collect(),
            key_pem: key_block(&key_der),
            names,
            not_before: not_before.timestamp(),
            not_after: not_after.timestamp(),
            is_of_test_system: test_system::is_issuer(&leaf_parsed.issuer().to_string()),
            version: version(&chain),
            chain,
        })
    }

    /// True within the dates, both inclusive (RFC 5280 §4.1.2.5).
    pub fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }

    /// The first second of validity, and the first second after it.
    pub fn turns(&self) -> [i64; 2] {
        [self.not_before, self.not_after.saturating_add(1)]
    }
}

/// Parses one certificate that fills its whole block.
fn whole_certificate<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, String> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        Ok(_) => Err("there is something after its end".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reason why this PEM holds no usable key.
fn describe_key(key_pem: &str) -> &'static str {
    if key_pem.contains("BEGIN ENCRYPTED PRIVATE KEY") || key_pem.contains("Proc-Type: 4,ENCRYPTED") {
        "it is encrypted; a key without a passphrase is needed"
    } else if key_pem.contains("PRIVATE KEY-----") {
        "its PEM block is cut short or damaged"
    } else {
        "there is no PEM block of a private key"
    }
}

/// The first certificate of a chain, without its key.
pub struct Leaf {
    /// The names it covers, as [`Pair::names`].
    pub names: Vec<String>,
    /// True if issuer and subject are the same name.
    pub is_self_signed: bool,
}

impl Leaf {
    /// Parses the first certificate of this PEM; `None` when there is none, or it can't be read.
    pub fn of(chain_pem: &str) -> Option<Self> {
        let der = CertificateDer::pem_slice_iter(chain_pem.as_bytes()).next()?.ok()?;
        let leaf = whole_certificate(&der).ok()?;
        let names = alternative_names(&leaf, |_| true);
        Some(Self { names, is_self_signed: leaf.issuer() == leaf.subject() })
    }
}

/// Refuses the keys that Envoy's TLS contexts refuse, so that the error names the file and is no NACK.
fn check_key_type(leaf: &X509Certificate<'_>) -> Result<(), PairError> {
    match leaf.public_key().parsed() {
        Ok(PublicKey::EC(point)) if CURVES.iter().any(|bits| bits.div_ceil(8) * 8 == point.key_size()) => Ok(()),
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= MIN_RSA_BITS => Ok(()),
        Ok(PublicKey::EC(point)) => Err(PairError::KeyType(format!("an elliptic curve of {} bits", point.key_size()))),
        Ok(PublicKey::RSA(rsa)) => Err(PairError::KeyType(format!("an RSA key of {} bits", rsa.key_size()))),
        Ok(_) | Err(_) => Err(PairError::KeyType("neither RSA nor ECDSA".to_owned())),
    }
}

/// The leaf's DNS SANs for which `counts` is true, and its address SANs (RFC 5280 §4.2.1.6).
fn alternative_names(leaf: &X509Certificate<'_>, counts: fn(&str) -> bool) -> Vec<String> {
    let sans = leaf.subject_alternative_name().ok().flatten().map(|san| &san.value.general_names);
    let sans = sans.into_iter().flatten().filter_map(|name| match name {
        GeneralName::DNSName(name) => counts(name).then(|| (*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    once_each(sans.filter_map(|name| cleaned(&name)))
}

/// True for a DNS name that a client may ask for as such (RFC 9525 §6.2: addresses have a SAN type of their own).
fn is_host(name: &str) -> bool {
    !name.ends_with('.') && name.parse::<IpAddr>().is_err()
}

/// The common names, by which Envoy chooses when there are no SANs.
fn common_names(leaf: &X509Certificate<'_>) -> Vec<String> {
    once_each(leaf.subject().iter_common_name().filter_map(|name| cleaned(name.as_str().ok()?)))
}

fn once_each(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

fn cleaned(name: &str) -> Option<String> {
    Name::parse(name).map(|name| name.as_str().to_owned())
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(|octets| Ipv4Addr::from(octets).to_string());
    let v6 = || <[u8; 16]>::try_from(bytes).map(|octets| Ipv6Addr::from(octets).to_string());
    v4.or_else(|_| v6()).ok()
}

/// The version is a hash of the chain alone: the leaf names the key, and a hash of a key must not leave the process.
fn version(chain: &[CertificateDer<'_>]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    chain.iter().for_each(|der| context.update(der));
    let mut digits = hex::encode(context.finish());
    digits.truncate(2 * VERSION_BYTES);
    digits
}

fn key_block(key: &PrivateKeyDer<'_>) -> String {
    let label = match key {
        PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
        PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
        _ => "PRIVATE KEY",
    };
    pem_block(label, key.secret_der())
}

/// Encodes one PEM block (RFC 7468 §2), as Envoy reads it.
pub fn pem_block(label: &str, der: &[u8]) -> String {
    /// Base64 characters on a line.
    const LINE: usize = 64;
    let encoded = BASE64.encode(der);
    let lines: String =
        encoded.as_bytes().chunks(LINE).flat_map(|line| line.iter().map(|b| char::from(*b)).chain(['\n'])).collect();
    format!("-----BEGIN {label}-----\n{lines}-----END {label}-----\n")
}

/// Reason why a chain and a key can't be served.
#[derive(Debug, PartialEq, Eq)]
pub enum PairError {
    /// The chain does not parse; the text says where and why.
    Chain(String),
    /// The chain has more certificates than this sidecar serves.
    ChainTooLong(usize),
    /// The key does not parse; the text says why, and nothing of the key.
    Key(&'static str),
    /// The key is not the one of the chain's first certificate.
    KeyMismatch,
    /// Envoy does not serve keys of this type.
    KeyType(String),
    /// The leaf of a CA's chain has neither a DNS name nor an IP address among its alternative names.
    NoAlternativeNames,
    /// The PEM holds no certificate.
    NoCertificate,
    /// The leaf has neither a DNS name nor an IP address.
    NoNames,
}

impl fmt::Display for PairError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(why) => write!(f, "the certificate chain can't be read: {why}"),
            Self::ChainTooLong(length) => {
                write!(f, "the chain has {length} certificates; at most {MAX_CHAIN} are served")
            }
            Self::Key(why) => write!(f, "the private key can't be read: {why}"),
            Self::KeyMismatch => f.write_str(
                "the private key is not the one of the certificate (the chain's first certificate must be the leaf)",
            ),
            Self::KeyType(found) => write!(
                f,
                "the certificate has {found}; Envoy serves ECDSA P-256, P-384, P-521 and RSA of {MIN_RSA_BITS} bits or more"
            ),
            Self::NoAlternativeNames => f.write_str(
                "the certificate has no DNS name and no IP address among its subject alternative names, and its common \
                 name counts for nothing: browsers refuse it",
            ),
            Self::NoCertificate => f.write_str("found no certificate; expected PEM (-----BEGIN CERTIFICATE-----)"),
            Self::NoNames => f.write_str("the certificate names no DNS name and no IP address"),
        }
    }
}

impl std::error::Error for PairError {}

#[cfg(test)]
mod tests;
