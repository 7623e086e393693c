//! Binding an account to one that the CA knows by other means (RFC 8555 §7.3.4): a customer's, say.
//!
//! The binding is a signature with a MAC key that the CA gave its customer. This crate never sees that key: it says what
//! is to be signed, and is given the MAC.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::client::Client;
use crate::jws::Header;

/// The JSON Web Signature that binds an account, in flattened JSON serialization.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Binding {
    protected: String,
    payload: String,
    signature: String,
}

/// A binding whose MAC is still to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    protected: String,
    payload: String,
}

impl Unsigned {
    /// Binds the client's key to the external account with this key identifier.
    pub fn new<H>(client: &Client<H>, kid: &str) -> Self {
        // There is no nonce in it, so it may be sent again as it is.
        let header =
            Header { alg: "HS256", jwk: None, kid: Some(kid), nonce: None, url: &client.directory.new_account };
        Self { protected: header.encoded(), payload: URL_SAFE_NO_PAD.encode(client.key.jwk()) }
    }

    /// The input of the MAC (RFC 7515 §5.1): HMAC with SHA-256 under the key that the CA issued.
    pub fn signing_input(&self) -> String {
        [self.protected.as_str(), &self.payload].join(".")
    }

    /// The binding with its MAC.
    pub fn signed(self, mac: &[u8]) -> Binding {
        let Self { protected, payload } = self;
        Binding { protected, payload, signature: URL_SAFE_NO_PAD.encode(mac) }
    }
}
