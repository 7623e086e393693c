//! Validations (RFC 8555 §7.5.1): the CA is told that an answer is there, and looks.
//!
//! Some CAs look once and leave a challenge that failed as it was, with the reason, until the client responds again
//! (§8.2); some refuse the response with that reason. Both are retried, and when that does not help, validation has
//! failed.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use crate::authorization::{Authorization, AuthorizationStatus, ChallengeState, fetch, invalid};
use crate::client::{Client, OnSilence, payload};
use crate::delegate::{Failure, OrderDelegate};
use crate::error::{Class, Error, Refusal};
use crate::host::{Host, Response};
use crate::identifier::Identifier;
use crate::lenient::Object;
use crate::offer::{Offer, choose};
use crate::patience::Patience;
use crate::poll::Poll;
use crate::problem::Problem;
use crate::resumption::Drive;
use crate::retry_after;

/// The first wait before a challenge is retried; it doubles. An Envoy that starts listens by then, and DNS may be there
/// after the third.
const FIRST_AGAIN: Duration = Duration::from_secs(5);

/// Proves one name of an order, whose authorization is pending: answers a challenge, waits for the CA's verdict.
pub(crate) async fn fulfil<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    names: &[Identifier],
    url: &str,
    look: &Authorization,
) -> Result<(), Failure<C::Error>> {
    let delegate = drive.delegate;
    let offer = choose(client, delegate, names, &drive.order(), (url, look))?;
    delegate.publish(&offer.challenge).await.map_err(Failure::Delegate)?;
    if !offer.is_begun && !offer.delay.is_zero() {
        client.host.sleep(offer.delay).await;
    }
    let verdict = async {
        drive.count().await?;
        Ok(validate(client, drive, url, &offer).await?)
    };
    let verdict = verdict.await;
    // A CA that wants to be asked again later may look until then; the answer ends by its own expiry.
    if !matches!(verdict, Err(Failure::Acme(Error::AskedToWait { .. }))) {
        delegate.retract(&offer.challenge).await;
    }
    verdict
}

/// Tells the CA that the answer is there, and waits until it has looked, for no longer than `clientTimeout`.
pub(crate) async fn validate<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    url: &str,
    offer: &Offer,
) -> Result<(), Error> {
    let heard =
        Heard { complaint: RefCell::new(None), asked: Cell::new(offer.asked), again_in: Cell::new(FIRST_AGAIN) };
    let (name, kind) = (offer.challenge.name(), offer.challenge.kind);
    let (what, timeout) = (format!("the CA's validation of {name}"), client.options.client_timeout);
    let pursued = pursued(client, drive, url, offer, &heard);
    let verdict = Patience::new(timeout).bound(&client.host, &what, pursued).await;
    if !matches!(verdict, Err(Error::TimedOut { .. } | Error::AskedToWait { .. })) {
        return verdict;
    }
    Err(match (heard.asked.get(), heard.complaint.into_inner()) {
        (Some(asked), None) => Error::AskedToWait { waiting_for: what, timeout, asked },
        // The CA retries by itself (§8.2), later than we would.
        (Some(asked), Some(problem)) if asked > heard.again_in.get() => {
            let waiting_for = format!("{what} by {} ({problem})", kind.as_str());
            Error::AskedToWait { waiting_for, timeout, asked }
        }
        (_, Some(problem)) => {
            Error::NotValidated { problems: vec![Refusal { identifier: Some(name), challenge: Some(kind), problem }] }
        }
        (None, None) => Error::TimedOut { waiting_for: what, after: timeout },
    })
}

/// A validation as the CA tells of it while it is at it.
struct Heard {
    /// The CA's last complaint.
    complaint: RefCell<Option<Problem>>,
    /// How long it asked to be left alone when it last answered.
    asked: Cell<Option<Duration>>,
    /// The wait before the retry, unless the CA asks for a longer one.
    again_in: Cell<Duration>,
}

/// The same, until there is a verdict or a wait that is longer than `clientTimeout`.
async fn pursued<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    url: &str,
    offer: &Offer,
    heard: &Heard,
) -> Result<(), Error> {
    let (what, timeout) = ("the CA's validation", client.options.client_timeout);
    // One that the CA was told of by an earlier run may have been looked at in vain.
    let mut is_told_again = offer.is_begun;
    let mut is_to_be_told = !offer.is_begun;
    loop {
        if is_to_be_told {
            let told = tell(client, drive, url, offer).await?;
            let Told::Taken { problem, retry_after } = told else { return Ok(()) };
            heard.asked.set(retry_after);
            is_told_again |= note(drive, offer, heard, problem).await;
        }
        // The retry comes after a while, and no sooner than the CA asked.
        let until_told = || heard.asked.get().unwrap_or_default().max(heard.again_in.get()).min(timeout);
        let mut poll = Poll::new(&client.host, what, if is_told_again { until_told() } else { timeout });
        let mut is_last_look = false;
        while !(is_last_look || is_told_again && poll.is_over()) {
            match poll.wait(heard.asked.get()).await {
                Err(Error::AskedToWait { asked, .. }) if is_told_again && asked <= timeout => {
                    client.host.sleep(asked).await;
                    is_last_look = true;
                }
                waited => waited?,
            }
            let Authorization { state, retry_after } = fetch(client, url).await?;
            match state.status {
                AuthorizationStatus::Valid => return Ok(()),
                AuthorizationStatus::Pending => heard.asked.set(retry_after),
                _ => return Err(invalid(&drive.order(), state, Some(offer.challenge.kind))),
            }
            let problem = state.challenge(&offer.url).and_then(ChallengeState::complaint);
            if note(drive, offer, heard, problem).await && !is_told_again {
                is_told_again = true;
                poll = Poll::new(&client.host, what, until_told());
            }
        }
        is_to_be_told = true;
        heard.again_in.set(heard.again_in.get().saturating_mul(2));
    }
}

/// Lets it be shown at once what the CA complains of, if anything. Whether it does.
async fn note<C: OrderDelegate>(drive: &Drive<'_, C>, offer: &Offer, heard: &Heard, problem: Option<Problem>) -> bool {
    let Some(problem) = problem.map(|problem| Problem { status: 0, ..problem }) else { return false };
    let is_new = heard.complaint.replace(Some(problem.clone())).is_none_or(|before| before != problem);
    if is_new {
        drive.delegate.complained(&offer.challenge, &problem, heard.again_in.get()).await;
    }
    true
}

/// Answer of a CA that was told of a challenge.
enum Told {
    /// The CA will look, or names a problem that it met; and how long it asks to wait before the next look.
    Taken { problem: Option<Problem>, retry_after: Option<Duration> },
    /// The name is proved.
    Valid,
}

/// Tells the CA that it can look. Where it refuses that, the authorization tells whether it looked all the same: the
/// answer to an earlier word may have been lost, and some answer with the reason for which the validation failed.
async fn tell<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    url: &str,
    offer: &Offer,
) -> Result<Told, Error> {
    let error = match client.post("challenge", &offer.url, payload(&Ready {}), OnSilence::Repeat).await {
        Ok(response) => return Ok(taken(&response, client.host.now_millis())),
        Err(error) => error,
    };
    let Ok(Authorization { state, retry_after }) = fetch(client, url).await else { return Err(error) };
    match state.status {
        AuthorizationStatus::Valid => return Ok(Told::Valid),
        AuthorizationStatus::Pending => {}
        _ => return Err(invalid(&drive.order(), state, Some(offer.challenge.kind))),
    }
    let has_arrived = state.challenge(&offer.url).is_some_and(|challenge| !challenge.is_idle());
    match (error.class(), error) {
        (Class::Validation, Error::Refused { problem, .. }) => Ok(Told::Taken { problem: Some(problem), retry_after }),
        (Class::Permanent, Error::Refused { problem, .. }) if has_arrived => {
            // Which is what it says to a word that it has heard before.
            let problem = Some(problem).filter(|problem| !problem.is("malformed"));
            Ok(Told::Taken { problem, retry_after })
        }
        (_, error) => Err(error),
    }
}

fn taken(response: &Response, now_millis: i64) -> Told {
    let challenge: Value = serde_json::from_slice(&response.body).unwrap_or_default();
    Told::Taken {
        problem: Object::of(&challenge).and_then(|challenge| ChallengeState::of(challenge).complaint()),
        retry_after: response.header("retry-after").and_then(|value| retry_after::parse(value, now_millis)),
    }
}

/// Body of the request to a challenge's URL to say that it can be validated (§7.5.1).
#[derive(Serialize)]
struct Ready {}
