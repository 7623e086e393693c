//! The two doors of a sidecar, each with tokens of its own: that of the API never opens a TLS key.

use std::fmt;
use std::path::{Path, PathBuf};

use protocol::SecretText;
use protocol::tokens as envoy;

use super::{Followed, Kind, TokenError, TokenFile, Tokens, random};
use base::state_file;
use pki::secret::Secret;

/// Behind the storage's path: the file with the token of the API.
const API: &str = ".api-token";
/// Behind the storage's path: the file with the token of SDS.
const SDS: &str = ".sds-token";

/// The tokens of both doors.
#[derive(Clone)]
pub struct Doors {
    /// For requests to the API.
    pub api: Tokens,
    /// For streams of SDS and ADS.
    pub sds: Tokens,
}

impl Doors {
    /// The tokens of the files that are named; else of files of our own beside the storage, which are made when they are
    /// not there. To be followed: see [`super::follow`].
    ///
    /// # Errors
    /// When a file can't be used.
    pub fn open(storage: &Path, api: Option<&Path>, sds: Option<&Path>) -> Result<(Self, Vec<Followed>), UnfitFile> {
        let (api_file, api) = open(Kind::Api, api, &state_file::path(storage, API))?;
        let (sds_file, sds) = open(Kind::Sds, sds, &state_file::path(storage, SDS))?;
        Ok((Self { api, sds }, vec![api_file, sds_file]))
    }

    /// Random ones that nobody else has, and the same for the configuration that is to open the doors.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn random() -> Result<(Self, envoy::Tokens), TokenError> {
        let (api, sds) = (random()?, random()?);
        let texts = envoy::Tokens { api: Some(text(&api)), sds: Some(text(&sds)) };
        Ok((Self { api: Tokens::one(api), sds: Tokens::one(sds) }, texts))
    }
}

/// A secret as a configuration has it. Ours are printable.
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

/// Without the tokens.
impl fmt::Debug for Doors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors").finish_non_exhaustive()
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

/// A file without tokens that can be used.
#[derive(Debug)]
pub struct UnfitFile {
    path: PathBuf,
    error: TokenError,
}

impl fmt::Display for UnfitFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            // It names the file.
            TokenError::File(error) => error.fmt(f),
            error => write!(f, "{}: {error}", self.path.display()),
        }
    }
}

impl std::error::Error for UnfitFile {}
