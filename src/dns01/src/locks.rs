//! Locks for calls to providers.
//!
//! Promises: a name is changed by one call at a time, since many APIs replace all of its records; providers that want
//! it create records one at a time, with their interval in between. No other call waits, except that a provider gets at
//! most [`MAX_CALLS`] at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// Maximum number of concurrent calls to one provider. Their limits are tens a second; `exec` has a process for each.
const MAX_CALLS: usize = 32;

/// The locks of all providers.
#[derive(Default)]
pub(super) struct ProviderLocks {
    locks: Mutex<Locks>,
}

#[derive(Default)]
struct Locks {
    /// Locks by the provider's code and the name.
    names: HashMap<(String, String), Weak<AsyncMutex<()>>>,
    /// State by the provider's code. There are as many as are configured.
    providers: HashMap<String, ProviderState>,
}

#[derive(Clone)]
struct ProviderState {
    calls: Arc<Semaphore>,
    /// Held while a record is created in sequence: the earliest time of the next one.
    next: Arc<AsyncMutex<Option<Instant>>>,
}

/// The right to change one name at one provider. Dropping it releases the lock.
pub(super) struct NameLock {
    _name: OwnedMutexGuard<()>,
    sequence: Option<(OwnedMutexGuard<Option<Instant>>, Duration)>,
    /// The permit for a call; `None` if the semaphore was closed, which never happens.
    _call: Option<OwnedSemaphorePermit>,
}

impl ProviderLocks {
    /// Waits for the right to change a name.
    pub(super) async fn take(&self, provider: &str, fqdn: &str, interval: Option<Duration>) -> NameLock {
        let (name, ProviderState { calls, next }) = self.locks().find(provider, fqdn);
        let name = name.lock_owned().await;
        let sequence = match interval {
            Some(interval) => {
                let next = next.lock_owned().await;
                if let Some(start) = *next {
                    sleep_until(start).await;
                }
                Some((next, interval))
            }
            None => None,
        };
        NameLock { _name: name, sequence, _call: calls.acquire_owned().await.ok() }
    }

    // Only a bug could cause a panic while the lock is held, and the maps are consistent at every moment.
    fn locks(&self) -> MutexGuard<'_, Locks> {
        self.locks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Locks {
    fn find(&mut self, provider: &str, fqdn: &str) -> (Arc<AsyncMutex<()>>, ProviderState) {
        self.names.retain(|_, lock| lock.strong_count() > 0);
        let lock = self.names.entry((provider.to_owned(), fqdn.to_owned())).or_default();
        let name = lock.upgrade().unwrap_or_default();
        *lock = Arc::downgrade(&name);
        let new = || ProviderState { calls: Arc::new(Semaphore::new(MAX_CALLS)), next: Arc::default() };
        (name, self.providers.entry(provider.to_owned()).or_insert_with(new).clone())
    }
}

impl Drop for NameLock {
    fn drop(&mut self) {
        if let Some((next, interval)) = &mut self.sequence {
            **next = Some(Instant::now() + *interval);
        }
    }
}
