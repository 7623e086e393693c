//! Tokens: what only our own configuration of Envoy carries, so that no other filter of the same Envoy can ask in its
//! name. A user's id tells processes apart, and all filters are one process.
//!
//! Promises: a token is compared in constant time and never shown; what a file says counts as soon as it is changed, and
//! a file that has become unreadable changes nothing.
//!
//! | file | what it does |
//! |---|---|
//! | `doors.rs` | those of a sidecar: the API's and SDS's |
//! | `file.rs` | tokens as a file has them, read and made |
//! | `refusals.rs` | what is told of those who have none |

mod doors;
mod error;
mod file;
mod grant;
mod random;
mod refusals;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use notify::RecursiveMode;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

pub use doors::{Doors, UnfitFile, first};
pub use error::TokenError;
pub use file::{Kind, TokenFile};
pub use grant::{Grant, Scope};
pub use protocol::tokens::is_placeholder;
pub use random::random;
pub use refusals::{Refusal, Refusals};

use base::changes::Changes;
use pki::secret::Secret;

/// The tokens that are good now.
#[derive(Clone)]
pub struct Tokens {
    grants: watch::Receiver<Arc<[Grant]>>,
    /// Where they stand; none when no file has them.
    file: Option<Arc<Path>>,
    refusals: Arc<Refusals>,
}

impl Tokens {
    /// One token for everything, that is good for as long as this lives.
    pub fn one(token: Secret) -> Self {
        let (_, grants) = watch::channel([Grant { token, scope: Scope::All }].into());
        Self { grants, file: None, refusals: Arc::default() }
    }

    /// What is granted to who knows this; nothing to whom it is no token.
    pub fn grant(&self, given: &[u8]) -> Option<Grant> {
        let mut found = None;
        // All are compared, so that the time it takes tells nothing of which one is alike.
        for grant in self.grants.borrow().iter() {
            if verify_slices_are_equal(grant.token.expose(), given).is_ok() {
                found = Some(grant.clone());
            }
        }
        found
    }

    /// Takes down and logs that somebody was refused who has none of them.
    pub fn refuse(&self, why: &str) {
        self.refusals.tell(why, self.file.as_deref());
    }

    /// Those who were refused.
    pub fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    /// Ends when the grant is no longer what it was: its token is good no more, or for other secrets.
    pub async fn withdrawn(&mut self, grant: &Grant) {
        if self.grants.wait_for(|grants| !grants.contains(grant)).await.is_err() {
            // Nobody is left to change anything.
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
    /// When it holds no tokens.
    pub fn open(file: TokenFile) -> Result<(Self, Tokens), TokenError> {
        let (tokens, reader) = watch::channel(file.read()?);
        if let Some(warning) = file.warning()? {
            tracing::warn!("{warning}");
        }
        let path = Some(file.path().into());
        Ok((Self { file, tokens }, Tokens { grants: reader, file: path, refusals: Arc::default() }))
    }

    /// Reads it again, and says whether anything has changed.
    fn follow(&self) {
        match self.file.read() {
            Ok(grants) => {
                let changed = self.tokens.send_if_modified(|known| {
                    let is_other = *known != grants;
                    *known = grants;
                    is_other
                });
                if changed {
                    tracing::info!(file = %self.file.path().display(), "the changed tokens are in force");
                }
            }
            Err(error) => {
                let file = self.file.path().display();
                tracing::error!(%file, "{error}; the tokens before stay in force");
            }
        }
    }
}

/// Reads files again whenever they change, or the process gets a SIGHUP.
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
