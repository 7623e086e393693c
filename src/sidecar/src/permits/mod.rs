//! Rate-limit reservations: whether a CA may be asked now, by the ledgers in the storage.
//!
//! Promises: a grant is counted on disk before it is answered, unless the certificate is near its end and the storage
//! can't be written; a request repeated under the same fence is granted again and not counted twice; an interrupted
//! attempt makes the next ones wait, so that a crash loop reaches the CA no more often than a healthy instance.
//! Reservations that no certificate came of are given back.
//!
//! | file | what it does |
//! |---|---|
//! | `decision.rs` | grants or refuses, and lists the records to keep |
//! | `domains.rs` | registered domains |
//! | `ends.rs` | ends attempts: failures are counted, the rest is given back |
//! | `waiting.rs` | the waiting certificates, for people |

mod decision;
mod domains;
mod ends;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;

use engine::ledger;
use futures::poll;
use tokio::sync::Mutex;

pub(crate) use ends::{failed, published};
pub use waiting::Waiting;

use crate::from_memory::{About, FromMemory, NoRoom};
use base::date::date;
use decision::{Asked, decided};
use protocol::CertificateId;
use storage::{CaOrigin, Change, CommitError, Fence, Revision, Store, StoreError};
use waiting::WaitingList;

/// Grants permits.
#[derive(Default)]
pub struct Permits {
    /// Held from reading a CA's ledgers until the grant is visible in them: some limits span all accounts of a CA, so
    /// the last reservation must not be granted twice.
    turn: Mutex<()>,
    waiting: WaitingList,
    from_memory: Arc<FromMemory>,
}

/// Reasons why a permit can be neither granted nor refused.
#[derive(Debug)]
pub(crate) enum ReserveError {
    Commit(CommitError),
    Store(StoreError),
}

impl Permits {
    /// Creates the permits; `from_memory` decides what may go on while the storage can't be written.
    pub fn new(from_memory: Arc<FromMemory>) -> Self {
        Self { from_memory, ..Self::default() }
    }

    /// Answers whether the CA may be asked for a certificate now. `now` is in milliseconds since 1970.
    pub(crate) async fn reserve(
        &self,
        store: &dyn Store,
        fence: Fence,
        request: &protocol::PermitRequest,
        ca: &CaOrigin,
        now: i64,
    ) -> Result<protocol::Permit, ReserveError> {
        let key = request.certificate.clone();
        let domains = domains::registered(&key.names);
        let seconds = now.div_euclid(1000);
        loop {
            if let Some(no_room) = self.from_memory.no_room(store, &key, &request.issuer, seconds).await? {
                return Ok(self.wait_for_room(&key, request, no_room));
            }
            let turn = self.turn.lock().await;
            store.check(fence)?;
            let ledgers = store.ledgers(ca).await?;
            let progress = store.progress(&key).await?;
            let asked = Asked { request, ca, domains: &domains, fence, now };
            let (permit, changes) = decided(&asked, ledgers, progress);
            if !changes.is_empty() {
                let mut commit = store.commit(fence, changes);
                let made = poll!(&mut commit);
                drop(turn);
                let saved = match made {
                    std::task::Poll::Ready(saved) => saved,
                    std::task::Poll::Pending => commit.await,
                };
                match self.from_memory.excuse(store, saved, About::Certificate(&key), seconds).await {
                    Err(CommitError::Conflict) => continue,
                    Err(error @ CommitError::Unsaved(_)) => {
                        let no_room = self.from_memory.no_room(store, &key, &request.issuer, seconds).await?;
                        return Ok(self.wait_for_room(&key, request, no_room.ok_or(error)?));
                    }
                    saved => saved?,
                };
            }
            self.remember(&key, request, &permit);
            return Ok(permit);
        }
    }

    /// The certificates waiting until their CA may be asked, at most a thousand. `now` is in seconds since 1970.
    pub fn waiting(&self, now: i64) -> Vec<Waiting> {
        self.waiting.all(now)
    }

    fn wait_for_room(
        &self,
        key: &CertificateId,
        request: &protocol::PermitRequest,
        no_room: NoRoom,
    ) -> protocol::Permit {
        let NoRoom { until, why } = no_room;
        let permit = protocol::Permit::refused(until, why, false);
        self.remember(key, request, &permit);
        permit
    }

    fn remember(&self, key: &CertificateId, request: &protocol::PermitRequest, permit: &protocol::Permit) {
        if permit.granted {
            return self.waiting.remove(key);
        }
        let main = key.names.first().map_or("", String::as_str);
        let until = permit.until;
        let why = &permit.why;
        let moment = date(until);
        tracing::info!(
            resolver = key.resolver,
            main,
            issuer = request.issuer,
            until = moment,
            why,
            "the CA is not asked yet"
        );
        let certificate = request.certificate.clone();
        let issuer = request.issuer.clone();
        self.waiting.add(key, Waiting { certificate, issuer, until, why: why.clone() });
    }
}

/// Stores a pause that a CA asked for. `now` is in milliseconds since 1970.
pub(crate) async fn pause(
    store: &dyn Store,
    fence: Fence,
    pause: &protocol::Pause,
    ca: &CaOrigin,
    now: i64,
) -> Result<(), ReserveError> {
    loop {
        let found = store.ledgers(ca).await?.into_iter().find(|(resolver, _)| *resolver == pause.issuer);
        let found = found.map(|(_, ledger)| ledger);
        let expected = Revision::of(found.as_ref());
        let mut ledger = found.map(|found| found.value).unwrap_or_default();
        let kept = std::sync::Arc::make_mut(&mut ledger);
        kept.drop_what_is_over(now);
        let until = pause.until.saturating_mul(1000);
        kept.pause(ledger::Pause { names: pause.names.clone(), until, why: pause.why.clone() }, now);
        let change = Change::Ledger { resolver: pause.issuer.clone(), ca: ca.clone(), expected, ledger };
        match store.commit(fence, vec![change]).await {
            Err(CommitError::Conflict) => {}
            // The pause counts all the same. If a crash forgets it, the CA says so again.
            Err(CommitError::Unsaved(_)) => return Ok(()),
            done => return Ok(done?),
        }
    }
}

impl From<CommitError> for ReserveError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl From<StoreError> for ReserveError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
