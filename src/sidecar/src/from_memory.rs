//! What goes on although the storage can't be written: the renewal of a certificate that is near its end.
//!
//! Whatever the CA is asked for is counted, and kept with its key, on disk first: what a crash loses would be asked for
//! again, and a crash loop would ask without end. So on a full disk no order begins, and the administrator has the rest of
//! the time until the certificate's end to make room. Near the end that would cost visitors their certificate for the sake
//! of a count. Then the renewal goes on: everything is kept in memory, served from there, and written when there is room.
//!
//! Promises: nothing goes on so that is not near its end, nor before the storage was seen failing for a while, which no
//! crash loop lives to see; each is told in the log, in `/status` and in the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::StoredCertificate;

use storage::{CertificateKey, CommitError, StorageStatus, Store, StoreError};

/// Near its end is a certificate with this part of its lifetime left: a tenth, nine days of ninety. Renewals are due with a
/// third or more left, so that two thirds of the time for them have passed without room on the disk; and what is left is
/// enough for many tries at a CA that is down or refuses.
const NEAR_END: i64 = 10;
/// How long the storage must have been failing before a renewal goes on without it, in seconds: a full disk is often full
/// for a moment, and a sidecar that crashes sooner than this asks the CA for nothing.
const PATIENCE: i64 = 60;
/// Of a short-lived certificate it is this part of the lifetime, if that is less.
const PATIENCE_PART: i64 = 30;
/// How often it is looked whether there is room since a certificate has to wait, in seconds at the least.
const TRY: i64 = 5;
/// The longest that a certificate that has to wait for room waits before its engine asks again, in seconds.
const WAIT: i64 = 60;
/// The most renewals that are listed.
const MOST: usize = 1000;

/// Whether what was answered is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// It is on disk.
    OnDisk,
    /// It is in memory alone, until the storage can be written.
    InMemory,
}

/// What a change is about.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// One certificate.
    Certificate(&'a CertificateKey),
    /// The account of a resolver, and so all of its certificates.
    Resolver(&'a str),
    /// One name of a resolver's.
    Name(&'a str, &'a str),
}

impl About<'_> {
    fn resolver(&self) -> &str {
        match self {
            Self::Certificate(key) => &key.resolver,
            Self::Resolver(resolver) | Self::Name(resolver, _) => resolver,
        }
    }
}

/// A renewal that is in memory alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsaved {
    /// The certificate.
    pub certificate: CertificateKey,
    /// Since when, seconds since 1970.
    pub since: i64,
    /// What keeps it from being saved.
    pub reason: String,
}

/// That a certificate waits for room.
#[derive(Debug)]
pub(crate) struct NoRoom {
    /// When to ask again, seconds since 1970.
    pub(crate) until: i64,
    /// Why, in one line for a person.
    pub(crate) why: String,
}

/// The renewals that go on without the storage.
#[derive(Default)]
pub struct FromMemory(Mutex<State>);

#[derive(Default)]
struct State {
    /// Since when each place is known to fail, seconds since 1970.
    failing: BTreeMap<String, i64>,
    /// When it was last tried to write, since somebody had to wait, seconds since 1970.
    tried: Option<i64>,
    renewals: BTreeMap<CertificateKey, Unsaved>,
}

impl FromMemory {
    /// Whether what could not be saved may go on all the same. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When it may not, as the commit's.
    pub(crate) async fn excuse(
        &self,
        store: &dyn Store,
        saved: Result<(), CommitError>,
        about: About<'_>,
        now: i64,
    ) -> Result<Saved, CommitError> {
        let Err(CommitError::Unsaved(why)) = saved else { return saved.map(|()| Saved::OnDisk) };
        let failing_since = self.failing(store, &[about.resolver()], now).map_or(now, |failing| failing.since);
        let refused = |_: StoreError| CommitError::Unsaved(why.clone());
        let urgent: Vec<CertificateKey> = certificates(store, about)
            .await
            .map_err(refused)?
            .iter()
            .filter(|facts| from_when(facts, failing_since) <= now)
            .map(|facts| CertificateKey::from(&facts.id))
            .collect();
        match (about, urgent.as_slice()) {
            (_, []) => Err(CommitError::Unsaved(why)),
            (About::Certificate(key), _) => {
                self.note(key, &why, now);
                Ok(Saved::InMemory)
            }
            (About::Resolver(_) | About::Name(..), _) => Ok(Saved::InMemory),
        }
    }

    /// Whether a certificate has to wait, since its storage, or that of whose account is used, is known to fail.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn no_room(
        &self,
        store: &dyn Store,
        key: &CertificateKey,
        issuer: &str,
        now: i64,
    ) -> Result<Option<NoRoom>, StoreError> {
        let resolvers = [key.resolver.as_str(), issuer];
        if self.failing(store, &resolvers, now).is_some() && self.is_to_try(now) {
            store.retry().await;
        }
        let Some(failing) = self.failing(store, &resolvers, now) else { return Ok(None) };
        let stored = certificates(store, About::Certificate(key)).await?;
        let from = stored.first().map_or(i64::MAX, |facts| from_when(facts, failing.since));
        if from <= now {
            return Ok(None);
        }
        let Failing { place, error, .. } = failing;
        let then = match stored.is_empty() {
            true => "when there is room",
            false => "when there is room, or when a tenth of the certificate's lifetime is left",
        };
        let why = format!("the storage {place} can't be written: {error}; the CA is asked {then}");
        Ok(Some(NoRoom { until: from.min(now.saturating_add(WAIT)), why }))
    }

    /// Whether the name's certificate may be renewed although nothing can be saved.
    pub(crate) async fn is_urgent(&self, store: &dyn Store, about: About<'_>, now: i64) -> bool {
        let Some(failing) = self.failing(store, &[about.resolver()], now) else { return false };
        let found = certificates(store, about).await.unwrap_or_default();
        found.iter().any(|facts| from_when(facts, failing.since) <= now)
    }

    /// Remembers, and tells once, that something of a certificate's is in memory alone.
    pub(crate) fn note(&self, key: &CertificateKey, why: &str, now: i64) {
        let mut state = self.state();
        if state.renewals.contains_key(key) || state.renewals.len() >= MOST {
            return;
        }
        let (resolver, main) = (&key.resolver, key.names().first().map_or("", String::as_str));
        tracing::error!(
            resolver,
            main,
            why,
            "the storage can't be written, and the certificate is near its end: its renewal \
            goes on in memory alone, and is lost if the sidecar ends before there is room; make room on the disk"
        );
        let unsaved = Unsaved { certificate: key.clone(), since: now, reason: why.to_owned() };
        state.renewals.insert(key.clone(), unsaved);
    }

    /// The renewals that are in memory alone now: at most a thousand.
    pub fn all(&self, store: &dyn Store, now: i64) -> Vec<Unsaved> {
        let storages = store.storages();
        let mut state = self.current(&storages, now);
        state
            .renewals
            .retain(|key, _| of(&storages, &key.resolver).is_some_and(|storage| storage.disk.error.is_some()));
        state.renewals.values().cloned().collect()
    }

    /// Whether it is time to look whether there is room, for somebody who would have to wait.
    fn is_to_try(&self, now: i64) -> bool {
        let mut state = self.state();
        let is_time = state.tried.is_none_or(|tried| !(tried..tried.saturating_add(TRY)).contains(&now));
        if is_time {
            state.tried = Some(now);
        }
        is_time
    }

    /// What fails of where these resolvers' records are, the first of them.
    fn failing(&self, store: &dyn Store, resolvers: &[&str], now: i64) -> Option<Failing> {
        let storages = store.storages();
        let state = self.current(&storages, now);
        resolvers.iter().find_map(|resolver| {
            let storage = of(&storages, resolver)?;
            let (place, error) = (storage.place.clone(), storage.disk.error.clone()?);
            Some(Failing { since: state.failing.get(&place).copied().unwrap_or(now), place, error })
        })
    }

    /// What is remembered, brought up to date: what can be written again fails no more.
    fn current(&self, storages: &[StorageStatus], now: i64) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let failing = storages.iter().filter(|storage| storage.disk.error.is_some());
        // A clock that was set back must not make anybody wait longer.
        let since = |place: &String| state.failing.get(place).map_or(now, |since| *since.min(&now));
        state.failing = failing.map(|storage| (storage.place.clone(), since(&storage.place))).collect();
        state
    }

    // A panic while the lock is held would be a bug of ours; what it guards is whole at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place that can't be written.
struct Failing {
    place: String,
    error: Arc<str>,
    /// Since when that is known, seconds since 1970.
    since: i64,
}

/// Where a resolver's records are.
fn of<'a>(storages: &'a [StorageStatus], resolver: &str) -> Option<&'a StorageStatus> {
    let own = storages.iter().find(|storage| storage.resolvers.iter().any(|own| own == resolver));
    own.or_else(|| storages.iter().find(|storage| storage.resolvers.is_empty()))
}

/// From when on a renewal goes on although the storage fails, seconds since 1970.
fn from_when(facts: &StoredCertificate, failing_since: i64) -> i64 {
    let lifetime = facts.not_after.saturating_sub(facts.not_before).max(0);
    let near_end = facts.not_after.saturating_sub(lifetime / NEAR_END);
    near_end.max(failing_since.saturating_add(PATIENCE.min(lifetime / PATIENCE_PART)))
}

/// The stored certificates that something is about.
async fn certificates(store: &dyn Store, about: About<'_>) -> Result<Vec<StoredCertificate>, StoreError> {
    let (resolver, name) = match about {
        About::Certificate(key) => {
            return Ok(store.certificate(key).await?.map(|stored| stored.value.facts).into_iter().collect());
        }
        About::Resolver(resolver) => (resolver, None),
        About::Name(resolver, name) => (resolver, Some(name)),
    };
    let all = store.certificates().await?.into_iter().map(|certificate| certificate.facts);
    let is_its = |facts: &StoredCertificate| facts.id.resolver == resolver;
    Ok(all.filter(|facts| is_its(facts) && name.is_none_or(|name| is_of(&facts.id.names, name))).collect())
}

/// Whether a challenge for this name proves one of these: that of a wildcard is for the name below it.
fn is_of(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.strip_prefix("*.").unwrap_or(known) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(seconds: i64) -> StoredCertificate {
        StoredCertificate {
            id: protocol::CertificateId { resolver: "le".into(), names: vec!["a.example".into()] },
            not_before: 0,
            not_after: seconds,
            serial: "01".into(),
            issuer: "CA".into(),
            key_type: "EC256".into(),
            renewal_id: None,
        }
    }

    #[test]
    fn a_tenth_of_the_lifetime_is_near_the_end_and_no_sooner_than_after_a_while() {
        let days = |days: i64| days * 24 * 60 * 60;
        assert_eq!(from_when(&lasting(days(90)), 0), days(81));
        assert_eq!(from_when(&lasting(days(90)), days(85)), days(85) + PATIENCE);
        assert_eq!(from_when(&lasting(days(90)), days(95)), days(95) + PATIENCE, "an expired one too");
        assert_eq!(from_when(&lasting(60), 58), 60, "a short-lived one is not waited for that long");
    }

    #[test]
    fn odd_dates_are_no_harm() {
        let odd = StoredCertificate { not_before: i64::MAX, not_after: i64::MIN, ..lasting(0) };
        assert_eq!(from_when(&odd, i64::MAX), i64::MAX);
    }

    #[test]
    fn a_wildcards_challenge_is_of_the_name_below_it() {
        assert!(is_of(&["*.a.example".into()], "a.example") && is_of(&["a.example".into()], "a.example"));
        assert!(!is_of(&["*.a.example".into()], "b.example"));
    }
}
