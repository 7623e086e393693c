//! Token files: one token a line; for SDS, the names it is limited to may follow.
//!
//! ```text
//! # comments and empty lines count for nothing
//! 3f1c…
//! 77ab… shop.example *.shop.example
//! ```

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zeroize::Zeroizing;

use super::error::{MAX_TOKEN, MAX_TOKENS, MIN_TOKEN, TokenError, Unfit};
use super::grant::{Grant, Scope};
use super::is_placeholder;
use base::files::atomic_file::Access;
use base::files::secret;
use pki::Name;
use pki::secret::Secret;

/// The longest file, in bytes: it is read whole. A token that is for a thousand names is well below it.
const MAX_FILE: u64 = 1024 * 1024;
/// Files of our own are readable only by the user who runs the sidecar and writes Envoy's configuration.
const ACCESS: Access = Access { mode: 0o600, group: None };

/// The kind of a token file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Tokens of the API.
    Api,
    /// Tokens of SDS; a token may be limited to some names.
    Sds,
}

/// A file with tokens.
#[derive(Clone, Debug)]
pub struct TokenFile {
    kind: Kind,
    path: PathBuf,
    /// True if we made the file, so that a link in its place is an attack.
    is_own: bool,
}

impl TokenFile {
    /// A file of the user's.
    pub fn new(kind: Kind, path: PathBuf) -> Self {
        Self { kind, path, is_own: false }
    }

    /// A file of our own, made with a random token when missing.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn own(kind: Kind, path: PathBuf) -> Result<Self, TokenError> {
        let file = Self { kind, path, is_own: true };
        let mut content = Zeroizing::new(super::random::random()?.expose().to_vec());
        // Without the newline, a plugin in Envoy could have a gRPC client of Envoy's send the whole file as a header.
        content.push(b'\n');
        if secret::create(&file.path, ACCESS, &content).map_err(TokenError::File)? {
            tracing::info!(file = %file.path.display(), "created a token file");
        }
        Ok(file)
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file's directory.
    pub fn directory(&self) -> PathBuf {
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).to_owned()
    }

    /// Returns a warning about the file's layout, if it deserves one.
    ///
    /// # Errors
    /// When the file can't be read.
    pub(super) fn warning(&self) -> Result<Option<String>, TokenError> {
        let is_a_header = !self.text()?.expose().contains(&b'\n');
        let path = self.path.display();
        Ok(is_a_header.then(|| {
            format!(
                "{path}: the line has no line break at its end, so that a WebAssembly filter can have a gRPC client of \
                 Envoy's send the file as a token, if Envoy may read it; run: echo >> {path}"
            )
        }))
    }

    /// Reads the tokens.
    ///
    /// # Errors
    /// When the file can't be read, or is no token file.
    pub(super) fn read(&self) -> Result<Arc<[Grant]>, TokenError> {
        grants(self.kind, &self.text()?)
    }

    /// The first token, for Envoy's configuration.
    ///
    /// # Errors
    /// When the file can't be read, or is no token file.
    pub fn first(&self) -> Result<Secret, TokenError> {
        let first = self.read()?.first().map(|grant| grant.token.clone());
        first.ok_or(TokenError::Empty)
    }

    fn text(&self) -> Result<Secret, TokenError> {
        let read = if self.is_own { secret::read_own } else { secret::read };
        read(&self.path, MAX_FILE).map(Secret::new).map_err(TokenError::File)
    }
}

fn grants(kind: Kind, text: &Secret) -> Result<Arc<[Grant]>, TokenError> {
    let mut grants = Vec::new();
    for (index, line) in text.expose().split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let number = index.saturating_add(1);
        grants.push(grant(kind, line).map_err(|why| TokenError::Line { number, why })?);
    }
    match grants.len() {
        0 => Err(TokenError::Empty),
        1..=MAX_TOKENS => Ok(grants.into()),
        _ => Err(TokenError::TooMany),
    }
}

fn grant(kind: Kind, line: &[u8]) -> Result<Grant, Unfit> {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let token = words.next().unwrap_or_default();
    let is_token = (MIN_TOKEN..=MAX_TOKEN).contains(&token.len()) && token.iter().all(u8::is_ascii_graphic);
    if !is_token {
        return Err(Unfit::Token);
    }
    // Placeholders are public, and stand in configurations that nobody has filled in.
    if is_placeholder(token) {
        return Err(Unfit::Placeholder);
    }
    let names = words.map(name).collect::<Result<Vec<Name>, Unfit>>()?;
    let scope = match (kind, names.is_empty()) {
        (_, true) => Scope::All,
        (Kind::Sds, false) => Scope::Names(names.into()),
        (Kind::Api, false) => return Err(Unfit::Names),
    };
    Ok(Grant { token: Secret::new(token.to_vec()), scope })
}

fn name(word: &[u8]) -> Result<Name, Unfit> {
    str::from_utf8(word).ok().and_then(Name::parse).ok_or(Unfit::Name)
}
