//! Who may use a provider now.
//!
//! Promises: one at a time changes a name, since many APIs replace all that is there; one at a time makes records where
//! the provider wants it so, with its wait between two. Nobody else waits, but that a provider has no more than
//! [`MAX_CALLS`] at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until};

/// The most calls to one provider at once. Their limits are tens a second; `exec` has a process for each.
const MAX_CALLS: usize = 32;

/// The turns at all providers.
#[derive(Default)]
pub(super) struct Turns {
    queues: Mutex<Queues>,
}

#[derive(Default)]
struct Queues {
    /// By the provider's code and the name.
    names: HashMap<(String, String), Weak<AsyncMutex<()>>>,
    /// By the provider's code. There are as many as are configured.
    providers: HashMap<String, Provider>,
}

#[derive(Clone)]
struct Provider {
    calls: Arc<Semaphore>,
    /// Held while a record is made in sequence: when the next may be.
    next: Arc<AsyncMutex<Option<Instant>>>,
}

/// The right to change one name at one provider. It ends when this is dropped.
pub(super) struct Turn {
    _name: OwnedMutexGuard<()>,
    sequence: Option<(OwnedMutexGuard<Option<Instant>>, Duration)>,
    /// None when the semaphore was closed, which it never is.
    _call: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for the turn to change a name.
    pub(super) async fn take(&self, provider: &str, fqdn: &str, interval: Option<Duration>) -> Turn {
        let (name, Provider { calls, next }) = self.queues().find(provider, fqdn);
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
        Turn { _name: name, sequence, _call: calls.acquire_owned().await.ok() }
    }

    // A panic while the lock is held would be a bug of ours; the maps are whole at every moment.
    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queues {
    fn find(&mut self, provider: &str, fqdn: &str) -> (Arc<AsyncMutex<()>>, Provider) {
        self.names.retain(|_, queue| queue.strong_count() > 0);
        let queue = self.names.entry((provider.to_owned(), fqdn.to_owned())).or_default();
        let name = queue.upgrade().unwrap_or_default();
        *queue = Arc::downgrade(&name);
        let new = || Provider { calls: Arc::new(Semaphore::new(MAX_CALLS)), next: Arc::default() };
        (name, self.providers.entry(provider.to_owned()).or_insert_with(new).clone())
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some((next, interval)) = &mut self.sequence {
            **next = Some(Instant::now() + *interval);
        }
    }
}
