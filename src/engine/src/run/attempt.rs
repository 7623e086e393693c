//! An attempt at one certificate, from its stored order to the served chain.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use acme::issuance::{Beginning, Issued, issue};
use acme::{ChallengeType, Error, Host, Identifier};

use super::at_ca::at_ca;
use super::attempt_error::AttemptError;
use super::delegate::AttemptDelegate;
use super::event::Event;
use super::outcome::{Course, Outcome};
use super::pauses;
use super::record::record;
use super::rehearsal::rehearse;
use super::session::Session;
use crate::plan::{Due, Task};
use crate::state_store::{StateStore, StateStoreError};
use protocol::{CertificateId, Permit, PermitRequest, Published};

/// Most lost orders and lost accounts within one attempt. Each should happen once.
const MAX_DETOURS: u32 = 3;

/// Most switches to another challenge type within one attempt. There are four types; the names of one certificate need
/// more switches than this only one after the other.
const MAX_SWITCHES: u32 = 8;

/// An attempt that has ended.
pub(super) struct Ended {
    /// Index in the queue.
    pub(super) place: usize,
    pub(super) id: CertificateId,
    /// The resolver that was ordered with.
    pub(super) issuer: String,
    pub(super) outcome: Outcome,
}

/// Attempts once to get the certificate, and stores the result.
pub(super) async fn attempt<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    staging: Option<&Session<'_, H, V>>,
    mut task: Task,
) -> Ended {
    let (place, Due { id, why }) = (task.place, task.due.clone());
    let issuer = task.issuer.clone();
    let began = session.host.now_millis();
    let order = RefCell::new(task.order.take());
    let has_named_replaced = task.attempt.as_ref().is_some_and(|attempt| attempt.has_named_replaced);
    let has_named_replaced = Cell::new(has_named_replaced);
    let course = Course { task: &task, order, refused: RefCell::default(), has_named_replaced };
    let outcome = match obtain(session, staging, &course).await {
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
        Err(AttemptError::Postponed { until, why, whole_account }) => {
            session.observer.notice(Event::Held { id: &id, issuer: &issuer, why: &acme::one_line(&why), until });
            if whole_account {
                session.pause(until);
            }
            Outcome::Postponed { until }
        }
        Err(AttemptError::LeadershipLost) => Outcome::LeadershipLost,
        Err(AttemptError::StoreUnavailable(error)) => Outcome::StoreUnavailable(error),
        Err(error) => match keep_pause(session, &id, &error).await {
            Ok(()) => record(session, course, &error).await,
            Err(error) => Outcome::StoreUnavailable(error),
        },
    };
    Ended { place, id, issuer, outcome }
}

/// Orders and publishes the certificate; also returns the challenge types that proved the names. Three errors do not
/// fail the attempt: a lost account is registered again, a lost order is replaced by a new one, and a name whose
/// challenge failed is tried with another type.
async fn obtain<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    staging: Option<&Session<'_, H, V>>,
    course: &Course<'_>,
) -> Result<(Published, Vec<ChallengeType>), AttemptError> {
    let Course { task, order, has_named_replaced, .. } = course;
    // The task's record was read in this tenure.
    let tenure = session.tenure.get();
    let (resolver, id) = (session.resolver, &task.due.id);
    // An order of another CA, or of another account, means nothing to this one.
    order.borrow_mut().take_if(|order| order.ca_server != resolver.ca_server || order.issuer() != resolver.name);
    let names: Vec<Identifier> = id.names.iter().map(|name| Identifier::of(name)).collect();
    let delegate = AttemptDelegate::new(session, id, order, false);
    let renewal_id = task.stored.as_ref().and_then(|stored| stored.renewal_id.as_deref());
    let (mut detours, mut switches, mut has_rehearsed) = (0_u32, 0_u32, false);
    let Issued { order, chains } = loop {
        let started = order.borrow().as_ref().map(at_ca);
        let is_first = detours == 0 && switches == 0;
        let is_first_order = started.is_none() && switches == 0 && !has_rehearsed;
        if is_first_order {
            delegate.is_http_unserved.set(!has_responder(session, id).await?);
        }
        let replaces = renewal_id.filter(|_| started.is_none() && !has_named_replaced.get());
        if is_first || started.is_none() {
            reserve(
                session,
                task,
                Reservation { places_order: started.is_none(), replaces: replaces.is_some() },
                is_first,
            )
            .await?;
        }
        if started.is_none() && session.store.tenure() != tenure {
            return Err(AttemptError::LeadershipLost);
        }
        if is_first_order {
            has_rehearsed = true;
            rehearse(session, staging, task, &names, delegate.is_http_unserved.get()).await?;
        }
        let client = session.client().await?;
        let kid = client.kid();
        has_named_replaced.set(has_named_replaced.get() || replaces.is_some());
        let beginning = started.as_ref().map_or(Beginning::New(replaces), Beginning::Started);
        let error = match issue(&client, &delegate, &names, beginning).await {
            Ok(issued) => break issued,
            Err(failure) => AttemptError::from(failure),
        };
        course.refused.borrow_mut().extend(error.refused());
        match error {
            AttemptError::Acme(Error::AccountLost(_)) if detours < MAX_DETOURS => {
                detours = detours.saturating_add(1);
                session.register_again(&client, kid.as_deref()).await?;
            }
            AttemptError::Acme(Error::OrderLost { .. }) if started.is_some() && detours < MAX_DETOURS => {
                detours = detours.saturating_add(1);
                session.observer.notice(Event::Dropped { id, reason: &error.to_string() });
                order.replace(None);
            }
            error if delegate.can_switch_challenge(&error) && switches < MAX_SWITCHES => {
                switches = switches.saturating_add(1);
                session.observer.notice(Event::ChallengeSwitched { id, reason: &error.to_string() });
                if error.ends_order() {
                    order.replace(None);
                }
            }
            error => {
                if matches!(&error, AttemptError::Acme(error) if error.is_of_profile()) {
                    session.forget_directory().await;
                }
                return Err(error);
            }
        }
    };
    let published = session.store.publish(id, &order, &chains, resolver).await?;
    if let (Some(preferred), [_, ..]) = (resolver.preferred_chain.as_deref(), published.other_chains.as_slice()) {
        let (offered, failures) = (&published.other_chains, &chains.failures);
        session.observer.notice(Event::DefaultChain { id, preferred, offered, failures });
    }
    Ok((published, delegate.proved_by()))
}

/// The request that a reservation in the CA's rate limits is for.
struct Reservation {
    places_order: bool,
    replaces: bool,
}

/// Reserves room in the CA's rate limits. In the midst of an attempt a refusal is a failure like any other.
async fn reserve<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    task: &Task,
    Reservation { places_order, replaces }: Reservation,
    is_first: bool,
) -> Result<(), AttemptError> {
    let resolver = session.resolver;
    let request = PermitRequest {
        certificate: task.due.id.clone(),
        issuer: resolver.name.clone(),
        ca_server: resolver.ca_server.clone(),
        limits: resolver.limits,
        places_order,
        renews: task.stored.is_some(),
        replaces: replaces && session.supports_ari().await,
    };
    let Permit { granted, until, why, whole_account } = session.store.permit(request).await?;
    if granted {
        return Ok(());
    }
    if is_first {
        return Err(AttemptError::Postponed { until, why, whole_account });
    }
    let seconds = until.saturating_sub(session.host.now_millis().div_euclid(1000));
    Err(AttemptError::RateLimited { wait: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()), why })
}

/// Stores the pause that the CA asked for, if it asked for one.
async fn keep_pause<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
    error: &AttemptError,
) -> Result<(), StateStoreError> {
    let whose = (session.resolver.name.as_str(), session.resolver.ca_server.as_str());
    // The next whole second, so that no wait becomes shorter.
    let now = session.host.now_millis().saturating_add(999).div_euclid(1000);
    let Some(pause) = pauses::asked_for(error, id, whose, session.config.engine.retry_min, now) else {
        return Ok(());
    };
    if pause.names.is_empty() {
        session.pause(pause.until);
    }
    match session.store.pause(pause).await {
        Err(error @ StateStoreError::Unavailable(_)) => Err(error),
        // Refused or not, the engine itself keeps to it.
        Ok(()) | Err(StateStoreError::Refused(_)) => Ok(()),
    }
}

/// True if the CA can find a response at the entry point of `httpChallenge`, or if there is no such challenge. An order
/// whose names can't be proved is not placed: the CA would count it.
async fn has_responder<H: Host, V: StateStore>(
    session: &Session<'_, H, V>,
    id: &CertificateId,
) -> Result<bool, AttemptError> {
    let resolver = session.resolver;
    if let Some(name) = id.names.iter().find(|name| resolver.challenge_choices(name).next().is_none()) {
        return Err(AttemptError::NoUsableChallenge { name: name.clone() });
    }
    let Some(http) = &resolver.http_challenge else { return Ok(true) };
    let Some(served) = session.store.unserved(&http.entry_point).await else { return Ok(true) };
    let is_needed = |name: &String| resolver.challenge_choices(name).all(|choice| choice.kind == ChallengeType::Http01);
    if id.names.iter().any(is_needed) {
        return Err(AttemptError::NoResponder { entry_point: http.entry_point.clone(), served });
    }
    Ok(false)
}
