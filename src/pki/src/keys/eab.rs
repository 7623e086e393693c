//! MAC keys of external accounts (RFC 8555 §7.3.4), read from the file or variable in the sidecar's own configuration,
//! anew for each registration.
//!
//! Promises: files and variables are read up to a bound and never shown; an error names their path or variable alone.
//! Refuses: to read a path that a request names.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use protocol::mac_key::MacKey;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use crate::secret::Secret;
use base::exposed;
use base::files::{FileError, secret};

/// Size limit of a file or variable, in bytes: CAs hand out keys of 32 to 64 bytes, in base64.
const MAX_ENCODED: u64 = 4096;

/// Some tools pad the key, and some leave bits set after the last byte.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The MAC keys, or their sources, by resolver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MacKeys(BTreeMap<String, MacKey>);

impl MacKeys {
    /// Takes the MAC keys of these resolvers.
    pub fn new(keys: BTreeMap<String, MacKey>) -> Self {
        Self(keys)
    }

    /// Reads the resolver's key anew.
    ///
    /// # Errors
    /// When none is configured, it can't be read, or it is no base64url.
    pub async fn of(&self, resolver: &str) -> Result<Secret, MacKeyError> {
        let key = self.0.get(resolver).ok_or(MacKeyError { place: None, why: Why::Unconfigured })?;
        read(key).await.map_err(|why| MacKeyError { place: Some(key.clone()), why })
    }

    /// Warns of each key that can't be read: better at the start than at the first order.
    pub async fn warn_of_missing(&self) {
        for resolver in self.0.keys() {
            if let Err(error) = self.of(resolver).await {
                tracing::warn!(resolver, "{error}; until this is fixed, no account can be bound");
            }
        }
    }
}

async fn read(key: &MacKey) -> Result<Secret, Why> {
    let encoded = match key {
        MacKey::File(path) => file(path).await?,
        MacKey::Inline(text) => Zeroizing::new(text.expose().as_bytes().to_vec()),
        MacKey::Variable(name) => {
            let text = std::env::var_os(name).ok_or(Why::Unset)?;
            Zeroizing::new(text.into_encoded_bytes())
        }
    };
    decoded(&encoded).ok_or(Why::NotBase64)
}

/// HMAC with SHA-256 (RFC 7518 §3.2, `HS256`).
pub fn mac(key: &Secret, text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.expose()), text.as_bytes()).as_ref().to_vec()
}

async fn file(path: &str) -> Result<Zeroizing<Vec<u8>>, Why> {
    let path = PathBuf::from(path);
    let read = spawn_blocking(move || {
        let read = secret::read_exposed(&path, MAX_ENCODED)?;
        exposed::warn(&path, &read);
        Ok(Zeroizing::new(read.bytes))
    });
    // The task is cancelled only when the runtime ends, and panics only by a bug.
    read.await.map_err(|error| Why::Io(std::io::Error::other(error)))?.map_err(|error| match error {
        FileError::Io { error, .. } => Why::Io(error),
        FileError::NotAFile(_) => Why::NoFile,
        FileError::TooLarge { .. } => Why::TooLong,
        other => Why::Unfit(other),
    })
}

/// Decodes either alphabet of base64: both mean the same.
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

/// Reason why there is no MAC key. For the sidecar's log: a client of the API is not told of paths.
#[derive(Debug)]
pub struct MacKeyError {
    /// The key's source; `None` if none is configured.
    place: Option<MacKey>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Io(std::io::Error),
    NoFile,
    NotBase64,
    TooLong,
    Unconfigured,
    /// Other users may change the file.
    Unfit(FileError),
    Unset,
}

impl fmt::Display for MacKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(MacKey::File(path)) => write!(f, "the MAC key of the external account: the file {path:?}: ")?,
            Some(MacKey::Inline(_)) | None => f.write_str("the MAC key of the external account: ")?,
            Some(MacKey::Variable(name)) => {
                write!(f, "the MAC key of the external account: the sidecar's variable {name:?}: ")?;
            }
        }
        match &self.why {
            Why::Io(error) => write!(f, "{error}; does the sidecar's user have access?"),
            Why::NoFile => f.write_str("it is no regular file"),
            Why::NotBase64 => f.write_str("expected the MAC key that the CA gave you, in base64url, and nothing else"),
            Why::TooLong => write!(f, "it is longer than {MAX_ENCODED} bytes: expected a MAC key in base64url alone"),
            Why::Unconfigured => f.write_str("none is configured; `--eab RESOLVER=file:PATH` says where it is"),
            Why::Unfit(error) => error.fmt(f),
            Why::Unset => f.write_str("it is not set"),
        }
    }
}

impl std::error::Error for MacKeyError {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Reads a key from this text.
    async fn key(text: &str) -> Result<Secret, MacKeyError> {
        let keys = MacKeys::new(BTreeMap::from([("le".to_owned(), MacKey::parse(text).unwrap())]));
        keys.of("le").await
    }

    async fn error(text: &str) -> String {
        key(text).await.err().unwrap().to_string()
    }

    /// The example of RFC 7515 A.1, <https://www.rfc-editor.org/rfc/rfc7515#appendix-A.1>.
    #[tokio::test]
    async fn the_mac_is_that_of_rfc_7515() {
        let encoded = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
        let input = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        let mac = BASE64URL.encode(mac(&key(encoded).await.unwrap(), input));
        assert_eq!(mac.trim_end_matches('='), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    }

    #[tokio::test]
    async fn both_alphabets_with_and_without_padding_mean_the_same() {
        for encoded in ["-_-_AQ", "+/+/AQ==", "-_-_AQ==", "+/+/AQ", " -_-_AQ\n", "-_-_AR"] {
            assert_eq!(key(encoded).await.unwrap().expose(), [0xfb, 0xff, 0xbf, 1], "{encoded}");
        }
    }

    #[tokio::test]
    async fn files_are_trimmed_and_bounded_and_what_is_in_them_is_not_shown() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("eab");
        let reference = format!("file:{}", path.display());
        assert!(error(&reference).await.contains("No such file"));
        std::fs::write(&path, "\n c2VjcmV0 \r\n").unwrap();
        assert_eq!(key(&reference).await.unwrap().expose(), b"secret");
        for (text, expected) in [
            ("TOP SECRET".to_owned(), "expected the MAC key"),
            (String::new(), "expected the MAC key"),
            ("c2VjcmV0\nc2VjcmV0".to_owned(), "expected the MAC key"),
            ("A".repeat(5000), "longer than 4096 bytes"),
        ] {
            std::fs::write(&path, &text).unwrap();
            let error = error(&reference).await;
            assert!(error.contains(&path.display().to_string()) && error.contains(expected), "{error}");
            assert!(text.is_empty() || !error.contains(&text));
        }
        assert!(error(&format!("file:{}", home.path().display())).await.contains("no regular file"));
    }

    #[tokio::test]
    async fn a_file_that_others_may_change_is_not_taken() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "c2VjcmV0").unwrap();
        let reference = format!("file:{}", file.path().display());
        assert!(key(&reference).await.is_ok());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(error(&reference).await.contains("666"));
    }

    #[tokio::test]
    async fn a_variable_that_is_not_there_is_named() {
        let error_of_none = error("env:AUTOCERT_TEST_NO_SUCH_VARIABLE").await;
        assert!(error_of_none.contains("\"AUTOCERT_TEST_NO_SUCH_VARIABLE\": it is not set"), "{error_of_none}");
        // Every test runner has this variable, and it is no base64.
        assert!(error("env:PATH").await.contains("expected the MAC key"));
    }

    #[tokio::test]
    async fn a_resolver_has_its_own_key_alone() {
        let keys = MacKeys::new(BTreeMap::from([("le".to_owned(), MacKey::parse("c2VjcmV0").unwrap())]));
        for resolver in ["", "l", "LE", "le ", "zero"] {
            let error = keys.of(resolver).await.err().unwrap().to_string();
            assert!(error.contains("none is configured"), "{resolver}: {error}");
        }
        assert_eq!(keys.of("le").await.unwrap().expose(), b"secret");
        assert!(!format!("{keys:?}").contains("c2Vj"));
    }
}
