//! Challenges under validation, in memory: they live for minutes, and the engine publishes them again.
//!
//! | file | what it keeps |
//! |---|---|
//! | `http01.rs` | challenges that the plugin of any Envoy answers on port 80 |
//! | `tls_alpn01/` | certificates that SDS serves to Envoy's filter chain for `acme-tls/1` |

mod http01;
mod tls_alpn01;

pub use http01::{Challenges, Full};
pub use tls_alpn01::{Placing, Refused, TlsAlpn01Challenges};

/// True if the text can be a challenge's token: base64url (RFC 8555 §8.3), long enough for 128 bits of entropy.
pub fn is_token(token: &str) -> bool {
    (22..=128).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_base64url_of_enough_bits_is_a_token() {
        assert!(is_token("abcdefghijklmnopqrs-_0"));
        for junk in ["", "abcdefghijklmnopqrs-_", "abcdefghijklmnopqrs-_/", "abcdefghijklmnopqrs%2e0", &"a".repeat(129)]
        {
            assert!(!is_token(junk), "{junk}");
        }
    }
}
