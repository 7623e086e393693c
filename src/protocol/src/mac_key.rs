//! `eab.hmacEncoded`: the MAC key of an external account (RFC 8555 §7.3.4), or its location for the sidecar.
//!
//! Promises: a key is never shown, not even an invalid one. Refuses: to check whether a location exists.

use crate::SecretText;

/// Maximum length of a MAC key in base64: CAs issue 32 to 64 bytes.
const MAX_DIGITS: usize = 1024;

/// A MAC key, or its location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MacKey {
    /// `file:PATH`: the path.
    File(String),
    /// The key itself, in base64url.
    Inline(SecretText),
    /// `env:NAME`: the variable's name.
    Variable(String),
}

impl MacKey {
    /// The accepted texts, for a mistake.
    pub const EXPECTED: &str =
        "the MAC key that the CA gave you, in base64url, or file:PATH or env:NAME of the sidecar";

    /// Reads `hmacEncoded`.
    ///
    /// # Errors
    /// If the text is neither a location nor a key.
    pub fn parse(text: &str) -> Result<Self, UnfitMacKey> {
        let text = text.trim();
        match (text.strip_prefix("file:"), text.strip_prefix("env:")) {
            _ if text.is_empty() => Err(UnfitMacKey::NoText),
            (Some(""), _) => Err(UnfitMacKey::NoPath),
            (Some(path), _) => Ok(Self::File(path.to_owned())),
            (_, Some(name)) if is_variable(name) => Ok(Self::Variable(name.to_owned())),
            (_, Some(_)) => Err(UnfitMacKey::NoVariable),
            (None, None) if is_base64(text) => Ok(Self::Inline(SecretText::new(text.to_owned()))),
            (None, None) => Err(UnfitMacKey::NotBase64),
        }
    }
}

/// The reason why a text is no MAC key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnfitMacKey {
    /// `eab` has no `hmacEncoded`.
    Missing,
    /// `file:` without a path.
    NoPath,
    /// An empty text, or a value of another type.
    NoText,
    /// `env:` without the name of a variable.
    NoVariable,
    /// Neither a location nor base64.
    NotBase64,
}

impl UnfitMacKey {
    /// A description of the value for a mistake, without the value itself.
    pub fn found(self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::NoPath => "file: without a path",
            Self::NoText => "no text",
            Self::NoVariable => "env: without a variable's name",
            Self::NotBase64 => "a text that is not base64url",
        }
    }
}

/// True for the name of a shell variable (POSIX.1, XBD 8.1).
fn is_variable(name: &str) -> bool {
    let is_letter = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    name.bytes().next().is_some_and(is_letter) && name.bytes().all(|b| is_letter(b) || b.is_ascii_digit())
}

/// True for base64url with or without padding. CAs have issued keys in the other alphabet too, with the same meaning.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let padding = text.len().saturating_sub(digits.len());
    // A single digit beyond complete groups holds six bits, which are no byte.
    let is_whole = digits.len() % 4 != 1;
    let is_padded = padding == 0 || (padding <= 2 && text.len().is_multiple_of(4));
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b"-_+/".contains(&b);
    (1..=MAX_DIGITS).contains(&digits.len()) && is_whole && is_padded && digits.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_base64_of_either_alphabet_with_or_without_padding() {
        for text in ["c2VjcmV0", "c2VjcmV0cw", "c2VjcmV0cw==", "-_-_AQ", "+/+/AQ==", " c2VjcmV0\n"] {
            assert!(matches!(MacKey::parse(text), Ok(MacKey::Inline(_))), "{text}");
        }
    }

    #[test]
    fn a_place_is_a_file_or_a_variable() {
        assert_eq!(MacKey::parse("file:/run/secrets/eab"), Ok(MacKey::File("/run/secrets/eab".into())));
        assert_eq!(MacKey::parse("file:a=b"), Ok(MacKey::File("a=b".into())));
        assert_eq!(MacKey::parse("env:EAB_HMAC"), Ok(MacKey::Variable("EAB_HMAC".into())));
    }

    #[test]
    fn whatever_else_is_refused_without_being_shown() {
        for (text, unfit) in [
            ("", UnfitMacKey::NoText),
            ("file:", UnfitMacKey::NoPath),
            ("env:", UnfitMacKey::NoVariable),
            ("env:A-B", UnfitMacKey::NoVariable),
            ("env:A=B", UnfitMacKey::NoVariable),
            ("not base64!", UnfitMacKey::NotBase64),
            ("secret=", UnfitMacKey::NotBase64),
            ("FILE:/x", UnfitMacKey::NotBase64),
        ] {
            assert_eq!(MacKey::parse(text), Err(unfit), "{text}");
        }
        assert_eq!(MacKey::parse(&"A".repeat(1028)), Err(UnfitMacKey::NotBase64));
        assert!(!format!("{:?}", MacKey::parse("c2VjcmV0")).contains("c2Vj"));
    }
}
