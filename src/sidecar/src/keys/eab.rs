//! MAC keys of external accounts (RFC 8555 §7.3.4): found where the configuration says, used once for each registration.
//!
//! Promises: what is in a file or a variable is read bounded, and never shown; an error names the place alone.

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use tokio::io::AsyncReadExt;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// The longest file or variable, in bytes: CAs hand out keys of 32 to 64 bytes, in base64.
const MAX_ENCODED: usize = 4096;

/// Some tools pad it, and some leave bits behind the last byte.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Variables that stand above those of the environment: `run` takes keys out of the configuration that Envoy shows.
pub type Variables = BTreeMap<String, resolver::config::Hidden>;

/// The key that a configuration holds in base64url, or that is in `file:PATH` or `env:NAME`.
///
/// # Errors
/// When it can't be read there, or is no base64url.
pub async fn mac_key(hmac_encoded: &str, variables: &Variables) -> Result<Secret, MacKeyError> {
    let (place, encoded) = if let Some(path) = hmac_encoded.strip_prefix("file:") {
        let place = Place::File(path.to_owned());
        let text = read(path).await.map_err(|why| MacKeyError { place: place.clone(), why })?;
        (place, text)
    } else if let Some(name) = hmac_encoded.strip_prefix("env:") {
        let place = Place::Variable(name.to_owned());
        let unset = || MacKeyError { place: place.clone(), why: Why::Unset };
        let encoded = match variables.get(name) {
            Some(text) => text.expose().as_bytes().to_vec(),
            None => {
                let text = std::env::var_os(name).ok_or_else(unset)?;
                text.into_string().map(String::into_bytes).unwrap_or_default()
            }
        };
        (place, Zeroizing::new(encoded))
    } else {
        (Place::Configuration, Zeroizing::new(hmac_encoded.as_bytes().to_vec()))
    };
    match decoded(&encoded) {
        Some(key) => Ok(key),
        None => Err(MacKeyError { place, why: Why::NotBase64 }),
    }
}

/// HMAC with SHA-256 (RFC 7518 §3.2, `HS256`).
pub fn mac(key: &Secret, text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), text.as_bytes()).as_ref().to_vec()
}

async fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, Why> {
    let metadata = tokio::fs::metadata(path).await?;
    // A pipe could keep us waiting.
    if !metadata.is_file() {
        return Err(Why::NoFile);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(MAX_ENCODED + 1));
    let file = tokio::fs::File::open(path).await?;
    file.take(MAX_ENCODED as u64 + 1).read_to_end(&mut text).await?;
    if text.len() > MAX_ENCODED { Err(Why::TooLong) } else { Ok(text) }
}

/// The other alphabet of base64 means the same.
fn decoded(encoded: &[u8]) -> Option<Secret> {
    let url_safe = |byte: &u8| match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => *other,
    };
    let digits = Zeroizing::new(encoded.trim_ascii().iter().map(url_safe).collect::<Vec<u8>>());
    let key = BASE64URL.decode(digits.as_slice()).ok()?;
    (!key.is_empty()).then(|| Secret::new(key))
}

/// Why there is no MAC key.
#[derive(Debug)]
pub struct MacKeyError {
    place: Place,
    why: Why,
}

#[derive(Clone, Debug)]
enum Place {
    Configuration,
    File(String),
    Variable(String),
}

#[derive(Debug)]
enum Why {
    Io(std::io::Error),
    NoFile,
    NotBase64,
    TooLong,
    Unset,
}

impl From<std::io::Error> for Why {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for MacKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Configuration => f.write_str("eab.hmacEncoded: ")?,
            Place::File(path) => write!(f, "eab.hmacEncoded: the file {path:?}: ")?,
            Place::Variable(name) => write!(f, "eab.hmacEncoded: the sidecar's variable {name:?}: ")?,
        }
        match &self.why {
            Why::Io(error) => write!(f, "{error}; does the sidecar's user have access?"),
            Why::NoFile => f.write_str("it is no ordinary file"),
            Why::NotBase64 => f.write_str("expected the MAC key that the CA gave you, in base64url, and nothing else"),
            Why::TooLong => write!(f, "it is longer than {MAX_ENCODED} bytes: expected a MAC key in base64url alone"),
            Why::Unset => f.write_str("it is not set"),
        }
    }
}

impl std::error::Error for MacKeyError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The example of RFC 7515 A.1, <https://www.rfc-editor.org/rfc/rfc7515#appendix-A.1>.
    #[tokio::test]
    async fn the_mac_is_that_of_rfc_7515() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mac = BASE64URL.encode(mac(&mac_key(key, &Variables::new()).await.unwrap(), input));
        assert_eq!(mac.trim_end_matches('='), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[tokio::test]
    async fn both_alphabets_with_and_without_padding_mean_the_same() {
        for encoded in ["-_-_AQ", "+/+/AQ==", "-_-_AQ==", "+/+/AQ", " -_-_AQ\n", "-_-_AR"] {
            assert_eq!(mac_key(encoded, &Variables::new()).await.unwrap().expose(), [0xfb, 0xff, 0xbf, 1], "{encoded}");
        }
    }

    #[tokio::test]
    async fn files_are_trimmed_and_bounded_and_what_is_in_them_is_not_shown() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("eab");
        let reference = format!("file:{}", path.display());
        let error = |error: MacKeyError| error.to_string();
        assert!(error(mac_key(&reference, &Variables::new()).await.err().unwrap()).contains("No such file"));
        std::fs::write(&path, "\n c2VjcmV0 \r\n").unwrap();
        assert_eq!(mac_key(&reference, &Variables::new()).await.unwrap().expose(), b"secret");
        for (text, expected) in [
            ("TOP SECRET".to_owned(), "expected the MAC key"),
            (String::new(), "expected the MAC key"),
            ("c2VjcmV0\nc2VjcmV0".to_owned(), "expected the MAC key"),
            ("A".repeat(5000), "longer than 4096 bytes"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = error(mac_key(&reference, &Variables::new()).await.err().unwrap());
            assert!(error.contains(&path.display().to_string()) && error.contains(expected), "{error}");
            assert!(text.is_empty() || !error.contains(&text));
        }
        let directory = format!("file:{}", home.path().display());
        assert!(error(mac_key(&directory, &Variables::new()).await.err().unwrap()).contains("no ordinary file"));
    }

    #[tokio::test]
    async fn a_variable_that_is_not_there_is_named() {
        for name in ["AUTOCERT_TEST_NO_SUCH_VARIABLE", "", "A=B", "A\0B"] {
            let error = mac_key(&format!("env:{name}"), &Variables::new()).await.err().unwrap().to_string();
            assert!(error.contains(&format!("{name:?}: it is not set")), "{error}");
        }
        // Every test runner has this one, and it is no base64.
        assert!(
            mac_key("env:PATH", &Variables::new()).await.err().unwrap().to_string().contains("expected the MAC key")
        );
    }
}
