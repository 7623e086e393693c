//! The places of tokens in Envoy's configuration: by a token the sidecar knows its own clients from the other filters of
//! the same Envoy.

use crate::SecretText;

/// The gRPC metadata of streams for secrets.
pub const METADATA: &str = "x-envoy-autocert-token";

/// Placeholder for the token of the API.
pub const API: &str = "${ENVOY_AUTOCERT_API_TOKEN}";

/// Placeholder for the token of SDS.
pub const SDS: &str = "${ENVOY_AUTOCERT_SDS_TOKEN}";

/// True for a placeholder in place of a token: `${ENVOY_AUTOCERT_SDS_TOKEN}`.
pub fn is_placeholder(text: &[u8]) -> bool {
    text.starts_with(b"${")
}

/// The tokens that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Of the API.
    pub api: Option<SecretText>,
    /// Of SDS.
    pub sds: Option<SecretText>,
}
