//! Renewals that go on although the storage can't be written: those of certificates near their end.
//!
//! Whatever the CA is asked for is first counted, and stored with its key, on disk: otherwise it would be asked for
//! again after a crash, and a crash loop would ask without end. So on a full disk no order begins, and the
//! administrator has the rest of the certificate's lifetime to make room. Near the end that would cost visitors their
//! certificate for the sake of a count. Then the renewal goes on: everything is kept in memory, served from there, and
//! written when there is room.
//!
//! Promises: a renewal goes on in this way only near the certificate's end, and only after the storage has been failing
//! for a while, longer than any crash loop lives; each such renewal is in the log, in `/status` and in the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::StoredCertificate;

use protocol::CertificateId;
use storage::{CommitError, StorageStatus, Store, StoreError};

/// The part of the lifetime below which a certificate is near its end: a tenth, nine days of ninety. Renewals are due
/// with a third or more left, so two thirds of the time for them have passed without room on the disk; and the rest is
/// enough for many attempts at a CA that is down or refuses.
const NEAR_END: i64 = 10;
/// Seconds the storage must have been failing before a renewal goes on without it: a full disk is often full for a
/// moment, and a sidecar that crashes sooner than this asks the CA for nothing.
const PATIENCE: i64 = 60;
/// The same time as a part of a short-lived certificate's lifetime, if that is less.
const PATIENCE_PART: i64 = 30;
/// The shortest interval, in seconds, at which a write is tried while a certificate waits for room.
const TRY: i64 = 5;
/// The longest wait, in seconds, before the engine asks again for a certificate that waits for room.
const WAIT: i64 = 60;
/// The most renewals that are listed.
const MOST: usize = 1000;

/// Where an acknowledged change is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// The change is on disk.
    OnDisk,
    /// The change is in memory alone, until the storage can be written.
    InMemory,
}

/// The subject of a change.
#[derive(Clone, Copy)]
pub(crate) enum About<'a> {
    /// A certificate.
    Certificate(&'a CertificateId),
    /// A resolver's account, and so all of its certificates.
    Resolver(&'a str),
    /// A name of a resolver's certificates.
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
    pub certificate: CertificateId,
    /// The time since when, in seconds since 1970.
    pub since: i64,
    /// The reason why it can't be saved.
    pub reason: String,
}

/// A certificate has to wait for room on the disk.
#[derive(Debug)]
pub(crate) struct NoRoom {
    /// The time to ask again, in seconds since 1970.
    pub(crate) until: i64,
    /// The reason, in one line for a person.
    pub(crate) why: String,
}

/// The renewals that go on without the storage.
#[derive(Default)]
pub struct FromMemory(Mutex<State>);

#[derive(Default)]
struct State {
    /// The time since when each storage is known to fail, in seconds since 1970.
    failing: BTreeMap<String, i64>,
    /// The last time a write was tried because a certificate had to wait, in seconds since 1970.
    tried: Option<i64>,
    renewals: BTreeMap<CertificateId, Unsaved>,
}

impl FromMemory {
    /// Answers whether a change that could not be saved may stand all the same. `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The commit's, when it may not.
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
        let urgent: Vec<CertificateId> = certificates(store, about)
            .await
            .map_err(refused)?
            .iter()
            .filter(|facts| from_when(facts, failing_since) <= now)
            .map(|facts| facts.id())
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

    /// Answers whether a certificate has to wait because its storage, or the storage of the account used, is known to
    /// fail.
    ///
    /// # Errors
    /// When the store can't be read.
    pub(crate) async fn no_room(
        &self,
        store: &dyn Store,
        key: &CertificateId,
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

    /// True if the subject's certificate may be renewed although nothing can be saved.
    pub(crate) async fn is_urgent(&self, store: &dyn Store, about: About<'_>, now: i64) -> bool {
        let Some(failing) = self.failing(store, &[about.resolver()], now) else { return false };
        let found = certificates(store, about).await.unwrap_or_default();
        found.iter().any(|facts| from_when(facts, failing.since) <= now)
    }

    /// Notes, and logs once, that a part of a certificate's records is in memory alone.
    pub(crate) fn note(&self, key: &CertificateId, why: &str, now: i64) {
        let mut state = self.state();
        if state.renewals.contains_key(key) || state.renewals.len() >= MOST {
            return;
        }
        let resolver = &key.resolver;
        let main = key.names.first().map_or("", String::as_str);
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

    /// True if a write should be tried again before a certificate has to wait.
    fn is_to_try(&self, now: i64) -> bool {
        let mut state = self.state();
        let is_time = state.tried.is_none_or(|tried| !(tried..tried.saturating_add(TRY)).contains(&now));
        if is_time {
            state.tried = Some(now);
        }
        is_time
    }

    /// The first failing storage among those of these resolvers' records.
    fn failing(&self, store: &dyn Store, resolvers: &[&str], now: i64) -> Option<Failing> {
        let storages = store.storages();
        let state = self.current(&storages, now);
        resolvers.iter().find_map(|resolver| {
            let storage = of(&storages, resolver)?;
            let place = storage.place.clone();
            let error = storage.disk.error.clone()?;
            Some(Failing { since: state.failing.get(&place).copied().unwrap_or(now), place, error })
        })
    }

    /// The state, brought up to date: storages that can be written again no longer fail.
    fn current(&self, storages: &[StorageStatus], now: i64) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let failing = storages.iter().filter(|storage| storage.disk.error.is_some());
        // A clock that was set back must not prolong the wait.
        let since = |place: &String| state.failing.get(place).map_or(now, |since| *since.min(&now));
        state.failing = failing.map(|storage| (storage.place.clone(), since(&storage.place))).collect();
        state
    }

    // A panic while the lock is held would be our bug; the state is consistent at every moment.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A storage that can't be written.
struct Failing {
    place: String,
    error: Arc<str>,
    /// The time since when that is known, in seconds since 1970.
    since: i64,
}

/// The storage of a resolver's records.
fn of<'a>(storages: &'a [StorageStatus], resolver: &str) -> Option<&'a StorageStatus> {
    let own = storages.iter().find(|storage| storage.resolvers.iter().any(|own| own == resolver));
    own.or_else(|| storages.iter().find(|storage| storage.resolvers.is_empty()))
}

/// The time from which a renewal goes on although the storage fails, in seconds since 1970.
fn from_when(facts: &StoredCertificate, failing_since: i64) -> i64 {
    let lifetime = facts.not_after.saturating_sub(facts.not_before).max(0);
    let near_end = facts.not_after.saturating_sub(lifetime / NEAR_END);
    near_end.max(failing_since.saturating_add(PATIENCE.min(lifetime / PATIENCE_PART)))
}

/// The stored certificates of a subject.
async fn certificates(store: &dyn Store, about: About<'_>) -> Result<Vec<StoredCertificate>, StoreError> {
    let (resolver, name) = match about {
        About::Certificate(key) => {
            return Ok(store.certificate(key).await?.map(|stored| stored.value.facts).into_iter().collect());
        }
        About::Resolver(resolver) => (resolver, None),
        About::Name(resolver, name) => (resolver, Some(name)),
    };
    let all = store.certificates().await?.into_iter().map(|certificate| certificate.facts);
    let is_its = |facts: &StoredCertificate| facts.resolver == resolver;
    Ok(all.filter(|facts| is_its(facts) && name.is_none_or(|name| is_of(&facts.names, name))).collect())
}

/// True if a challenge for this name is one for any of these: a wildcard's challenge is for the name below it.
fn is_of(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.strip_prefix("*.").unwrap_or(known) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(seconds: i64) -> StoredCertificate {
        StoredCertificate {
            resolver: "le".into(),
            names: vec!["a.example".into()],
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
