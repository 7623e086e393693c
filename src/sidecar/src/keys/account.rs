//! Account keys: P-256, since the plugin signs with ES256 only (RFC 7518 §3.4).

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};

use super::KeyError;
use crate::secret::Secret;

/// A new account key, PKCS#8 DER.
///
/// # Errors
/// When the crypto library has no randomness.
pub fn generate() -> Result<Secret, KeyError> {
    pkcs8(&EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?)
}

/// Reads a P-256 key in SEC1 (RFC 5915) or PKCS#8 DER, and gives it as PKCS#8 DER. `None` for anything else, such as
/// the RSA keys that Traefik makes.
pub fn from_der(der: &[u8]) -> Option<Secret> {
    pkcs8(&EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?).ok()
}

/// A P-256 key in SEC1 DER: what Go's `x509.MarshalECPrivateKey` writes and `x509.ParseECPrivateKey` reads.
pub fn to_sec1(pkcs8: &Secret) -> Option<Secret> {
    let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose()).ok()?;
    let der: Result<EcPrivateKeyRfc5915Der<'static>, Unspecified> = key.private_key().as_der();
    Some(Secret::new(der.ok()?.as_ref().to_vec()))
}

fn pkcs8(key: &EcdsaKeyPair) -> Result<Secret, KeyError> {
    Ok(Secret::new(key.to_pkcs8v1()?.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_survives_the_way_through_the_file() {
        let key = generate().unwrap();
        let sec1 = to_sec1(&key).unwrap();
        assert!(from_der(sec1.expose()).unwrap() == key);
        assert!(from_der(key.expose()).unwrap() == key);
    }

    #[test]
    fn other_keys_are_none() {
        let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        let p384 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        assert!(from_der(&rsa.serialize_der()).is_none());
        assert!(from_der(&p384.serialize_der()).is_none());
        assert!(from_der(b"junk").is_none());
    }
}
