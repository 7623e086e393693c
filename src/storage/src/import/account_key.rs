//! Account keys in the formats of other tools. Only P-256 can sign requests here (RFC 7518 §3.4).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde::Deserialize;

use pki::keys;
use pki::secret::Secret;

/// Length of a coordinate and of the private number, in bytes.
const P256_BYTES: usize = 32;

/// Reads a key in PEM: PKCS#8, SEC1 or PKCS#1.
///
/// # Errors
/// When the text is no key, or not a P-256 key; the error says what was found.
pub fn from_pem(pem: &[u8]) -> Result<Secret, String> {
    let has = |mark: &str| String::from_utf8_lossy(pem).contains(mark);
    let is_encrypted = has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED");
    let unreadable = if is_encrypted { "its key is encrypted" } else { "its key can't be read" };
    let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| unreadable.to_owned())?;
    let other = match &der {
        PrivateKeyDer::Pkcs1(_) => "its key is RSA, not P-256",
        PrivateKeyDer::Sec1(_) => "its key is of another curve than P-256",
        _ => "its key is not P-256",
    };
    keys::account::from_der(der.secret_der()).ok_or_else(|| other.to_owned())
}

/// Reads a key in DER: SEC1 or PKCS#8.
///
/// # Errors
/// When it is not P-256.
pub fn from_der(der: &[u8]) -> Result<Secret, String> {
    keys::account::from_der(der).ok_or_else(|| "its key is not P-256".to_owned())
}

/// Reads a private JSON Web Key (RFC 7517), as certbot keeps it.
///
/// # Errors
/// When the text is no key, or not a P-256 key; the error says what was found.
pub fn from_jwk(json: &[u8]) -> Result<Secret, String> {
    let unreadable = || "its key can't be read".to_owned();
    let jwk: Jwk = serde_json::from_slice(json).map_err(|_| unreadable())?;
    if jwk.kty != "EC" {
        let is_rsa = jwk.kty == "RSA";
        return Err(if is_rsa { "its key is RSA, not P-256" } else { "its key is not P-256" }.to_owned());
    }
    if jwk.crv != "P-256" {
        return Err("its key is of another curve than P-256".to_owned());
    }
    let number = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()?;
        // RFC 7518 §6.2.1.2 requires the full length; some writers drop leading zeros.
        let missing = P256_BYTES.checked_sub(bytes.len())?;
        Some([vec![0; missing], bytes].concat())
    };
    let x = number(&jwk.x).ok_or_else(unreadable)?;
    let y = number(&jwk.y).ok_or_else(unreadable)?;
    let private = Secret::new(number(&jwk.d).ok_or_else(unreadable)?);
    /// Prefix of an uncompressed point (SEC 1 §2.3.3).
    const UNCOMPRESSED: u8 = 4;
    let public = [vec![UNCOMPRESSED], x, y].concat();
    let key = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_ASN1_SIGNING, private.expose(), &public)
        .map_err(|_| unreadable())?;
    let pkcs8 = key.to_pkcs8v1().map_err(|_| unreadable())?;
    keys::account::from_der(pkcs8.as_ref()).ok_or_else(unreadable)
}

/// The members of a private key (RFC 7518 §6.2), without the private number.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    d: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    /// RFC 7517 appendix A.2, its first key.
    const EXAMPLE: &str = r#"{"kty":"EC", "crv":"P-256",
        "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
        "d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE", "use":"enc", "kid":"1"}"#;

    #[test]
    fn a_p256_jwk_is_read() {
        let key = from_jwk(EXAMPLE.as_bytes()).ok().unwrap();
        assert!(from_der(key.expose()).is_ok_and(|again| again == key));
    }

    #[test]
    fn a_jwk_that_does_not_belong_together_is_refused() {
        let other = EXAMPLE.replace("870MB6", "970MB6");
        assert_eq!(from_jwk(other.as_bytes()).err().as_deref(), Some("its key can't be read"));
    }

    #[test]
    fn other_keys_are_named() {
        let why = |jwk: serde_json::Value| from_jwk(jwk.to_string().as_bytes()).err().unwrap();
        assert_eq!(why(json!({ "kty": "RSA", "n": "x" })), "its key is RSA, not P-256");
        assert_eq!(why(json!({ "kty": "EC", "crv": "P-384" })), "its key is of another curve than P-256");
        assert_eq!(why(json!({ "kty": "EC", "crv": "P-256" })), "its key can't be read");
        assert_eq!(why(json!([])), "its key can't be read");
        let rsa = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
        assert_eq!(from_pem(rsa.serialize_pem().as_bytes()).err().as_deref(), Some("its key is not P-256"));
        assert_eq!(from_pem(b"junk").err().as_deref(), Some("its key can't be read"));
    }

    #[test]
    fn a_pem_key_is_read() {
        let key = rcgen::KeyPair::generate().unwrap();
        assert!(from_pem(key.serialize_pem().as_bytes()).is_ok());
    }
}
