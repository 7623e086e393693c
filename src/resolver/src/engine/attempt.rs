//! One try for one certificate, from the look at its order to the served chain.

use std::cell::RefCell;

use acme::issuance::{Custodian, Failure, Issued, issue};
use acme::{Class, Error, Host, Identifier};

use super::event::Event;
use super::session::Session;
use crate::backoff;
use crate::config::Resolver;
use crate::mended::fingerprint;
use crate::plan::Due;
use crate::vault::{Attempt, Certificate, CertificateId, Http01, PendingOrder, Published, Vault, VaultError};

/// How often an order may turn out to be lost, or the account unknown, within one try. Each should happen once.
const MAX_DETOURS: u32 = 3;

/// What came of a try.
pub(super) enum Outcome {
    /// It failed; so it is stored. The order, if it can be gone on with.
    Failed { attempt: Attempt, order: Option<PendingOrder> },
    /// A certificate is being served.
    Issued(Certificate),
    /// The vault is away, so nothing can be done at all.
    VaultGone(VaultError),
}

/// Why a try failed.
#[derive(Clone)]
pub(super) enum Trouble {
    /// The CA, or the way to it.
    Acme(Error),
    /// Responders run, but none at this entry point, only at these.
    Unserved { entry_point: String, served: Vec<String> },
    /// The vault refused something.
    Vault(String),
    /// The vault is away.
    VaultGone(VaultError),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

impl From<VaultError> for Trouble {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Refused(why) => Self::Vault(why),
            VaultError::Unavailable(_) => Self::VaultGone(error),
        }
    }
}

impl From<Failure<VaultError>> for Trouble {
    fn from(failure: Failure<VaultError>) -> Self {
        match failure {
            Failure::Acme(error) => error.into(),
            Failure::Custodian(error) => error.into(),
        }
    }
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
        Ok(published) => {
            let took_millis = session.host.now_millis().saturating_sub(began);
            let Published { certificate, durable, .. } = published;
            session.observer.notice(Event::Issued {
                id: &id,
                serial: &certificate.serial,
                issuer: &certificate.issuer,
                not_after: certificate.not_after,
                why,
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

/// Orders and publishes. A lost account or a lost order is no failure: the one is registered again, the other placed
/// anew.
async fn obtain<H: Host, V: Vault>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
    order: &RefCell<Option<PendingOrder>>,
) -> Result<Published, Trouble> {
    let resolver = session.resolver;
    // An order of another CA means nothing to this one.
    order.borrow_mut().take_if(|order| order.ca_server != resolver.ca_server);
    let names: Vec<Identifier> = id.names.iter().map(|name| Identifier::of(name)).collect();
    let client = session.client().await?;
    if order.borrow().is_none() {
        find_responder(session).await?;
    }
    let custodian = Keeper { session, id, resolver, order };
    let mut detours: u32 = 0;
    let Issued { order, chains } = loop {
        let kid = client.kid();
        let started = order.borrow().as_ref().map(|order| order.url.clone());
        let failure = match issue(&client, &custodian, &names, started.as_deref()).await {
            Ok(issued) => break issued,
            Err(failure) => failure,
        };
        detours = detours.saturating_add(1);
        match failure {
            Failure::Acme(Error::AccountLost(_)) if detours <= MAX_DETOURS => {
                session.register_again(&client, kid.as_deref()).await?;
            }
            Failure::Acme(Error::OrderLost { .. }) if detours <= MAX_DETOURS => {
                order.replace(None);
            }
            failure => {
                if matches!(&failure, Failure::Acme(error) if error.is_of_profile()) {
                    session.forget_directory().await;
                }
                return Err(failure.into());
            }
        }
    };
    let preferred = resolver.preferred_chain.as_deref();
    let published = session.vault.publish(id, &order, &chains, preferred).await?;
    if let (Some(preferred), [_, ..]) = (preferred, published.other_chains.as_slice()) {
        let (offered, failures) = (&published.other_chains, &chains.failures);
        session.observer.notice(Event::DefaultChain { id, preferred, offered, failures });
    }
    Ok(published)
}

/// An order whose names nobody can prove is not started: the CA would count it.
async fn find_responder<H: Host, V: Vault>(session: &Session<'_, H, V>) -> Result<(), Trouble> {
    let Some(challenge) = &session.resolver.http_challenge else { return Ok(()) };
    match session.vault.unserved(&challenge.entry_point).await {
        Some(served) => Err(Trouble::Unserved { entry_point: challenge.entry_point.clone(), served }),
        None => Ok(()),
    }
}

/// Stores a failure, and when to try again.
async fn record<H: Host, V: Vault>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
    order: Option<PendingOrder>,
    failures: u32,
    trouble: &Trouble,
) -> Outcome {
    let (class, reason, order_is_dead) = match trouble {
        Trouble::Acme(error) => (error.class(), error.to_string(), error.ends_order()),
        // Not permanent: looking again costs the CA nothing, and a listener may come any time.
        Trouble::Unserved { entry_point, served } => (Class::Transient(None), unserved(entry_point, served), false),
        // A refusal is about this order: its chain does not fit, say. Another order may do better.
        Trouble::Vault(why) => (Class::Transient(None), format!("the sidecar refused: {}", acme::one_line(why)), true),
        Trouble::VaultGone(error) => return Outcome::VaultGone(error.clone()),
    };
    let failures = failures.saturating_add(1);
    let delay = backoff::delay(failures, class, &session.config.engine, id);
    // Whole seconds are stored, and a wait must not become none.
    let retry_in = i64::try_from(delay.as_millis().div_ceil(1000)).unwrap_or(i64::MAX);
    let retry_at = session.host.now_millis().div_euclid(1000).saturating_add(retry_in);
    let made_with = Some(fingerprint(session.config, session.resolver, class));
    let attempt = Attempt { id: id.clone(), failures, retry_at, reason, order_is_dead, made_with };
    let class = if matches!(trouble, Trouble::Vault(_)) { "sidecar" } else { class.as_str() };
    session.observer.notice(Event::Failed { id, class, reason: &attempt.reason, failures, retry_in });
    match session.vault.save_attempt(attempt.clone()).await {
        Err(error @ VaultError::Unavailable(_)) => Outcome::VaultGone(error),
        // Refused or not, the engine itself keeps to it.
        Ok(()) | Err(VaultError::Refused(_)) => Outcome::Failed { attempt, order },
    }
}

fn unserved(entry_point: &str, served: &[String]) -> String {
    let (entry_point, served) = (acme::one_line(entry_point), acme::one_line(&served.join(", ")));
    format!(
        "httpChallenge.entryPoint is {entry_point}, and responders run for {served} only: put the plugin with \
         `entryPoint: {entry_point}` on the listener that the CA reaches on port 80"
    )
}

/// What the flow needs of the vault, for one certificate.
struct Keeper<'k, 'a, H, V> {
    session: &'k Session<'a, H, V>,
    id: &'k CertificateId,
    resolver: &'k Resolver,
    order: &'k RefCell<Option<PendingOrder>>,
}

impl<H: Host, V: Vault> Custodian for Keeper<'_, '_, H, V> {
    type Error = VaultError;

    async fn ordered(&self, order: &str) -> Result<(), VaultError> {
        let order = PendingOrder {
            id: self.id.clone(),
            url: order.to_owned(),
            ca_server: self.resolver.ca_server.clone(),
            created: self.session.host.now_millis().div_euclid(1000),
        };
        self.order.replace(Some(order.clone()));
        self.session.vault.save_order(order).await
    }

    async fn publish(&self, challenge: Http01) -> Result<(), VaultError> {
        self.session.vault.publish_http01(challenge).await
    }

    async fn retract(&self, token: &str) {
        self.session.vault.retract_http01(token).await;
    }

    async fn csr(&self, order: &str) -> Result<Vec<u8>, VaultError> {
        self.session.vault.csr(self.id, order, self.resolver).await
    }
}
