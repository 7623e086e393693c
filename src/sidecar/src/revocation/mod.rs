//! Revocation lists: a certificate that its CA revoked is replaced at once.
//!
//! If a stored certificate names a revocation list (CRL, RFC 5280 §5), the list is fetched and searched, once for all
//! certificates that share it, and again when its next update is due. Revocations announced by ARI are the engine's
//! business.
//!
//! Promises: a list counts only when the certificate's issuer signed it and it is current; failures are shown in the log,
//! the metrics and the status, and change nothing else; size, time and number of fetches are bounded.
//! Refuses: to stop serving a revoked certificate: visitors whose browsers don't check revocation get in, and the
//! replacement is on its way.
//!
//! | file | what it does |
//! |---|---|
//! | `leaf.rs` | the parts of a certificate that matter |
//! | `fetch.rs`, `address.rs` | fetches a list, from permitted addresses |
//! | `list.rs` | reads a list |
//! | `schedule.rs` | schedules the fetches |

mod address;
mod fetch;
mod leaf;
mod list;
mod schedule;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
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
use protocol::CertificateId;
use schedule::Schedule;
use storage::{Store, StoreError};

/// The quiet time after a stored certificate before the lists are looked for: certificates stored meanwhile are taken
/// along.
const QUIET: Duration = Duration::from_secs(1);
/// The longest sleep: the wall clock may have been set in the meantime.
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The most lists fetched at once: each may take tens of megabytes of memory.
const AT_ONCE: usize = 2;
/// The source of these replacements on the wants board.
const SOURCE: &str = "revocation";

/// Watches the revocation lists.
pub struct Revocation {
    store: Arc<dyn Store>,
    wants: Arc<WantsBoard>,
    clock: Clock,
    /// `None` if revocation lists are not looked at.
    fetcher: Option<Fetcher>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The revoked certificates found, by resolver, names and serial number.
    revoked: BTreeMap<(CertificateId, String), Revoked>,
    /// The URLs of lists that failed the last time, and why.
    failing: BTreeMap<String, String>,
    fetched: u64,
    failed: u64,
}

/// A stored certificate that its CA revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revoked {
    /// The certificate's resolver.
    pub resolver: String,
    /// The certificate's names.
    pub names: Vec<String>,
    /// The certificate's serial number, in lower-case hexadecimal.
    pub serial: String,
    /// The time and reason of the revocation, for a person.
    pub reason: String,
}

/// Counts of the lists, and their present failures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lists {
    /// The number of lists read since the start.
    pub read: u64,
    /// The number of lists that could not be fetched or read.
    pub failed: u64,
    /// The URLs of lists that failed the last time, and why.
    pub failing: BTreeMap<String, String>,
}

impl Revocation {
    /// Watches the lists of certificates in this store. With `enabled` off, nothing is watched; `allow_private` allows
    /// URLs to addresses that are not public.
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

    /// Counts of the lists, and their present failures.
    pub fn lists(&self) -> Lists {
        let state = self.state();
        Lists { read: state.fetched, failed: state.failed, failing: state.failing.clone() }
    }

    /// Watches until the store is closed or the future dropped; ends at once when there is nothing to do.
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

    /// Brings the known leaves up to date with the stored certificates, by their versions.
    async fn leaves(&self, leaves: &mut HashMap<String, Option<Leaf>>) -> Result<(), StoreError> {
        let certificates = self.store.certificates().await?;
        let now = self.clock.now_seconds();
        let mut current = HashMap::with_capacity(certificates.len());
        for certificate in certificates.into_iter().filter(|certificate| certificate.facts.not_after > now) {
            let version = certificate.pair.version.clone();
            let known = leaves.remove(&version);
            // Leaves are replaced one by one: the names of a certificate may have changed with the chain the same.
            let leaf = known.filter(|leaf| leaf.as_ref().is_none_or(|leaf| leaf.id == certificate.facts.id()));
            current.insert(version, leaf.unwrap_or_else(|| Leaf::of(&certificate)));
        }
        *leaves = current;
        Ok(())
    }

    /// Forgets certificates and lists that are no longer stored.
    fn forget(&self, leaves: &HashMap<String, Option<Leaf>>) {
        let stored: HashSet<(CertificateId, String)> = leaves.values().flatten().map(key).collect();
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
                    // A certificate on hold may have been released.
                    let Some(reason) = revoked.get(&leaf.serial) else {
                        state.revoked.remove(&key(leaf));
                        continue;
                    };
                    let resolver = &leaf.id.resolver;
                    let names = &leaf.id.names;
                    let serial = &leaf.serial;
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

    /// Tells the engine which certificates to replace.
    fn tell(&self) {
        let replacement = |((_, _), revoked): (&(CertificateId, String), &Revoked)| protocol::Replacement {
            certificate: protocol::CertificateId { resolver: revoked.resolver.clone(), names: revoked.names.clone() },
            serial: revoked.serial.clone(),
            reason: revoked.reason.clone(),
        };
        let replacements = self.state().revoked.iter().map(replacement).collect();
        self.wants.replace(SOURCE, replacements);
    }

    // A panic while the lock is held would be our bug; the state is consistent at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(leaf: &Leaf) -> (CertificateId, String) {
    (leaf.id.clone(), leaf.serial.clone())
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
    let from = url.clone();
    let wanted = leaves.clone();
    let now = clock.now_seconds();
    // Reading a large list takes a while. The task is cancelled only when the runtime ends, and panics only by a bug.
    let read = spawn_blocking(move || read_for_all(&body, &from, &wanted, now)).await;
    (url, leaves, read.unwrap_or_else(|error| Err(error.to_string())))
}

/// Reads a list for all certificates that share it: they have one issuer, or several certificates of the issuer.
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

/// Waits for a change of the stored certificates, and for those that follow at once; returns whether the store is open.
async fn changed(changes: &mut Receiver<CertificateId>) -> bool {
    match changes.recv().await {
        Err(RecvError::Closed) => return false,
        Ok(_) | Err(RecvError::Lagged(_)) => {}
    }
    sleep(QUIET).await;
    *changes = changes.resubscribe();
    true
}
