//! Signed requests (RFC 8555 §6.2): JSON Web Signatures with ES256, the account's key as their key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::pkcs8;

/// An account's P-256 key. It has neither `Debug` nor `Display`, so it can't reach a log.
pub struct AccountKey {
    key: SigningKey,
    jwk: Jwk,
    thumbprint: String,
}

/// How a request names its key (RFC 8555 §6.2).
#[derive(Clone, Copy)]
pub enum KeyName<'a> {
    /// The whole public key: for newAccount only.
    Jwk,
    /// The account's URL: for everything else.
    Kid(&'a str),
}

/// The key is not one that this client can sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableKey;

impl AccountKey {
    /// Reads a P-256 key in PKCS#8 DER.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, UnusableKey> {
        let scalar = pkcs8::scalar(der).ok_or(UnusableKey)?;
        let key = SigningKey::from_slice(scalar).map_err(|_| UnusableKey)?;
        let point = key.verifying_key().to_sec1_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else { return Err(UnusableKey) };
        let jwk = Jwk { crv: "P-256", kty: "EC", x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) };
        // RFC 7638 §3: the required members in the order of their names, which is the order `Jwk` declares.
        let canonical = serde_json::to_vec(&jwk).map_err(|_| UnusableKey)?;
        let thumbprint = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
        Ok(Self { key, jwk, thumbprint })
    }

    /// The public key as JSON (RFC 7517).
    pub(crate) fn jwk(&self) -> Vec<u8> {
        // Writing a struct of texts into memory can't fail.
        serde_json::to_vec(&self.jwk).unwrap_or_default()
    }

    /// The key's thumbprint (RFC 7638), base64url.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The key authorization of a challenge's token (RFC 8555 §8.1).
    pub fn key_authorization(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint)
    }

    /// The body of a signed request, in flattened JSON serialization. No payload at all is a POST-as-GET (§6.3).
    pub fn sign(&self, name: KeyName<'_>, nonce: &str, url: &str, payload: Option<&[u8]>) -> Vec<u8> {
        let (jwk, kid) = match name {
            KeyName::Jwk => (Some(&self.jwk), None),
            KeyName::Kid(kid) => (None, Some(kid)),
        };
        let protected = Header { alg: "ES256", jwk, kid, nonce: Some(nonce), url }.encoded();
        let payload = URL_SAFE_NO_PAD.encode(payload.unwrap_or_default());
        let signature: Signature = self.key.sign(format!("{protected}.{payload}").as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.to_bytes());
        serde_json::to_vec(&Flattened { payload: &payload, protected: &protected, signature: &signature })
            .unwrap_or_default()
    }
}

#[derive(Serialize)]
pub(crate) struct Jwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

/// A protected header (RFC 7515 §4.1, RFC 8555 §6.2).
#[derive(Serialize)]
pub(crate) struct Header<'a> {
    pub(crate) alg: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) jwk: Option<&'a Jwk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<&'a str>,
    pub(crate) url: &'a str,
}

impl Header<'_> {
    /// The header in base64url.
    pub(crate) fn encoded(&self) -> String {
        // Writing a struct of texts into memory can't fail; an empty header would be refused by the CA.
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

#[derive(Serialize)]
struct Flattened<'a> {
    payload: &'a str,
    protected: &'a str,
    signature: &'a str,
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use p256::SecretKey;
    use p256::ecdsa::signature::Verifier;
    use p256::pkcs8::EncodePrivateKey;

    use super::*;

    fn key(scalar: &[u8]) -> AccountKey {
        let der = SecretKey::from_slice(scalar).unwrap().to_pkcs8_der().unwrap();
        AccountKey::from_pkcs8(der.as_bytes()).unwrap()
    }

    /// The key of RFC 7515 A.3, <https://www.rfc-editor.org/rfc/rfc7515#appendix-A.3>.
    fn rfc7515() -> AccountKey {
        key(&URL_SAFE_NO_PAD.decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI").unwrap())
    }

    #[test]
    fn the_public_key_is_the_one_of_rfc_7515_a_3() {
        let key = rfc7515();
        assert_eq!(key.jwk.x, "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
        assert_eq!(key.jwk.y, "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    }

    /// SHA-256 of the canonical form that RFC 7638 §3 describes, reckoned with another program.
    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let key = rfc7515();
        assert_eq!(key.thumbprint(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
        assert_eq!(key.key_authorization("t0ken"), "t0ken.oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    }

    /// RFC 6979 A.2.5, message "sample" with SHA-256, <https://www.rfc-editor.org/rfc/rfc6979#appendix-A.2.5>.
    #[test]
    fn signatures_are_those_of_rfc_6979() {
        let key = key(&hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap());
        let signature: Signature = key.key.sign(b"sample");
        let expected = "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716\
                        F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8";
        assert_eq!(signature.to_bytes().as_slice(), hex::decode(expected).unwrap());
    }

    #[test]
    fn a_signed_request_verifies_and_names_its_key_one_way() {
        let key = rfc7515();
        for (name, member, other) in [(KeyName::Jwk, "jwk", "kid"), (KeyName::Kid("https://ca/a/1"), "kid", "jwk")] {
            let body: serde_json::Value =
                serde_json::from_slice(&key.sign(name, "n0nce", "https://ca/new-order", Some(b"{}"))).unwrap();
            let text = |name: &str| body[name].as_str().unwrap().to_owned();
            let header: serde_json::Value =
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text("protected")).unwrap()).unwrap();
            assert_eq!(header["alg"], "ES256");
            assert_eq!(header["nonce"], "n0nce");
            assert_eq!(header["url"], "https://ca/new-order");
            assert!(header.get(member).is_some() && header.get(other).is_none());
            let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(text("signature")).unwrap()).unwrap();
            let signed = format!("{}.{}", text("protected"), text("payload"));
            key.key.verifying_key().verify(signed.as_bytes(), &signature).unwrap();
        }
    }

    #[test]
    fn a_post_as_get_has_an_empty_payload() {
        let body = rfc7515().sign(KeyName::Kid("k"), "n", "u", None);
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["payload"], "");
    }

    #[test]
    fn other_keys_are_refused() {
        assert_eq!(AccountKey::from_pkcs8(b"").err(), Some(UnusableKey));
        assert_eq!(AccountKey::from_pkcs8(&[0x30; 100]).err(), Some(UnusableKey));
    }
}
