//! Finished certificates.

use std::sync::Arc;

use axum::extract::State;
use wire::{Publication, Published};

use super::Context;
use super::message::{Answer, CHAIN, Fenced, Message, certificate_key, url};
use super::problem::Refused;
use crate::catalog::now_seconds;
use crate::chain;
use crate::store::{Certificate, CertificateKey, Change, CommitError, Progress, Revision, Versioned};

/// `POST`: takes a chain and serves it. One that does not fit is refused, and the one before stays.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(publication): Message<Publication, CHAIN>,
) -> Result<Answer<Published>, Refused> {
    let key = certificate_key("certificate", &publication.certificate)?;
    url("order", &publication.order)?;
    context.store.check(fence)?;
    loop {
        let stored = context.store.certificate(&key).await?;
        let progress = context.store.progress(&key).await?;
        let certificate = match &stored {
            Some(stored) if chain::is_same(&stored.value.pair, &publication.chain) => stored.value.clone(),
            _ => verified(&publication, progress.as_ref()).await?,
        };
        let changes = changes(&publication, &certificate, stored.as_ref(), progress);
        let durable = match context.store.commit(fence, changes).await {
            Ok(()) => true,
            Err(CommitError::Unsaved(_)) => false,
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(error.into()),
        };
        context.keys.forget(&key, &publication.order);
        context.shelf.refresh(&key).await?;
        if stored.is_none_or(|stored| !stored.value.is_same(&certificate)) {
            log(&key, &certificate, durable);
        }
        return Ok(Answer(Published { certificate: certificate.facts, durable }));
    }
}

/// The certificate first: if a store can only make one change at a time, the key must never be gone in between.
fn changes(
    publication: &Publication,
    certificate: &Certificate,
    stored: Option<&Versioned<Certificate>>,
    progress: Option<Versioned<Progress>>,
) -> Vec<Change> {
    let mut changes = vec![Change::Certificate { expected: Revision::of(stored), certificate: certificate.clone() }];
    // When this is a repetition, another order may be under way already.
    let is_of_order = |progress: &Progress| {
        let order = progress.order.as_ref().map(|order| &order.url);
        order.or(progress.key.as_ref().map(|key| &key.order)).is_none_or(|url| *url == publication.order)
    };
    if let Some(progress) = progress.filter(|progress| is_of_order(&progress.value)) {
        let expected = progress.revision;
        changes.push(Change::Progress { expected, progress: Progress::none(publication.certificate.clone()) });
    }
    changes
}

async fn verified(publication: &Publication, progress: Option<&Versioned<Progress>>) -> Result<Certificate, Refused> {
    let pending = progress.and_then(|progress| progress.value.key.as_ref());
    let Some(pending) = pending.filter(|key| key.order == publication.order) else {
        let path = wire::path::CSR;
        return Err(Refused::certificate(format!(
            "no key is kept for the order {:?}: its signing request must come from {path}",
            publication.order
        )));
    };
    let (key, id, chain_pem) = (pending.key.clone(), publication.certificate.clone(), publication.chain.clone());
    // Checking keys and signatures takes milliseconds.
    let checked = tokio::task::spawn_blocking(move || {
        let pair = chain::verify(&chain_pem, &key, &id.names, now_seconds())?;
        Ok(Certificate { facts: chain::facts(id, &pair)?, pair: Arc::new(pair) })
    });
    match checked.await {
        Ok(result) => result.map_err(|refusal: chain::Refusal| {
            let (resolver, main, why) = (&publication.certificate.resolver, main(publication), refusal.to_string());
            tracing::warn!(resolver, main, why, "certificate refused; the one before stays");
            Refused::certificate(why)
        }),
        Err(_) => Err(Refused::unavailable("the sidecar is shutting down")),
    }
}

fn main(publication: &Publication) -> &str {
    publication.certificate.names.first().map_or("", String::as_str)
}

fn log(key: &CertificateKey, certificate: &Certificate, durable: bool) {
    let wire::StoredCertificate { id, not_after, serial, issuer, key_type, .. } = &certificate.facts;
    let (resolver, main) = (&key.resolver, id.names.first().map_or("", String::as_str));
    let names = id.names.len();
    tracing::info!(resolver, main, names, key_type, issuer, serial, not_after, durable, "certificate published");
}
