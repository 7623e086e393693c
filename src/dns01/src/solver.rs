//! DNS-01 challenges by token: asked for, waited for, withdrawn.
//!
//! Promises: a challenge is asked for as often as its engine likes, and solved once; one that failed tells so once, and
//! is begun anew by whoever asks next. Each has a task of its own, so none holds up another.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use protocol::Dns01;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::delegation::Delegation;
use super::journal::{Journal, Need};
use super::life::{FORGOTTEN, Wish, leftover, live, unwanted};
use super::lookup::Exchange;
use super::providers::Providers;
use super::removal::Counted;
use super::turns::Turns;
use base::clock::Clock;

/// The most challenges at once: a thousand orders with ten names each.
pub(super) const MAX_CHALLENGES: usize = 10_000;

/// Solves DNS-01 challenges.
#[derive(Clone)]
pub struct Solver(Arc<Shared>);

/// What the solver works with.
pub struct Parts {
    /// Finds DNS providers.
    pub providers: Box<dyn Providers>,
    /// Asks name servers.
    pub exchange: Arc<dyn Exchange>,
    /// Where authoritative name servers listen.
    pub name_server_port: u16,
    /// Whether records are made where CNAMEs lead, and which of these names are taken.
    pub delegation: Delegation,
    /// The time of what is set aside.
    pub clock: Clock,
}

/// What all challenges share.
pub(super) struct Shared {
    pub(super) parts: Parts,
    pub(super) journal: Journal,
    pub(super) turns: Turns,
    /// How many records are being removed.
    pub(super) removals: watch::Sender<usize>,
    tokens: Mutex<Tokens>,
    /// Turns true when all tasks are to end.
    ended: watch::Sender<bool>,
}

#[derive(Default)]
struct Tokens {
    live: HashMap<String, Challenge>,
    /// Records from before the last start, which their engine may still withdraw. A token can have several.
    left: HashMap<String, Vec<watch::Sender<Wish>>>,
}

struct Challenge {
    asked: Dns01,
    wish: watch::Sender<Wish>,
    progress: watch::Receiver<Progress>,
}

/// How far a challenge is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It can't be answered.
    Failed(String),
    /// The record is seen.
    Ready,
    /// Something is still to be done.
    UnderWay,
}

/// Why a challenge is not, or can't be, answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolved {
    /// It failed.
    Failed(String),
    /// There is no room for another.
    Full,
}

impl fmt::Display for Unsolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(why) => f.write_str(why),
            Self::Full => write!(
                f,
                "{MAX_CHALLENGES} DNS-01 challenges are under way, which is all there is room for: try again later"
            ),
        }
    }
}

impl Solver {
    /// Reads the journal beside this storage.
    pub async fn open(storage: &Path, parts: Parts) -> Self {
        let journal = Journal::open(storage, &parts.clock).await;
        Self(Arc::new(Shared {
            parts,
            journal,
            turns: Turns::default(),
            removals: watch::Sender::new(0),
            tokens: Mutex::default(),
            ended: watch::Sender::new(false),
        }))
    }

    /// Sees to the records that are left from before: an engine may go on with its order and ask for one or withdraw it;
    /// the others are removed.
    pub fn resume(&self) {
        let entries = self.0.journal.unwanted();
        if !entries.is_empty() {
            tracing::info!(records = entries.len(), "TXT records are left from before; they are removed soon");
        }
        for entry in entries {
            let (wish, mut heard) = watch::channel(Wish::now());
            self.0.tokens().left.entry(entry.token.clone()).or_default().push(wish);
            let shared = self.0.clone();
            self.0.spawn(async move {
                leftover(&shared, &entry, &mut heard).await;
                drop(heard);
                let mut tokens = shared.tokens();
                if let Some(left) = tokens.left.get_mut(&entry.token) {
                    left.retain(|wish| wish.receiver_count() > 0);
                    if left.is_empty() {
                        tokens.left.remove(&entry.token);
                    }
                }
            });
        }
    }

    /// Solves a challenge, or waits with those who asked before. Says whether the record is seen; it is not, when that
    /// takes longer than `patience`.
    ///
    /// # Errors
    /// When it failed; what was made is removed then.
    pub async fn put(&self, challenge: Dns01, patience: Duration) -> Result<bool, Unsolved> {
        self.put_for(challenge, patience, Need::OnDisk).await
    }

    /// As [`Solver::put`]; `need` says whether the record must be on disk before it is made.
    ///
    /// # Errors
    /// As [`Solver::put`].
    pub async fn put_for(&self, challenge: Dns01, patience: Duration, need: Need) -> Result<bool, Unsolved> {
        let token = challenge.token.clone();
        let mut progress = self.progress_of(challenge, need)?;
        let ended = async {
            // One whose task has ended without a word was withdrawn meanwhile.
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

    /// Finds the challenge, or begins it.
    fn progress_of(&self, asked: Dns01, need: Need) -> Result<watch::Receiver<Progress>, Unsolved> {
        let mut tokens = self.0.tokens();
        if let Some(there) = tokens.live.get(&asked.token) {
            if there.asked == asked {
                there.wish.send_modify(|wish| wish.asked = Instant::now());
                return Ok(there.progress.clone());
            }
            self.0.withdraw(&there.wish);
        } else if tokens.live.len() >= MAX_CHALLENGES {
            return Err(Unsolved::Full);
        }
        let (wish, mut heard) = watch::channel(Wish::now());
        let (tell, progress) = watch::channel(Progress::UnderWay);
        let this = progress.clone();
        let challenge = Challenge { asked: asked.clone(), wish, progress: progress.clone() };
        tokens.live.insert(asked.token.clone(), challenge);
        let shared = self.0.clone();
        self.0.spawn(async move {
            live(&shared, (&asked, need), &mut heard, &tell).await;
            if matches!(*this.borrow(), Progress::Failed(_)) {
                // It stays until somebody has been told, or it is too old to matter.
                unwanted(&mut heard, FORGOTTEN).await;
            }
            shared.end(&asked.token, &this);
        });
        Ok(progress)
    }

    /// Withdraws a challenge: its record is removed soon.
    pub fn retract(&self, token: &str) {
        let mut tokens = self.0.tokens();
        let live = tokens.live.remove(token).map(|challenge| challenge.wish);
        for wish in live.into_iter().chain(tokens.left.remove(token).into_iter().flatten()) {
            self.0.withdraw(&wish);
        }
    }

    /// How many records are at providers, or may be.
    pub fn records(&self) -> usize {
        self.0.journal.len()
    }

    /// Ends everything, with `patience` for records that are being removed. What is left is in the journal.
    pub async fn stop(&self, patience: Duration) {
        let mut removals = self.0.removals.subscribe();
        // The sender is ours.
        let _ = timeout(patience, removals.wait_for(|removals| *removals == 0)).await;
        self.0.ended.send_replace(true);
        self.0.journal.settle().await;
    }
}

impl Shared {
    /// Runs a task until everything is to end.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut ended = self.ended.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                _ = ended.wait_for(|ended| *ended) => {}
            }
        });
    }

    fn withdraw(&self, wish: &watch::Sender<Wish>) {
        let counted = Counted::new(self.removals.clone());
        wish.send_modify(|wish| wish.withdrawn = Some(counted));
    }

    /// Forgets this challenge, and no later one of its token.
    fn end(&self, token: &str, progress: &watch::Receiver<Progress>) {
        let mut tokens = self.tokens();
        if tokens.live.get(token).is_some_and(|there| there.progress.same_channel(progress)) {
            tokens.live.remove(token);
        }
    }

    // A panic while the lock is held would be a bug of ours; the maps are whole at every moment.
    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
