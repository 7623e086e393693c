//! Finished certificates.

use std::iter;
use std::sync::Arc;

use axum::extract::State;
use protocol::{CertificateId, Publication, Published, Renewal, StoredCertificate};

use super::Context;
use super::message::{Answer, CHAINS, Fenced, Message, certificate_id, short, url};
use super::problem::Refused;
use crate::permits;
use base::date::date;
use pki::chain::{self, Refusal};
use pki::secret::Secret;
use storage::{Certificate, Change, CommitError, Progress, Revision, Versioned};

/// `POST`: takes a chain and serves it. A chain that does not fit is refused, and the previous certificate stays.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(publication): Message<Publication, CHAINS>,
) -> Result<Answer<Published>, Refused> {
    let key = certificate_id("certificate", &publication.certificate)?;
    url("order", &publication.order)?;
    if let Some(issuer) = &publication.issued_by {
        short("issuedBy", issuer)?;
    }
    context.store.check(fence)?;
    let publication = Arc::new(publication);
    loop {
        let stored = context.store.certificate(&key).await?;
        let progress = context.store.progress(&key).await?;
        let taken = match stored.as_ref().filter(|stored| is_one_of(&publication, &stored.value)) {
            Some(stored) => Taken { certificate: stored.value.clone(), other_chains: Vec::new() },
            None => verified(&publication, progress.as_ref(), context.clock.now_seconds()).await?,
        };
        let Taken { certificate, other_chains } = taken;
        let changes = changes(&context, &publication, &certificate, stored.as_ref(), progress).await?;
        let durable = match context.store.commit(fence, changes).await {
            Ok(()) => true,
            Err(CommitError::Unsaved(why)) => {
                context.health.from_memory.note(&key, &why, context.clock.now_seconds());
                false
            }
            Err(CommitError::Conflict) => continue,
            Err(error) => return Err(error.into()),
        };
        context.keys.forget(&key, &publication.order);
        context.publisher.publish(&key).await?;
        if stored.is_none_or(|stored| !stored.value.is_same(&certificate)) {
            log(&key, &certificate, durable);
        }
        return Ok(Answer(Published { certificate: certificate.facts, durable, other_chains }));
    }
}

/// True if the publication is a repetition: the stored certificate came from one of these chains.
fn is_one_of(publication: &Publication, stored: &Certificate) -> bool {
    let mut chains = iter::once(&publication.chain).chain(&publication.alternates);
    chains.any(|chain| chain::is_same(&stored.pair, chain))
}

/// The changes of a publication, the certificate first: if a store makes one change at a time, the key must never be
/// missing in between.
async fn changes(
    context: &Context,
    publication: &Publication,
    certificate: &Certificate,
    stored: Option<&Versioned<Certificate>>,
    progress: Option<Versioned<Progress>>,
) -> Result<Vec<Change>, Refused> {
    let mut changes = vec![Change::Certificate { expected: Revision::of(stored), certificate: certificate.clone() }];
    let expected = Revision::of(progress.as_ref());
    let mut progress = progress.map_or_else(|| Progress::none(publication.certificate.clone()), |stored| stored.value);
    // If this is a repetition, another order may be under way already.
    let order = progress.order.as_ref().map(|order| &order.url).or(progress.key.as_ref().map(|key| &key.order));
    let ca_server = progress.order.as_ref().filter(|order| order.url == publication.order);
    let ca_server = ca_server.map(|order| order.ca_server.clone());
    if order.is_none_or(|url| *url == publication.order) {
        let issued_by = publication.issued_by.as_deref();
        changes.extend(permits::published(context.store.as_ref(), &progress, issued_by).await?);
        progress = progress.finished();
    }
    progress.renewal = renewal(publication, &certificate.facts, ca_server, progress.renewal);
    changes.push(Change::Progress { expected, progress });
    Ok(changes)
}

/// The renewal information to keep: what was said of this very certificate, or at least whose it is.
fn renewal(
    publication: &Publication,
    facts: &StoredCertificate,
    ca_server: Option<String>,
    known: Option<Renewal>,
) -> Option<Renewal> {
    known.filter(|known| known.serial == facts.serial).or_else(|| {
        (publication.issued_by.is_some() || ca_server.is_some()).then(|| Renewal {
            certificate: publication.certificate.clone(),
            serial: facts.serial.clone(),
            issued_by: publication.issued_by.clone(),
            ca_server,
            ..Renewal::default()
        })
    })
}

/// A certificate that fits its key and names.
struct Taken {
    certificate: Certificate,
    /// The issuers of the chains offered, if the preferred one could not be taken.
    other_chains: Vec<String>,
}

async fn verified(
    publication: &Arc<Publication>,
    progress: Option<&Versioned<Progress>>,
    now: i64,
) -> Result<Taken, Refused> {
    let pending = progress.and_then(|progress| progress.value.key.as_ref());
    let Some(pending) = pending.filter(|key| key.order == publication.order) else {
        let path = protocol::path::CSR;
        return Err(Refused::certificate(format!(
            "no key is kept for the order {:?}: its signing request must come from {path}",
            publication.order
        )));
    };
    let key = pending.key.clone();
    let published = publication.clone();
    // Checking keys and signatures takes milliseconds.
    match tokio::task::spawn_blocking(move || taken(&published, &key, now)).await {
        Ok(result) => result.map_err(|refusal| {
            let resolver = &publication.certificate.resolver;
            let main = main(publication);
            let why = refusal.to_string();
            tracing::warn!(resolver, main, why, "certificate refused; the previous one stays in use");
            Refused::certificate(why)
        }),
        Err(_) => Err(Refused::unavailable("the sidecar is shutting down")),
    }
}

/// The chain of the preferred issuer if it fits, else the default chain if that fits.
fn taken(publication: &Publication, key: &Secret, now: i64) -> Result<Taken, Refusal> {
    let Publication { certificate: id, chain, alternates, preferred_chain, .. } = publication;
    let verified = |chain: &str| {
        let pair = chain::verify(chain, key, &id.names, now)?;
        Ok::<_, Refusal>(Certificate { facts: chain::facts(id.clone(), &pair)?, pair: Arc::new(pair) })
    };
    let Some(preferred) = preferred_chain else {
        return Ok(Taken { certificate: verified(chain)?, other_chains: Vec::new() });
    };
    let mut other_chains = Vec::new();
    for chain in iter::once(chain).chain(alternates) {
        let root = chain::root_name(chain);
        if root == *preferred {
            match verified(chain) {
                Ok(certificate) => return Ok(Taken { certificate, other_chains: Vec::new() }),
                Err(why) => {
                    let resolver = &id.resolver;
                    let main = main(publication);
                    let why = why.to_string();
                    tracing::warn!(resolver, main, preferred, why, "the preferred chain does not fit");
                }
            }
        }
        other_chains.push(root);
    }
    Ok(Taken { certificate: verified(chain)?, other_chains })
}

fn main(publication: &Publication) -> &str {
    publication.certificate.names.first().map_or("", String::as_str)
}

fn log(key: &CertificateId, certificate: &Certificate, durable: bool) {
    let StoredCertificate { names, not_after, serial, issuer, key_type, .. } = &certificate.facts;
    let resolver = &key.resolver;
    let main = names.first().map_or("", String::as_str);
    let names = names.len();
    let not_after = date(*not_after);
    tracing::info!(resolver, main, names, key_type, issuer, serial, not_after, durable, "certificate published");
}
