//! Signatures of certificates and revocation lists.
//!
//! Promises: a signature is called wrong only where its algorithm is checked here; the algorithm of any other is named.
//! Refuses: to judge algorithms. An old or a new one is the visitor's affair.

use std::fmt;

use aws_lc_rs::signature::{self as known, RsaParameters, RsaPssSaltLength, VerificationAlgorithm};
use x509_parser::asn1_rs::Oid;
use x509_parser::certificate::X509Certificate;
use x509_parser::der_parser::oid;
use x509_parser::objects::{oid_registry, oid2sn};
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_NIST_EC_P384, OID_NIST_EC_P521, OID_NIST_HASH_SHA256,
    OID_NIST_HASH_SHA384, OID_NIST_HASH_SHA512, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS, OID_PKCS1_SHA1WITHRSA,
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SHA1_WITH_RSA,
    OID_SIG_ECDSA_WITH_SHA256, OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, OID_SIG_ED25519,
};
use x509_parser::revocation_list::CertificateRevocationList;
use x509_parser::signature_algorithm::RsaSsaPssParams;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// A curve that certificates of private CAs have (SEC 2).
const OID_SECP256K1: Oid<'static> = oid!(1.3.132.0.10);
/// First byte of an uncompressed point (SEC 1 §2.3.3).
const WHOLE_POINT: u8 = 4;

/// Signed bytes with their signature.
pub struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a AlgorithmIdentifier<'a>,
    signature: &'a [u8],
}

/// Reason why a signature is not known to be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unverified {
    /// The algorithm, or the kind of key, is not checked here.
    Unknown(String),
    /// The key did not make it.
    Wrong,
}

impl<'a> From<&'a X509Certificate<'_>> for Signed<'a> {
    fn from(certificate: &'a X509Certificate<'_>) -> Self {
        Self {
            content: certificate.tbs_certificate.as_ref(),
            algorithm: &certificate.signature_algorithm,
            signature: &certificate.signature_value.data,
        }
    }
}

impl<'a> From<&'a CertificateRevocationList<'_>> for Signed<'a> {
    fn from(list: &'a CertificateRevocationList<'_>) -> Self {
        Self {
            content: list.tbs_cert_list.as_ref(),
            algorithm: &list.signature_algorithm,
            signature: &list.signature_value.data,
        }
    }
}

impl Signed<'_> {
    /// Checks whether this key made the signature.
    ///
    /// # Errors
    /// When it did not, or nobody here can tell.
    pub fn verify(&self, key: &SubjectPublicKeyInfo<'_>) -> Result<(), Unverified> {
        let oid = &self.algorithm.algorithm;
        let (scheme, fits) = if let Some(hash) = ecdsa(oid) {
            (curve(key, hash), key.algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY)
        } else if *oid == OID_SIG_ED25519 {
            (Some(Scheme::Static(&known::ED25519)), key.algorithm.algorithm == OID_SIG_ED25519)
        } else {
            let is_rsa = [OID_PKCS1_RSAENCRYPTION, OID_PKCS1_RSASSAPSS].contains(&key.algorithm.algorithm);
            (rsa(self.algorithm, key), is_rsa || !is_rsa_signature(oid))
        };
        if !fits {
            return Err(Unverified::Wrong);
        }
        let unknown = || Unverified::Unknown(described(oid, key));
        let is_right = match scheme.ok_or_else(unknown)? {
            Scheme::Static(scheme) => scheme.verify_sig(&key.subject_public_key.data, self.content, self.signature),
            Scheme::Pss(scheme) => scheme.verify_sig(&key.subject_public_key.data, self.content, self.signature),
        };
        is_right.map_err(|_| Unverified::Wrong)
    }
}

/// The algorithm of a signature.
enum Scheme {
    Static(&'static dyn VerificationAlgorithm),
    /// RSA-PSS, with the salt length that the signature declares.
    Pss(RsaParameters),
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The hash of an ECDSA signature (RFC 5758 §3.2); `None` for another algorithm.
fn ecdsa(algorithm: &Oid<'_>) -> Option<Hash> {
    let hashes = [
        (OID_SIG_ECDSA_WITH_SHA256, Hash::Sha256),
        (OID_SIG_ECDSA_WITH_SHA384, Hash::Sha384),
        (OID_SIG_ECDSA_WITH_SHA512, Hash::Sha512),
    ];
    hashes.into_iter().find_map(|(oid, hash)| (*algorithm == oid).then_some(hash))
}

fn curve(key: &SubjectPublicKeyInfo<'_>, hash: Hash) -> Option<Scheme> {
    if key.subject_public_key.data.first() != Some(&WHOLE_POINT) {
        return None;
    }
    let curve = key.algorithm.parameters.as_ref()?.as_oid().ok()?;
    let scheme: &'static dyn VerificationAlgorithm = match hash {
        Hash::Sha256 if curve == OID_EC_P256 => &known::ECDSA_P256_SHA256_ASN1,
        Hash::Sha384 if curve == OID_EC_P256 => &known::ECDSA_P256_SHA384_ASN1,
        Hash::Sha512 if curve == OID_EC_P256 => &known::ECDSA_P256_SHA512_ASN1,
        Hash::Sha256 if curve == OID_NIST_EC_P384 => &known::ECDSA_P384_SHA256_ASN1,
        Hash::Sha384 if curve == OID_NIST_EC_P384 => &known::ECDSA_P384_SHA384_ASN1,
        Hash::Sha512 if curve == OID_NIST_EC_P384 => &known::ECDSA_P384_SHA512_ASN1,
        Hash::Sha256 if curve == OID_NIST_EC_P521 => &known::ECDSA_P521_SHA256_ASN1,
        Hash::Sha384 if curve == OID_NIST_EC_P521 => &known::ECDSA_P521_SHA384_ASN1,
        Hash::Sha512 if curve == OID_NIST_EC_P521 => &known::ECDSA_P521_SHA512_ASN1,
        Hash::Sha256 if curve == OID_SECP256K1 => &known::ECDSA_P256K1_SHA256_ASN1,
        _ => return None,
    };
    Some(Scheme::Static(scheme))
}

fn is_rsa_signature(algorithm: &Oid<'_>) -> bool {
    [
        OID_PKCS1_RSASSAPSS,
        OID_PKCS1_SHA1WITHRSA,
        OID_SHA1_WITH_RSA,
        OID_PKCS1_SHA256WITHRSA,
        OID_PKCS1_SHA384WITHRSA,
        OID_PKCS1_SHA512WITHRSA,
    ]
    .contains(algorithm)
}

/// The key's size is checked first: with a size that the library does not support, every signature would look wrong.
fn rsa(algorithm: &AlgorithmIdentifier<'_>, key: &SubjectPublicKeyInfo<'_>) -> Option<Scheme> {
    let bits = RsaParameters::public_modulus_len(&key.subject_public_key.data).ok()?;
    let oid = &algorithm.algorithm;
    let (scheme, shortest): (&'static dyn VerificationAlgorithm, u32) = if *oid == OID_PKCS1_RSASSAPSS {
        return (2048..=8192).contains(&bits).then(|| pss(algorithm)).flatten();
    } else if *oid == OID_PKCS1_SHA1WITHRSA || *oid == OID_SHA1_WITH_RSA {
        (&known::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, 1024)
    } else if *oid == OID_PKCS1_SHA256WITHRSA {
        (&known::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, 1024)
    } else if *oid == OID_PKCS1_SHA384WITHRSA {
        (&known::RSA_PKCS1_2048_8192_SHA384, 2048)
    } else if *oid == OID_PKCS1_SHA512WITHRSA {
        (&known::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, 1024)
    } else {
        return None;
    };
    (shortest..=8192).contains(&bits).then_some(Scheme::Static(scheme))
}

/// RFC 4055 §3.1: one hash for message and mask, and a salt of any length.
fn pss(algorithm: &AlgorithmIdentifier<'_>) -> Option<Scheme> {
    let parameters = RsaSsaPssParams::try_from(algorithm.parameters.as_ref()?).ok()?;
    let hash = parameters.hash_algorithm_oid();
    let mask = parameters.mask_gen_algorithm().ok()?;
    if mask.hash != *hash || parameters.trailer_field() != 1 {
        return None;
    }
    let scheme = if *hash == OID_NIST_HASH_SHA256 {
        known::RSA_PSS_2048_8192_SHA256
    } else if *hash == OID_NIST_HASH_SHA384 {
        known::RSA_PSS_2048_8192_SHA384
    } else if *hash == OID_NIST_HASH_SHA512 {
        known::RSA_PSS_2048_8192_SHA512
    } else {
        return None;
    };
    let salt = u16::try_from(parameters.salt_length()).ok()?;
    Some(Scheme::Pss(scheme.with_pss_salt_length(RsaPssSaltLength::Custom(salt))))
}

/// Describes what was found, such as `ecdsa-with-SHA256 by a key of id-ecPublicKey 1.3.36.3.3.2.8.1.1.7`.
fn described(algorithm: &Oid<'_>, key: &SubjectPublicKeyInfo<'_>) -> String {
    let name = |oid: &Oid<'_>| oid2sn(oid, oid_registry()).map_or_else(|_| oid.to_id_string(), str::to_owned);
    let curve = key.algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
    let curve = curve.map(|curve| format!(" {}", name(&curve))).unwrap_or_default();
    format!("{} by a key of {}{curve}", name(algorithm), name(&key.algorithm.algorithm))
}

impl fmt::Display for Unverified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(algorithm) => write!(f, "the signature ({algorithm}) can't be checked here"),
            Self::Wrong => f.write_str("the key did not sign it"),
        }
    }
}

#[cfg(test)]
mod tests;
