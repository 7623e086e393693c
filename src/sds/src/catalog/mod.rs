//! The certificates that can be served for each name, best first: written by the API, read by SDS.
//!
//! Promises: a look-up costs a few hash look-ups, however many certificates there are. [`Catalog::changes`] counts
//! every change that can alter an answer, and no other (such as the same content again). Refuses: to judge a
//! certificate. The caller who puts one in has checked it ([`Pair::parse`]).

mod changes;
mod covering;
mod default_certificate;
mod followers;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use base::clock::Clock;
use changes::ChangeLog;
pub use changes::Changed;
use covering::{Covering, Source};
pub use default_certificate::DefaultCertificate;
pub use followers::Follower;
use followers::Followers;
use pki::{Name, Pair, PairError};

/// Longest sleep of [`Catalog::keep_time`]: the wall clock may have been set in the meantime.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// All certificates that can be served.
pub struct Catalog {
    contents: RwLock<Contents>,
    changed: watch::Sender<u64>,
    followers: Arc<Followers>,
}

impl Catalog {
    /// Returns an empty catalog, which answers with the default certificate, if any.
    pub fn new(default: DefaultCertificate) -> Self {
        let contents = Contents { default: default.into_pair(), ..Contents::default() };
        Self { contents: RwLock::new(contents), changed: watch::Sender::new(0), followers: Arc::default() }
    }

    /// Replaces or adds the ACME certificate of `id` (resolver and names, in any order); `None` removes it.
    pub fn put_acme(&self, id: &protocol::CertificateId, pair: Option<Arc<Pair>>) {
        self.alter(|contents| contents.put_acme(id, pair));
    }

    /// The ACME certificate of `id` that is served where it is the best.
    pub fn acme(&self, id: &protocol::CertificateId) -> Option<Arc<Pair>> {
        self.read().acme.get(id).cloned()
    }

    /// Replaces all provided certificates.
    pub fn replace_provided(&self, pairs: Vec<Arc<Pair>>) {
        self.alter(|contents| contents.replace_provided(pairs));
    }

    /// Replaces the default certificate.
    pub fn replace_default(&self, default: DefaultCertificate) {
        self.alter(|contents| contents.replace_default(default.into_pair()));
    }

    /// The best certificate for a name, in this order: valid ACME, expired ACME, provided, of a CA's test system,
    /// default; exact names before wildcards, then the one that is valid longest. `None` when nothing covers it and
    /// there is no default.
    ///
    /// `name` is spelt as the client gave it; a name that is neither a DNS name nor an address has no certificate.
    /// `now` is in seconds since 1970.
    pub fn best(&self, name: &str, now: i64) -> Option<Arc<Pair>> {
        self.best_for(&Name::parse(name)?, now)
    }

    /// [`Catalog::best`] for a name that has been parsed already.
    pub fn best_for(&self, name: &Name, now: i64) -> Option<Arc<Pair>> {
        let contents = self.read();
        contents.best_covering(name, now).or_else(|| contents.default.clone())
    }

    /// Name lists of the provided certificates, with the end of their validity.
    pub fn provided(&self) -> Vec<protocol::ProvidedCertificate> {
        let contents = self.read();
        let listed =
            |pair: &Arc<Pair>| protocol::ProvidedCertificate { names: pair.names.clone(), not_after: pair.not_after };
        contents.provided.iter().map(listed).collect()
    }

    /// Returns the changes after number `seen`, and the number of the latest one.
    pub fn changed_since(&self, seen: u64) -> (u64, Changed) {
        self.read().log.since(seen)
    }

    /// Number of changes so far.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Follows the catalog from this change on: [`Catalog::arrived`] waits for this follower.
    pub fn follow(&self, change: u64) -> Follower {
        self.followers.join(change)
    }

    /// Completes when all followers have handled every change up to now.
    pub async fn arrived(&self) {
        let latest = *self.changed.borrow();
        self.followers.reached(latest).await;
    }

    /// Counts a change in [`Catalog::changes`] whenever a certificate begins or ceases to be valid, since another one
    /// may be the best from then on. Runs until dropped.
    pub async fn keep_time(&self, clock: &Clock) {
        let mut changes = self.changes();
        let mut seen = clock.now_seconds();
        loop {
            changes.mark_unchanged();
            let now = clock.now_seconds();
            self.alter(|contents| contents.turns_between(seen, now).then_some(Changed::Everything));
            seen = now;
            let until_turn = self.read().next_turn(now).map(|turn| Duration::from_secs(turn.abs_diff(now)));
            let sleep = until_turn.map_or(LONGEST_SLEEP, |until| until.min(LONGEST_SLEEP));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                _ = changes.changed() => {}
            }
        }
    }

    /// Alters the contents and announces the change, if there is one.
    fn alter(&self, alteration: impl FnOnce(&mut Contents) -> Option<Changed>) {
        let mut contents = self.write();
        let number = match alteration(&mut contents) {
            None => return,
            Some(Changed::Everything) => contents.log.note_everything(),
            Some(Changed::Names(names)) => contents.log.note(names.into_iter()),
        };
        // Under the lock, so that numbers are announced in order.
        self.changed.send_replace(number);
    }

    // A panic while the lock is held would be a bug of ours; the catalog goes on with what it has.
    fn read(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Contents> {
        self.contents.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Contents of the catalog, guarded by the lock.
#[derive(Default)]
struct Contents {
    acme: HashMap<protocol::CertificateId, Arc<Pair>>,
    provided: Vec<Arc<Pair>>,
    default: Option<Arc<Pair>>,
    by_name: HashMap<Name, Covering>,
    /// Number of certificates that begin or cease to be valid, by moment.
    turns: BTreeMap<i64, usize>,
    log: ChangeLog,
}

impl Contents {
    fn put_acme(&mut self, id: &protocol::CertificateId, pair: Option<Arc<Pair>>) -> Option<Changed> {
        let old = match pair.clone() {
            Some(pair) => self.acme.insert(id.clone(), pair),
            None => self.acme.remove(id),
        };
        let same = version_of(old.as_ref()) == version_of(pair.as_ref());
        let names = old.iter().chain(&pair).flat_map(|pair| names_of(pair)).collect();
        pair.iter().for_each(|pair| self.add(Source::Acme, pair));
        old.iter().for_each(|old| self.remove(Source::Acme, old));
        (!same).then_some(Changed::Names(names))
    }

    fn replace_provided(&mut self, pairs: Vec<Arc<Pair>>) -> Option<Changed> {
        let versions = |pairs: &[Arc<Pair>]| pairs.iter().map(|pair| pair.version.clone()).collect::<HashSet<_>>();
        let before = versions(&self.provided);
        let after = versions(&pairs);
        let differing = |pair: &&Arc<Pair>| !before.contains(&pair.version) || !after.contains(&pair.version);
        let names: Vec<Name> =
            self.provided.iter().chain(&pairs).filter(differing).flat_map(|pair| names_of(pair)).collect();
        if before == after {
            return None;
        }
        for old in std::mem::take(&mut self.provided) {
            self.remove(Source::Provided, &old);
        }
        for pair in &pairs {
            self.add(Source::Provided, pair);
        }
        self.provided = pairs;
        Some(Changed::Names(names))
    }

    fn replace_default(&mut self, default: Option<Arc<Pair>>) -> Option<Changed> {
        let same = version_of(self.default.as_ref()) == version_of(default.as_ref());
        self.default = default;
        (!same).then_some(Changed::Everything)
    }

    fn add(&mut self, source: Source, pair: &Arc<Pair>) {
        for name in names_of(pair) {
            self.by_name.entry(name).or_default().add(source, pair.clone());
        }
        for turn in pair.turns() {
            *self.turns.entry(turn).or_default() += 1;
        }
    }

    fn remove(&mut self, source: Source, pair: &Arc<Pair>) {
        for name in names_of(pair) {
            let Some(covering) = self.by_name.get_mut(&name) else { continue };
            covering.remove(source, pair);
            if covering.is_empty() {
                self.by_name.remove(&name);
            }
        }
        for turn in pair.turns() {
            let Some(count) = self.turns.get_mut(&turn) else { continue };
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.turns.remove(&turn);
            }
        }
    }

    fn best_covering(&self, name: &Name, now: i64) -> Option<Arc<Pair>> {
        let exact = self.by_name.get(name).and_then(|covering| covering.best(true, now));
        let parent = name.wildcard().and_then(|wildcard| self.by_name.get(&wildcard));
        let wildcard = parent.and_then(|covering| covering.best(false, now));
        exact.into_iter().chain(wildcard).max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, pair)| pair.clone())
    }

    fn next_turn(&self, now: i64) -> Option<i64> {
        self.turns.range(now.saturating_add(1)..).next().map(|(turn, _)| *turn)
    }

    /// True if some certificate's validity begins or ends between `seen` and `now`, whichever way the clock went.
    fn turns_between(&self, seen: i64, now: i64) -> bool {
        let low = seen.min(now);
        let high = seen.max(now);
        self.next_turn(low).is_some_and(|turn| turn <= high)
    }
}

fn names_of(pair: &Pair) -> impl Iterator<Item = Name> {
    pair.names.iter().filter_map(|name| Name::parse(name))
}

fn version_of(pair: Option<&Arc<Pair>>) -> Option<&str> {
    pair.map(|pair| pair.version.as_str())
}

#[cfg(test)]
mod tests;
