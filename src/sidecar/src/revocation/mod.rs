//! Revocation lists: a certificate that its CA revoked is replaced at once.
//!
//! Where a stored certificate names a revocation list (CRL, RFC 5280 §5), the list is fetched and looked through, once for
//! all certificates that share it, and again when its next one is due. Where CAs tell it by ARI, the engine asks them.
//!
//! Promises: a list counts only when the certificate's issuer signed it and it is of now; failures are told in the log,
//! the metrics and the status, and change nothing else; what is fetched is bounded, in size, time and number.
//! Refuses: to stop serving a revoked certificate: a visitor who does not look at revocations gets in, and the next one
//! is on its way.
//!
//! | file | what it does |
//! |---|---|
//! | `leaf.rs` | what of a certificate matters |
//! | `fetch.rs`, `address.rs` | gets a list, and from where |
//! | `list.rs` | reads a list |
//! | `schedule.rs` | when to get which |

mod address;
mod fetch;
mod leaf;
mod list;
mod schedule;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::wants::WantsBoard;
use base::clock::Clock;
use fetch::Fetcher;
use leaf::Leaf;
use list::Reading;
use schedule::Schedule;
use storage::{CertificateKey, Store, StoreError};

/// How long certificates that are stored may follow each other before their lists are looked for.
const QUIET: Duration = Duration::from_secs(1);
/// The longest rest: the wall clock may have been set in the meantime.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The most lists that are fetched at once: each may take tens of megabytes of memory.
const AT_ONCE: usize = 2;
/// Whose replacements these are, on the board.
const SOURCE: &str = "revocation";

/// Watches the revocation lists.
pub struct Revocation {
    store: Arc<dyn Store>,
    wants: Arc<WantsBoard>,
    clock: Clock,
    /// None: no list is looked at.
    fetcher: Option<Fetcher>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What was found of stored certificates, by resolver, names and serial number.
    revoked: BTreeMap<(CertificateKey, String), Revoked>,
    /// Lists that could not be had the last time, and why.
    failing: BTreeMap<String, String>,
    fetched: u64,
    failed: u64,
}

/// A stored certificate that its CA revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// Its resolver.
    pub resolver: String,
    /// Its names.
    pub names: Vec<String>,
    /// Its serial number, in lower-case hexadecimal.
    pub serial: String,
    /// When and why, for a person.
    pub reason: String,
}

/// How the lists are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lists {
    /// How many were read since the start.
    pub read: u64,
    /// How many could not be had or read.
    pub failed: u64,
    /// Those that could not the last time, by their URLs, and why.
    pub failing: BTreeMap<String, String>,
}

impl Revocation {
    /// Of what is in this store. With `enabled` off, nothing is looked at; `allow_private` allows URLs that lead inside.
    pub fn new(
        store: Arc<dyn Store>,
        wants: Arc<WantsBoard>,
        clock: Clock,
        enabled: bool,
        allow_private: bool,
    ) -> Self {
        let fetcher = enabled.then(|| Fetcher::new(allow_private)).and_then(|fetcher| {
            fetcher.inspect_err(|error| tracing::error!(%error, "revocation lists can't be fetched")).ok()
        });
        Self { store, wants, clock, fetcher, state: Mutex::default() }
    }

    /// The stored certificates that are revoked.
    pub fn revoked(&self) -> Vec<Revoked> {
        self.state().revoked.values().cloned().collect()
    }

    /// How the lists are.
    pub fn lists(&self) -> Lists {
        let state = self.state();
        Lists { read: state.fetched, failed: state.failed, failing: state.failing.clone() }
    }

    /// Watches. Runs until the store is closed or this is dropped; ends at once when there is nothing to do.
    pub async fn run(&self) {
        let Some(fetcher) = &self.fetcher else { return };
        let mut changes = self.store.watch();
        let mut leaves = HashMap::new();
        let mut schedule = Schedule::default();
        loop {
            match self.leaves(&mut leaves).await {
                Ok(()) => self.forget(&leaves),
                Err(error) => {
                    tracing::warn!(%error, "the stored certificates can't be read, so no revocation list is looked at until the next round")
                }
            }
            let by_url = by_url(&leaves);
            schedule.keep(by_url.keys().copied(), self.clock.now_seconds());
            let due: Vec<&str> = schedule.due(self.clock.now_seconds());
            let looks = due.into_iter().map(|url| (url.to_owned(), by_url.get(url).cloned().unwrap_or_default()));
            let looks: Vec<(String, Vec<Leaf>)> = looks.collect();
            let mut outcomes = stream::iter(looks)
                .map(|(url, leaves)| look(fetcher, url, leaves, &self.clock))
                .buffer_unordered(AT_ONCE);
            while let Some((url, leaves, outcome)) = outcomes.next().await {
                self.take(&url, &leaves, outcome, &mut schedule);
            }
            drop(outcomes);
            let rest = schedule.rest(self.clock.now_seconds()).map_or(LONGEST_REST, |rest| rest.min(LONGEST_REST));
            tokio::select! {
                () = sleep(rest) => {}
                is_open = changed(&mut changes) => if !is_open { return },
            }
        }
    }

    /// Brings what is known of the stored certificates up to date, by their versions.
    async fn leaves(&self, leaves: &mut HashMap<String, Option<Leaf>>) -> Result<(), StoreError> {
        let certificates = self.store.certificates().await?;
        let now = self.clock.now_seconds();
        let mut current = HashMap::with_capacity(certificates.len());
        for certificate in certificates.into_iter().filter(|certificate| certificate.facts.not_after > now) {
            let version = certificate.pair.version.clone();
            let known = leaves.remove(&version);
            // One after the other: the names of one may have been altered, with the chain the same.
            let leaf = known.filter(|leaf| leaf.as_ref().is_none_or(|leaf| leaf.id == certificate.facts.id));
            current.insert(version, leaf.unwrap_or_else(|| Leaf::of(&certificate)));
        }
        *leaves = current;
        Ok(())
    }

    /// What is stored no longer is of no interest.
    fn forget(&self, leaves: &HashMap<String, Option<Leaf>>) {
        let stored: HashSet<(CertificateKey, String)> = leaves.values().flatten().map(key).collect();
        let named: HashSet<&str> = leaves.values().flatten().map(|leaf| leaf.url.as_str()).collect();
        let mut state = self.state();
        let before = state.revoked.len();
        state.revoked.retain(|key, _| stored.contains(key));
        state.failing.retain(|url, _| named.contains(url.as_str()));
        let is_other = state.revoked.len() != before;
        drop(state);
        if is_other {
            self.tell();
        }
    }

    fn take(&self, url: &str, leaves: &[Leaf], outcome: Result<Reading, String>, schedule: &mut Schedule) {
        let now = self.clock.now_seconds();
        let mut state = self.state();
        match outcome {
            Ok(Reading { revoked, next_update }) => {
                state.fetched += 1;
                state.failing.remove(url);
                schedule.was_read(url, next_update, now);
                for leaf in leaves {
                    // One that was on hold may be good again.
                    let Some(reason) = revoked.get(&leaf.serial) else {
                        state.revoked.remove(&key(leaf));
                        continue;
                    };
                    let (resolver, names, serial) = (&leaf.id.resolver, &leaf.id.names, &leaf.serial);
                    let found = Revoked {
                        resolver: resolver.clone(),
                        names: names.clone(),
                        serial: serial.clone(),
                        reason: reason.clone(),
                    };
                    if state.revoked.insert(key(leaf), found).is_none() {
                        let main = names.first().map_or("", String::as_str);
                        tracing::error!(
                            resolver,
                            main,
                            serial,
                            reason,
                            url,
                            "a certificate was revoked; it is replaced"
                        );
                    }
                }
                drop(state);
                self.tell();
            }
            Err(why) => {
                tracing::warn!(url, why, certificates = leaves.len(), "a revocation list can't be used");
                state.failed += 1;
                state.failing.insert(url.to_owned(), why);
                schedule.has_failed(url, now);
            }
        }
    }

    /// Tells the engine what is to be replaced.
    fn tell(&self) {
        let replacement = |((_, _), revoked): (&(CertificateKey, String), &Revoked)| protocol::Replacement {
            certificate: protocol::CertificateId { resolver: revoked.resolver.clone(), names: revoked.names.clone() },
            serial: revoked.serial.clone(),
            reason: revoked.reason.clone(),
        };
        let replacements = self.state().revoked.iter().map(replacement).collect();
        self.wants.replace(SOURCE, replacements);
    }

    // A panic while the lock is held would be a bug of ours; the state is whole at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(leaf: &Leaf) -> (CertificateKey, String) {
    (CertificateKey::from(&leaf.id), leaf.serial.clone())
}

fn by_url(leaves: &HashMap<String, Option<Leaf>>) -> HashMap<&str, Vec<Leaf>> {
    let mut by_url: HashMap<&str, Vec<Leaf>> = HashMap::new();
    for leaf in leaves.values().flatten() {
        by_url.entry(leaf.url.as_str()).or_default().push(leaf.clone());
    }
    by_url
}

/// Fetches a list, and looks for these certificates in it.
async fn look(
    fetcher: &Fetcher,
    url: String,
    leaves: Vec<Leaf>,
    clock: &Clock,
) -> (String, Vec<Leaf>, Result<Reading, String>) {
    let body = match fetcher.fetch(&url).await {
        Ok(body) => body,
        Err(error) => return (url, leaves, Err(error.to_string())),
    };
    let (from, wanted, now) = (url.clone(), leaves.clone(), clock.now_seconds());
    // A large list takes a while to read. It is cancelled only when the runtime ends, and panics only by a bug.
    let read = spawn_blocking(move || read_for_all(&body, &from, &wanted, now)).await;
    (url, leaves, read.unwrap_or_else(|error| Err(error.to_string())))
}

/// The certificates that share a list have one issuer, or several certificates of it.
fn read_for_all(body: &[u8], url: &str, leaves: &[Leaf], now: i64) -> Result<Reading, String> {
    let mut by_issuer: BTreeMap<&[u8], Vec<&str>> = BTreeMap::new();
    for leaf in leaves {
        by_issuer.entry(&leaf.issuer).or_default().push(&leaf.serial);
    }
    let mut all = Reading { revoked: HashMap::new(), next_update: None };
    for (issuer, serials) in by_issuer {
        let reading = list::read(body, url, issuer, &serials, now).map_err(|error| error.to_string())?;
        all.revoked.extend(reading.revoked);
        all.next_update = reading.next_update;
    }
    Ok(all)
}

/// Waits for a change of the stored certificates, and for those that follow it at once; says whether the store is open.
async fn changed(changes: &mut Receiver<CertificateKey>) -> bool {
    match changes.recv().await {
        Err(RecvError::Closed) => return false,
        Ok(_) | Err(RecvError::Lagged(_)) => {}
    }
    sleep(QUIET).await;
    *changes = changes.resubscribe();
    true
}
