//! DNS-01 challenges by token: presented, awaited, withdrawn.
//!
//! Promises: an engine may ask for a challenge any number of times, and the challenge is solved once; a failure is
//! reported once, and the next request starts anew. Each challenge has a task of its own, so none delays another.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use protocol::Dns01;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::interest::{FORGOTTEN, Interest, unwanted};
use super::journal::{Journal, Need};
use super::locks::ProviderLocks;
use super::record_task::{leftover, solve};
use super::shared::{Challenge, Parts, Progress, Shared};

/// Maximum number of concurrent challenges: a thousand orders with ten names each.
pub(super) const MAX_CHALLENGES: usize = 10_000;

/// Solves DNS-01 challenges.
#[derive(Clone)]
pub struct Solver(Arc<Shared>);

/// The reason why a challenge is not solved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolved {
    /// The challenge failed, for this reason.
    Failed(String),
    /// The maximum number of challenges is reached.
    Full,
}

impl fmt::Display for Unsolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Full => {
                write!(f, "{MAX_CHALLENGES} DNS-01 challenges are pending, which is the maximum: try again later")
            }
        }
    }
}

impl Solver {
    /// Reads the journal next to this storage.
    pub async fn open(storage: &Path, parts: Parts) -> Self {
        let journal = Journal::open(storage, &parts.clock).await;
        Self(Arc::new(Shared {
            parts,
            journal,
            locks: ProviderLocks::default(),
            removals: watch::Sender::new(0),
            tokens: Mutex::default(),
            ended: watch::Sender::new(false),
        }))
    }

    /// Resumes the records in the journal: an engine may go on with its order and ask for a record or withdraw it; the
    /// others are removed.
    pub fn resume(&self) {
        let entries = self.0.journal.unwanted();
        if !entries.is_empty() {
            tracing::info!(records = entries.len(), "TXT records are left from before; they are removed soon");
        }
        for entry in entries {
            let (interest, mut heard) = watch::channel(Interest::now());
            self.0.tokens().left.entry(entry.token.clone()).or_default().push(interest);
            let shared = self.0.clone();
            self.0.spawn(async move {
                leftover(&shared, &entry, &mut heard).await;
                drop(heard);
                let mut tokens = shared.tokens();
                if let Some(left) = tokens.left.get_mut(&entry.token) {
                    left.retain(|interest| interest.receiver_count() > 0);
                    if left.is_empty() {
                        tokens.left.remove(&entry.token);
                    }
                }
            });
        }
    }

    /// Solves a challenge, or joins earlier requests for it. Returns true if the record is visible; false if that takes
    /// longer than `patience`.
    ///
    /// # Errors
    /// If the challenge failed; its record is then removed.
    pub async fn put(&self, challenge: Dns01, patience: Duration) -> Result<bool, Unsolved> {
        self.put_for(challenge, patience, Need::OnDisk).await
    }

    /// As [`Solver::put`]; `need` says whether the record must be in the journal on disk before it is created.
    ///
    /// # Errors
    /// As [`Solver::put`].
    pub async fn put_for(&self, challenge: Dns01, patience: Duration, need: Need) -> Result<bool, Unsolved> {
        let token = challenge.token.clone();
        let mut progress = self.progress_of(challenge, need)?;
        let ended = async {
            // A task that has ended without a result was withdrawn meanwhile.
            progress
                .wait_for(|progress| *progress != Progress::UnderWay)
                .await
                .map_or(Progress::UnderWay, |at| at.clone())
        };
        match timeout(patience, ended).await.unwrap_or(Progress::UnderWay) {
            Progress::UnderWay => Ok(false),
            Progress::Ready => Ok(true),
            Progress::Failed(why) => {
                self.0.end(&token, &progress);
                Err(Unsolved::Failed(why))
            }
        }
    }

    /// Finds the challenge, or starts it.
    fn progress_of(&self, asked: Dns01, need: Need) -> Result<watch::Receiver<Progress>, Unsolved> {
        let mut tokens = self.0.tokens();
        if let Some(existing) = tokens.active.get(&asked.token) {
            if existing.asked == asked {
                existing.interest.send_modify(|interest| interest.asked = Instant::now());
                return Ok(existing.progress.clone());
            }
            self.0.withdraw(&existing.interest);
        } else if tokens.active.len() >= MAX_CHALLENGES {
            return Err(Unsolved::Full);
        }
        let (interest, mut heard) = watch::channel(Interest::now());
        let (tell, progress) = watch::channel(Progress::UnderWay);
        let this = progress.clone();
        let challenge = Challenge { asked: asked.clone(), interest, progress: progress.clone() };
        tokens.active.insert(asked.token.clone(), challenge);
        let shared = self.0.clone();
        self.0.spawn(async move {
            solve(&shared, (&asked, need), &mut heard, &tell).await;
            if matches!(*this.borrow(), Progress::Failed(_)) {
                // A failure stays until it is reported, or too old to matter.
                unwanted(&mut heard, FORGOTTEN).await;
            }
            shared.end(&asked.token, &this);
        });
        Ok(progress)
    }

    /// Withdraws a challenge: its record is removed soon.
    pub fn retract(&self, token: &str) {
        let mut tokens = self.0.tokens();
        let active = tokens.active.remove(token).map(|challenge| challenge.interest);
        for interest in active.into_iter().chain(tokens.left.remove(token).into_iter().flatten()) {
            self.0.withdraw(&interest);
        }
    }

    /// Number of records that are, or may be, at providers.
    pub fn records(&self) -> usize {
        self.0.journal.len()
    }

    /// Ends all tasks, with `patience` for removals in progress. Remaining records are in the journal.
    pub async fn stop(&self, patience: Duration) {
        let mut removals = self.0.removals.subscribe();
        // The sender is in `self`, so the channel is never closed.
        let _ = timeout(patience, removals.wait_for(|removals| *removals == 0)).await;
        self.0.ended.send_replace(true);
        self.0.journal.settle().await;
    }
}
