//! The certificates followed, and the consequences of acknowledgements, rejections and handshakes: a pure state
//! machine.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::counts::DeploymentCounts;
use super::entry::{Entry, Rejection, State, is_usable};
use super::kept::Kept;
use super::rolled_back::RolledBack;
use pki::Pair;
use protocol::CertificateId;
use storage::Certificate;

/// Seconds during which a rejection still counts after every check has succeeded: other Envoys may be slower. Then the
/// previous certificate is forgotten.
const SETTLING: i64 = 10 * 60;
/// The most certificates followed. Beyond it, new ones are served without a rollback.
const MAX_ENTRIES: usize = 20_000;
/// The most Envoys whose rejections are kept apart.
const MAX_NODES: usize = 1024;

/// All deployments that are followed.
pub(super) struct Table {
    entries: HashMap<CertificateId, Entry>,
    /// The certificate of each version, of the newest and the last good ones.
    by_version: HashMap<Arc<str>, CertificateId>,
    /// The bad versions that each Envoy holds.
    blames: HashMap<String, Blame>,
    /// Records from before the start whose certificate has not been chosen since.
    restored: HashMap<CertificateId, Kept>,
    pub(super) counts: DeploymentCounts,
    decisions: Decisions,
}

/// A bad version that an Envoy holds. As long as it does, it rejects every update of the same TLS context.
struct Blame {
    key: CertificateId,
    /// The versions the Envoy has rejected since.
    held: HashSet<Arc<str>>,
}

/// The decisions to carry out.
#[derive(Default)]
pub(super) struct Decisions {
    /// Certificates whose served pair has to be changed.
    pub(super) refresh: Vec<CertificateId>,
    /// Versions to be verified by handshakes.
    pub(super) verify: Vec<(CertificateId, Arc<str>)>,
    /// Versions to be sent again to the Envoys that rejected them.
    pub(super) appeal: Vec<Arc<str>>,
    /// True if the records on disk have to be written.
    pub(super) keep: bool,
}

/// The circumstances of a choice.
#[derive(Clone, Copy)]
pub(super) struct Observation<'a> {
    /// The pair served now.
    pub(super) served: Option<&'a Arc<Pair>>,
    /// True if the certificate was stored just now; false if it was read at the start.
    pub(super) is_news: bool,
}

/// The certificate a handshake is compared with.
pub(super) struct Expected {
    pub(super) newest: Arc<Pair>,
    pub(super) last_good: Option<Arc<Pair>>,
}

impl Table {
    /// Creates a table of the records read from disk.
    pub(super) fn new(kept: Vec<Kept>) -> Self {
        Self {
            entries: HashMap::new(),
            by_version: HashMap::new(),
            blames: HashMap::new(),
            restored: kept.into_iter().map(|kept| (kept.id.clone(), kept)).collect(),
            counts: DeploymentCounts::default(),
            decisions: Decisions::default(),
        }
    }

    /// Takes the decisions made since the last call.
    pub(super) fn decisions(&mut self) -> Decisions {
        std::mem::take(&mut self.decisions)
    }

    /// See [`super::Deployment::choose`].
    pub(super) fn choose(&mut self, certificate: &Certificate, observation: Observation<'_>, now: i64) -> Arc<Pair> {
        let key = certificate.facts.id();
        let version = certificate.pair.version.as_str();
        if let Some(entry) = self.entries.get(&key).filter(|entry| entry.newest.version == version) {
            return entry.serving(now);
        }
        let before = self.entries.remove(&key);
        before.iter().for_each(|entry| self.forget(entry));
        let kept = self.restored.remove(&key);
        if before.is_none() && observation.served.is_some_and(|served| served.version == version) {
            // The deployment of this certificate is over.
            return certificate.pair.clone();
        }
        let (last_good, state, rejections) = match (before, kept) {
            (Some(before), _) => match before.state {
                State::Rejected(_) => (before.last_good, State::Pushed, before.rejections),
                State::Pushed => (before.last_good.or(Some(before.newest)), State::Pushed, before.rejections),
                State::Accepted | State::Proven(_) => (Some(before.newest), State::Pushed, 0),
            },
            (None, Some(kept)) => {
                let rejection = kept.rejection.filter(|_| kept.version == version);
                (kept.last_good, rejection.map_or(State::Pushed, State::Rejected), kept.rejections)
            }
            (None, None) => (observation.served.cloned(), State::Pushed, 0),
        };
        let entry = Entry {
            id: certificate.facts.id(),
            newest: certificate.pair.clone(),
            serial: certificate.facts.serial.clone(),
            last_good: last_good.filter(|good| good.version != version && is_usable(good, now)),
            state,
            rejections,
        };
        let serving = entry.serving(now);
        if self.entries.len() < MAX_ENTRIES && (observation.is_news || entry.last_good.is_some() || entry.is_rejected())
        {
            self.follow(key, entry);
        }
        serving
    }

    fn follow(&mut self, key: CertificateId, entry: Entry) {
        for pair in [Some(&entry.newest), entry.last_good.as_ref()].into_iter().flatten() {
            self.by_version.insert(pair.version.as_str().into(), key.clone());
        }
        self.decisions.keep = true;
        self.entries.insert(key, entry);
    }

    /// Forgets the versions of an entry.
    fn forget(&mut self, entry: &Entry) {
        for pair in [Some(&entry.newest), entry.last_good.as_ref()].into_iter().flatten() {
            self.by_version.remove(pair.version.as_str());
        }
        self.decisions.keep = true;
    }

    /// Notes that an Envoy uses this version; returns whether that changes anything.
    pub(super) fn accepted(&mut self, node: &str, version: &str) -> bool {
        let Some(key) = self.by_version.get(version).cloned() else { return false };
        let is_mended = self.blames.get(node).is_some_and(|blame| blame.key == key);
        if is_mended {
            self.acquit(node);
        }
        let Some(entry) = self.entries.get_mut(&key).filter(|entry| entry.newest.version == version) else {
            return is_mended;
        };
        let was_blamed_by = match &entry.state {
            State::Rejected(Rejection { node: Some(by), .. }) => by == node && entry.last_good.is_none(),
            _ => false,
        };
        if entry.state != State::Pushed && !was_blamed_by {
            return is_mended;
        }
        entry.state = State::Accepted;
        self.counts.accepted += 1;
        self.decisions.verify.push((key, version.into()));
        true
    }

    /// Notes that an Envoy rejected a response in which only this version was new; returns whether that changes
    /// anything.
    pub(super) fn rejected(&mut self, node: &str, version: &str, error: &str, now: i64) -> bool {
        let Some(key) = self.by_version.get(version).cloned() else { return false };
        let Some(entry) = self.entries.get_mut(&key) else { return false };
        let is_newest = entry.newest.version == version;
        if let Some(blame) = self.blames.get_mut(node) {
            if blame.key != key {
                blame.held.insert(version.into());
                return false;
            }
            if !is_newest {
                // The previous certificate is rejected as well: it is bad too, or the fault lies elsewhere.
                entry.last_good = None;
                self.by_version.remove(version);
                self.decisions.refresh.push(key);
                self.decisions.keep = true;
                self.acquit(node);
                return true;
            }
        }
        if !is_newest {
            return false;
        }
        if self.blames.len() < MAX_NODES || self.blames.contains_key(node) {
            let blame = Blame { key: key.clone(), held: HashSet::new() };
            self.blames.entry(node.to_owned()).or_insert(blame);
        }
        let reason = format!("Envoy {node} rejected it: {error}");
        let rejection = Rejection { node: Some(node.to_owned()), reason, at: now, mendable: true };
        self.counts.rejected += 1;
        self.roll_back(&key, rejection)
    }

    /// Notes that handshakes did not find this version.
    pub(super) fn unserved(&mut self, key: &CertificateId, version: &str, reason: &str, mendable: bool, now: i64) {
        if self.entries.get(key).is_some_and(|entry| entry.newest.version == version) {
            self.counts.unserved += 1;
            self.roll_back(key, Rejection { node: None, reason: reason.to_owned(), at: now, mendable });
        }
    }

    /// See [`super::Deployment::is_awaited`].
    pub(super) fn is_awaited(&self, version: &str) -> bool {
        let entry = self.by_version.get(version).and_then(|key| self.entries.get(key));
        let newest = entry.filter(|entry| entry.newest.version == version);
        newest.is_some_and(|entry| matches!(entry.state, State::Pushed | State::Accepted))
    }

    /// Notes that every check of this version that can be made has succeeded.
    pub(super) fn proven(&mut self, key: &CertificateId, version: &str, now: i64) {
        let is_it = |entry: &&mut Entry| entry.newest.version == version && entry.state == State::Accepted;
        if let Some(entry) = self.entries.get_mut(key).filter(is_it) {
            entry.state = State::Proven(now);
            entry.rejections = 0;
            self.decisions.keep = true;
        }
    }

    /// The certificate a handshake is compared with; `None` if a newer version has replaced this one.
    pub(super) fn expected(&self, key: &CertificateId, version: &str) -> Option<Expected> {
        let entry = self.entries.get(key).filter(|entry| entry.newest.version == version && !entry.is_rejected())?;
        Some(Expected { newest: entry.newest.clone(), last_good: entry.last_good.clone() })
    }

    /// Advances the time. By now, everything stored has been chosen once.
    pub(super) fn keep_time(&mut self, now: i64) {
        // The rest belongs to certificates that are no longer stored.
        self.decisions.keep |= !std::mem::take(&mut self.restored).is_empty();
        let is_over = |entry: &Entry| matches!(entry.state, State::Proven(at) if now.saturating_sub(at) > SETTLING);
        let over: Vec<CertificateId> =
            self.entries.iter().filter(|(_, entry)| is_over(entry)).map(|(key, _)| key.clone()).collect();
        for key in over {
            if let Some(entry) = self.entries.remove(&key) {
                self.forget(&entry);
            }
        }
        self.blames.retain(|_, blame| self.entries.contains_key(&blame.key));
        for (key, entry) in &mut self.entries {
            if entry.last_good.take_if(|good| !is_usable(good, now)).is_some() {
                self.decisions.keep = true;
                if entry.is_rejected() {
                    let main = entry.id.names.first().map_or("", String::as_str);
                    let resolver = &entry.id.resolver;
                    tracing::warn!(
                        resolver,
                        main,
                        "the last good certificate nears its end; the newest is served again"
                    );
                    self.decisions.refresh.push(key.clone());
                }
            }
        }
    }

    /// The replacements the engine is asked for at `now`, in seconds since 1970.
    pub(super) fn replacements(&self, now: i64) -> Vec<protocol::Replacement> {
        self.entries.values().filter_map(|entry| entry.replacement(now)).collect()
    }

    /// The records that must survive a restart.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let followed = self.entries.values().filter(|entry| {
            let is_at_stake = entry.last_good.is_some() && !matches!(entry.state, State::Proven(_));
            is_at_stake || entry.is_rejected()
        });
        followed.map(Kept::of).collect()
    }

    /// See [`super::Deployment::rolled_back`].
    pub(super) fn rolled_back(&self, now: i64) -> Vec<RolledBack> {
        let of = |entry: &Entry| {
            let State::Rejected(rejection) = &entry.state else { return None };
            Some(RolledBack {
                resolver: entry.id.resolver.clone(),
                names: entry.id.names.clone(),
                serial: entry.serial.clone(),
                reason: rejection.reason.clone(),
                since: rejection.at,
                last_good_until: entry
                    .last_good
                    .as_ref()
                    .filter(|good| is_usable(good, now))
                    .map(|good| good.not_after),
            })
        };
        self.entries.values().filter_map(of).collect()
    }

    fn roll_back(&mut self, key: &CertificateId, rejection: Rejection) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| !entry.is_rejected()) else { return false };
        let resolver = &entry.id.resolver;
        let main = entry.id.names.first().map_or("", String::as_str);
        let serial = &entry.serial;
        let reason = &rejection.reason;
        if entry.last_good.is_some() {
            tracing::error!(resolver, main, serial, reason, "a certificate is rolled back to the last good one");
        } else {
            tracing::error!(
                resolver,
                main,
                serial,
                reason,
                "certificate rejected; no last good certificate to roll back to"
            );
        }
        entry.reject(rejection);
        self.decisions.refresh.push(key.clone());
        self.decisions.keep = true;
        true
    }

    /// Clears an Envoy's bad version: the versions it rejected since are sent again.
    fn acquit(&mut self, node: &str) {
        if let Some(blame) = self.blames.remove(node) {
            self.decisions.appeal.extend(blame.held);
        }
    }
}
