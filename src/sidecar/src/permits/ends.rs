//! Ends attempts: failures are counted, and reservations that no certificate came of are given back.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::ledger::Ledger;

use super::domains;
use storage::{CaOrigin, Change, CountedAt, Progress, Revision, Store, StoreError, Versioned};

/// Ends an attempt that failed. Changes `progress` in place and returns the other records to store. `now` is in
/// milliseconds since 1970.
///
/// Nothing is given back for an order that can still be resumed, since it may become a certificate. Reporting the same
/// failure twice changes nothing: only an attempt that has begun can end.
pub(crate) async fn failed(
    store: &dyn Store,
    progress: &mut Progress,
    attempt: &protocol::Attempt,
    now: i64,
) -> Result<Vec<Change>, StoreError> {
    let mut ledgers = Touched::default();
    if let Some(begun) = progress.begun.take()
        && let (Some(limit), false) = (begun.failures, attempt.refused.is_empty())
    {
        let issuer = attempt.issuer.as_ref().unwrap_or(&attempt.certificate.resolver);
        let asked = if attempt.ca_server.is_empty() { &begun.permitted.ca_server } else { &attempt.ca_server };
        if let Some(ledger) = ledgers.get(store, issuer, asked).await? {
            ledger.drop_what_is_over(now);
            ledger.count_failures(&attempt.refused, limit, now);
        }
    }
    if progress.order.is_none() {
        let counted = std::mem::take(&mut progress.counted);
        ledgers.give_back(store, &progress.id, counted).await?;
    }
    Ok(ledgers.changes())
}

/// Ends an attempt that published a certificate. Changes `progress` in place and returns the other records to store.
/// Reservations at other CAs are given back; those at the issuing CA stay.
pub(crate) async fn published(
    store: &dyn Store,
    progress: &Progress,
    issued_by: Option<&str>,
) -> Result<Vec<Change>, StoreError> {
    let issuer = issued_by.unwrap_or(&progress.id.resolver);
    let ca = progress.order.as_ref().and_then(|order| CaOrigin::of(&order.ca_server));
    let mut counted = progress.counted.clone();
    let is_of_it = |at: &CountedAt| at.issuer == issuer && (ca.is_none() || CaOrigin::of(&at.ca_server) == ca);
    if let Some(place) = counted.iter().rposition(is_of_it) {
        counted.remove(place);
    }
    let mut ledgers = Touched::default();
    ledgers.give_back(store, &progress.id, counted).await?;
    Ok(ledgers.changes())
}

/// Ledgers being changed.
#[derive(Default)]
struct Touched(BTreeMap<(String, CaOrigin), Versioned<Arc<Ledger>>>);

impl Touched {
    /// The ledger of an account; `None` if the URL is no CA's.
    async fn get(
        &mut self,
        store: &dyn Store,
        issuer: &str,
        ca_server: &str,
    ) -> Result<Option<&mut Ledger>, StoreError> {
        let Some(ca) = CaOrigin::of(ca_server) else { return Ok(None) };
        let key = (issuer.to_owned(), ca);
        if !self.0.contains_key(&key) {
            let found = store.ledgers(&key.1).await?.into_iter().find(|(resolver, _)| *resolver == key.0);
            let absent = Versioned { revision: Revision::ABSENT, value: Arc::default() };
            self.0.insert(key.clone(), found.map_or(absent, |(_, ledger)| ledger));
        }
        Ok(self.0.get_mut(&key).map(|ledger| Arc::make_mut(&mut ledger.value)))
    }

    async fn give_back(
        &mut self,
        store: &dyn Store,
        id: &protocol::CertificateId,
        counted: Vec<CountedAt>,
    ) -> Result<(), StoreError> {
        let domains = domains::registered(&id.names);
        for CountedAt { issuer, ca_server, counted } in counted {
            if let Some(ledger) = self.get(store, &issuer, &ca_server).await? {
                ledger.give_back(counted, &id.names, &domains);
            }
        }
        Ok(())
    }

    fn changes(self) -> Vec<Change> {
        let change = |((resolver, ca), Versioned { revision: expected, value: ledger })| Change::Ledger {
            resolver,
            ca,
            expected,
            ledger,
        };
        self.0.into_iter().map(change).collect()
    }
}
