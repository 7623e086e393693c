//! Tokens, which only our own configuration of Envoy carries, so that no other filter of the same Envoy can ask in its
//! name. User ids tell processes apart, and all filters are one process.
//!
//! Promises: a token is compared in constant time and never shown. A change of a token file counts at once, and a file
//! that becomes unreadable changes nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `sockets.rs` | the tokens of the sidecar's two sockets, API and SDS |
//! | `file.rs` | token files, read and made |
//! | `refusals.rs` | refusals of clients without a valid token |

mod error;
mod file;
mod grant;
mod random;
mod refusals;
mod sockets;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use notify::RecursiveMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub use error::TokenError;
pub use file::{Kind, TokenFile};
pub use grant::{Grant, Scope};
pub use protocol::tokens::is_placeholder;
pub use random::random;
pub use refusals::{Refusal, Refusals};
pub use sockets::{SocketTokens, UnfitFile, first};

use base::changes::Changes;
use pki::secret::Secret;

/// The tokens that are valid now.
#[derive(Clone)]
pub struct Tokens {
    grants: watch::Receiver<Arc<[Grant]>>,
    /// Path of the token file; `None` when no file has them.
    file: Option<Arc<Path>>,
    refusals: Arc<Refusals>,
}

impl Tokens {
    /// A single token that opens everything, valid for the life of the process.
    pub fn one(token: Secret) -> Self {
        let (_, grants) = watch::channel([Grant { token, scope: Scope::All }].into());
        Self { grants, file: None, refusals: Arc::default() }
    }

    /// The grant of this token; `None` if the token is unknown.
    pub fn grant(&self, given: &[u8]) -> Option<Grant> {
        let mut found = None;
        // Every token is compared, so that the time taken doesn't tell which one is similar.
        for grant in self.grants.borrow().iter() {
            if verify_slices_are_equal(grant.token.expose(), given).is_ok() {
                found = Some(grant.clone());
            }
        }
        found
    }

    /// Records and logs the refusal of a client without a valid token.
    pub fn refuse(&self, why: &str) {
        self.refusals.tell(why, self.file.as_deref());
    }

    /// The refused clients.
    pub fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Completes when the grant changes: its token is withdrawn, or opens other secrets.
    pub async fn withdrawn(&mut self, grant: &Grant) {
        if self.grants.wait_for(|grants| !grants.contains(grant)).await.is_err() {
            // Nobody is left to change the tokens.
            std::future::pending::<()>().await;
        }
    }
}

/// Tokens that follow their file.
pub struct Followed {
    file: TokenFile,
    tokens: watch::Sender<Arc<[Grant]>>,
}

impl Followed {
    /// Reads the file for the first time.
    ///
    /// # Errors
    /// When the file holds no tokens.
    pub fn open(file: TokenFile) -> Result<(Self, Tokens), TokenError> {
        let (tokens, reader) = watch::channel(file.read()?);
        if let Some(warning) = file.warning()? {
            tracing::warn!("{warning}");
        }
        let path = Some(file.path().into());
        Ok((Self { file, tokens }, Tokens { grants: reader, file: path, refusals: Arc::default() }))
    }

    /// Reads the file again, and logs a change.
    fn follow(&self) {
        match self.file.read() {
            Ok(grants) => {
                let changed = self.tokens.send_if_modified(|known| {
                    let is_other = *known != grants;
                    *known = grants;
                    is_other
                });
                if changed {
                    tracing::info!(file = %self.file.path().display(), "reloaded the token file");
                }
            }
            Err(error) => {
                let file = self.file.path().display();
                tracing::error!(%file, "{error}; the previous tokens stay valid");
            }
        }
    }
}

/// Reads token files again whenever they change, or the process gets a SIGHUP.
pub async fn follow(files: Vec<Followed>) {
    let directories: Vec<PathBuf> = files.iter().map(|followed| followed.file.directory()).collect();
    let watched = directories.iter().map(|directory| (directory.as_path(), RecursiveMode::NonRecursive));
    let mut changes = Changes::of(watched);
    let mut hangups = match signal(SignalKind::hangup()) {
        Ok(hangups) => Some(hangups),
        Err(error) => {
            tracing::warn!(%error, "SIGHUP can't be caught; changed token files are noticed all the same");
            None
        }
    };
    loop {
        let hangup = async {
            match &mut hangups {
                Some(hangups) => hangups.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = changes.next() => {}
            _ = hangup => {}
        }
        files.iter().for_each(Followed::follow);
    }
}

#[cfg(test)]
mod tests;
