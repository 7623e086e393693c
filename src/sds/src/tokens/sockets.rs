//! The tokens of the sidecar's two sockets, API and SDS. A token of the API never opens a TLS key.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::{SecretText, tokens as envoy};

use super::{Followed, Kind, TokenError, TokenFile, Tokens, random};
use base::state_file;
use pki::secret::Secret;

/// Suffix of the storage's path: the file with the API's token.
const API: &str = ".api-token";
/// Suffix of the storage's path: the file with the token of SDS.
const SDS: &str = ".sds-token";

/// The tokens of both sockets.
#[derive(Clone)]
pub struct SocketTokens {
    /// For requests to the API.
    pub api: Tokens,
    /// For streams of SDS and ADS.
    pub sds: Tokens,
}

impl SocketTokens {
    /// Opens the named token files, or else files of our own next to the storage, which are made when missing. The
    /// returned [`Followed`] go to [`super::follow`].
    ///
    /// # Errors
    /// When a file can't be used.
    pub fn open(storage: &Path, api: Option<&Path>, sds: Option<&Path>) -> Result<(Self, Vec<Followed>), UnfitFile> {
        let (api_file, api) = open(Kind::Api, api, &state_file::path(storage, API))?;
        let (sds_file, sds) = open(Kind::Sds, sds, &state_file::path(storage, SDS))?;
        Ok((Self { api, sds }, vec![api_file, sds_file]))
    }

    /// Random tokens that nobody else has, and the same for the configuration of the Envoy that is to use them.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<(Self, envoy::Tokens), TokenError> {
        let api = random()?;
        let sds = random()?;
        let texts = envoy::Tokens { api: Some(text(&api)), sds: Some(text(&sds)) };
        Ok((Self { api: Tokens::one(api), sds: Tokens::one(sds) }, texts))
    }
}

/// A token as text for a configuration. Tokens of ours are printable.
fn text(token: &Secret) -> SecretText {
    SecretText::new(String::from_utf8_lossy(token.expose()).into_owned())
}

fn open(kind: Kind, named: Option<&Path>, own: &Path) -> Result<(Followed, Tokens), UnfitFile> {
    let file = match named {
        Some(path) => Ok(TokenFile::new(kind, path.to_owned())),
        None => TokenFile::own(kind, own.to_owned()),
    };
    let unfit = |error| UnfitFile { path: named.unwrap_or(own).to_owned(), error };
    file.and_then(Followed::open).map_err(unfit)
}

/// Omits the tokens.
impl fmt::Debug for SocketTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SocketTokens").finish_non_exhaustive()
    }
}

/// The first token of a file, for a configuration.
///
/// # Errors
/// When the file can't be used.
pub fn first(kind: Kind, path: &Path) -> Result<SecretText, UnfitFile> {
    let token = TokenFile::new(kind, path.to_owned()).first();
    token.map(|token| text(&token)).map_err(|error| UnfitFile { path: path.to_owned(), error })
}

/// Error of a token file, with its path.
#[derive(Debug)]
pub struct UnfitFile {
    path: PathBuf,
    error: TokenError,
}

impl fmt::Display for UnfitFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            // This error names the file itself.
            TokenError::File(error) => error.fmt(f),
            error => write!(f, "{}: {error}", self.path.display()),
        }
    }
}

impl std::error::Error for UnfitFile {}
