//! Account keys: P-256, since the plugin signs with ES256 only (RFC 7518 §3.4).

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::KeyError;
use crate::secret::Secret;

/// Length of a coordinate of a P-256 point, in bytes.
const COORDINATE: usize = 32;

/// A new account key, PKCS#8 DER.
///
/// # Errors
/// When the crypto library has no randomness.
pub fn generate() -> Result<Secret, KeyError> {
    pkcs8(&EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?)
}

/// Converts a P-256 key in SEC1 (RFC 5915) or PKCS#8 DER into PKCS#8 DER. `None` for anything else, such as the RSA
/// keys that Traefik makes.
pub fn from_der(der: &[u8]) -> Option<Secret> {
    pkcs8(&EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der).ok()?).ok()
}

/// A P-256 key in SEC1 DER: what Go's `x509.MarshalECPrivateKey` writes and `x509.ParseECPrivateKey` reads.
pub fn to_sec1(pkcs8: &Secret) -> Option<Secret> {
    let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose()).ok()?;
    let der: Result<EcPrivateKeyRfc5915Der<'static>, Unspecified> = key.private_key().as_der();
    Some(Secret::new(der.ok()?.as_ref().to_vec()))
}

/// The public half of an account key, as CAs receive it (RFC 7517, RFC 7518 §6.2.1).
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublicJwk {
    crv: String,
    kty: String,
    x: String,
    y: String,
}

impl PublicJwk {
    /// The public half of a key in PKCS#8 DER.
    pub fn of(pkcs8: &Secret) -> Option<Self> {
        let key = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.expose()).ok()?;
        // An uncompressed point: 4, x, y (SEC 1 §2.3.3).
        let (&4, point) = key.public_key().as_ref().split_first()? else { return None };
        let (x, y) = point.split_at_checked(COORDINATE)?;
        let encoded = |coordinate| URL_SAFE_NO_PAD.encode(coordinate);
        Some(Self { crv: "P-256".into(), kty: "EC".into(), x: encoded(x), y: encoded(y) })
    }
}

fn pkcs8(key: &EcdsaKeyPair) -> Result<Secret, KeyError> {
    Ok(Secret::new(key.to_pkcs8v1()?.as_ref().to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_survives_a_round_trip_through_the_file() {
        let key = generate().unwrap();
        let sec1 = to_sec1(&key).unwrap();
        assert!(from_der(sec1.expose()).unwrap() == key);
        assert!(from_der(key.expose()).unwrap() == key);
    }

    /// The key of RFC 7515 A.3, <https://www.rfc-editor.org/rfc/rfc7515#appendix-A.3>, in SEC1 (RFC 5915 §3).
    #[test]
    fn the_public_half_is_that_of_rfc_7515_a_3() {
        let scalar = URL_SAFE_NO_PAD.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap();
        let p256 = [0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
        let der = [&[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20], scalar.as_slice(), &p256].concat();
        let jwk = PublicJwk::of(&from_der(&der).unwrap()).unwrap();
        let x = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
        let y = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
        let expected = PublicJwk { crv: "P-256".into(), kty: "EC".into(), x: x.into(), y: y.into() };
        assert_eq!(jwk, expected);
        assert_eq!(PublicJwk::of(&Secret::new(b"junk".to_vec())), None);
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
