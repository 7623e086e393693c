//! One try for one certificate, from the look at its order to the served chain.

use std::cell::RefCell;

use acme::issuance::{Beginning, Issued, issue};
use acme::{ChallengeType, Error, Host, Identifier};

use super::event::Event;
use super::keeper::Keeper;
use super::session::Session;
use super::trouble::Trouble;
use crate::backoff;
use crate::mended::fingerprint;
use crate::plan::Due;
use crate::vault::{Attempt, Certificate, CertificateId, PendingOrder, Published, Vault, VaultError};

/// How often an order may turn out to be lost, or the account unknown, within one try. Each should happen once.
const MAX_DETOURS: u32 = 3;

/// How often another way to prove names is gone at once. There are four types of challenges; that names of one
/// certificate need them one after the other happens no more often than this.
const MAX_OTHER_WAYS: u32 = 8;

/// What came of a try.
pub(super) enum Outcome {
    /// It failed; so it is stored. The order, if it can be gone on with.
    Failed { attempt: Attempt, order: Option<PendingOrder> },
    /// A certificate is being served.
    Issued(Certificate),
    /// The vault is away, so nothing can be done at all.
    VaultGone(VaultError),
}

/// Tries once to get the certificate, and stores what came of it.
pub(super) async fn attempt<H: Host, V: Vault>(
    session: &Session<'_, H, V>,
    order: Option<PendingOrder>,
    failures: u32,
    due: Due,
) -> (CertificateId, Outcome) {
    let Due { id, why } = due;
    session.observer.notice(Event::Started { id: &id, why });
    let began = session.host.now_millis();
    let order = RefCell::new(order);
    let outcome = match obtain(session, &id, &order).await {
        Ok((published, challenges)) => {
            let took_millis = session.host.now_millis().saturating_sub(began);
            let Published { certificate, durable, .. } = published;
            session.observer.notice(Event::Issued {
                id: &id,
                serial: &certificate.serial,
                issuer: &certificate.issuer,
                not_after: certificate.not_after,
                why,
                challenges: &challenges,
                took_millis,
                durable,
            });
            Outcome::Issued(certificate)
        }
        Err(Trouble::VaultGone(error)) => Outcome::VaultGone(error),
        Err(trouble) => record(session, &id, order.into_inner(), failures, &trouble).await,
    };
    (id, outcome)
}

/// Orders and publishes; tells also how the names were proved. A lost account or a lost order is no failure: the one is
/// registered again, the other placed anew. Nor is a name that can be proved in another way.
async fn obtain<H: Host, V: Vault>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
    order: &RefCell<Option<PendingOrder>>,
) -> Result<(Published, Vec<ChallengeType>), Trouble> {
    let resolver = session.resolver;
    // An order of another CA means nothing to this one.
    order.borrow_mut().take_if(|order| order.ca_server != resolver.ca_server);
    let names: Vec<Identifier> = id.names.iter().map(|name| Identifier::of(name)).collect();
    let client = session.client().await?;
    let is_http_unserved = order.borrow().is_none() && !finds_responder(session, id).await?;
    let keeper = Keeper::new(session, id, order, is_http_unserved);
    let (mut detours, mut other_ways) = (0_u32, 0_u32);
    let Issued { order, chains } = loop {
        let kid = client.kid();
        let started = order.borrow().as_ref().map(|order| order.url.clone());
        let beginning = started.as_deref().map_or(Beginning::New(None), Beginning::Started);
        let trouble = match issue(&client, &keeper, &names, beginning).await {
            Ok(issued) => break issued,
            Err(failure) => Trouble::from(failure),
        };
        match trouble {
            Trouble::Acme(Error::AccountLost(_)) if detours < MAX_DETOURS => {
                detours = detours.saturating_add(1);
                session.register_again(&client, kid.as_deref()).await?;
            }
            Trouble::Acme(Error::OrderLost { .. }) if detours < MAX_DETOURS => {
                detours = detours.saturating_add(1);
                order.replace(None);
            }
            trouble if keeper.knows_another_way(&trouble) && other_ways < MAX_OTHER_WAYS => {
                other_ways = other_ways.saturating_add(1);
                session.observer.notice(Event::OtherWay { id, reason: &trouble.to_string() });
                if trouble.ends_order() {
                    order.replace(None);
                }
            }
            trouble => {
                if matches!(&trouble, Trouble::Acme(error) if error.is_of_profile()) {
                    session.forget_directory().await;
                }
                return Err(trouble);
            }
        }
    };
    let preferred = resolver.preferred_chain.as_deref();
    let published = session.vault.publish(id, &order, &chains, preferred).await?;
    if let (Some(preferred), [_, ..]) = (preferred, published.other_chains.as_slice()) {
        let (offered, failures) = (&published.other_chains, &chains.failures);
        session.observer.notice(Event::DefaultChain { id, preferred, offered, failures });
    }
    Ok((published, keeper.proved_by()))
}

/// Whether the CA can find an answer at the entry point of `httpChallenge`, where there is one. An order whose names
/// nobody can prove is not started: the CA would count it.
async fn finds_responder<H: Host, V: Vault>(session: &Session<'_, H, V>, id: &CertificateId) -> Result<bool, Trouble> {
    let resolver = session.resolver;
    if let Some(name) = id.names.iter().find(|name| resolver.ways(name).next().is_none()) {
        return Err(Trouble::Unprovable { name: name.clone() });
    }
    let Some(http) = &resolver.http_challenge else { return Ok(true) };
    let Some(served) = session.vault.unserved(&http.entry_point).await else { return Ok(true) };
    let is_needed = |name: &String| resolver.ways(name).all(|way| way.kind == ChallengeType::Http01);
    if id.names.iter().any(is_needed) {
        return Err(Trouble::Unserved { entry_point: http.entry_point.clone(), served });
    }
    Ok(false)
}

/// Stores a failure, and when to try again.
async fn record<H: Host, V: Vault>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
    order: Option<PendingOrder>,
    failures: u32,
    trouble: &Trouble,
) -> Outcome {
    let class = trouble.class();
    let failures = failures.saturating_add(1);
    let delay = backoff::delay(failures, class, &session.config.engine, id);
    // Whole seconds are stored, and a wait must not become none.
    let retry_in = i64::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
    let retry_at = session.host.now_millis().div_euclid(1000).saturating_add(retry_in);
    let attempt = Attempt {
        id: id.clone(),
        failures,
        retry_at,
        reason: trouble.to_string(),
        order_is_dead: trouble.ends_order(),
        made_with: Some(fingerprint(session.config, session.resolver, class)),
        failed_ways: session.failures.of_names(&id.names),
    };
    let (class, reason) = (trouble.label(), attempt.reason.as_str());
    session.observer.notice(Event::Failed { id, class, reason, failures, retry_in });
    match session.vault.save_attempt(attempt.clone()).await {
        Err(error @ VaultError::Unavailable(_)) => Outcome::VaultGone(error),
        // Refused or not, the engine itself keeps to it.
        Ok(()) | Err(VaultError::Refused(_)) => Outcome::Failed { attempt, order },
    }
}
