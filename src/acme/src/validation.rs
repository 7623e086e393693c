//! Validations (RFC 8555 §7.5.1): the CA is told that an answer is there, and looks.

use serde::Serialize;

use crate::authorization::{Authorization, AuthorizationStatus, ChallengeState, Offer, fetch, invalid};
use crate::client::{Client, OnSilence};
use crate::error::{Class, Error};
use crate::host::Host;
use crate::issuance::Poll;
use crate::order::Order;

/// Tells the CA that the answer is there, and waits until it has looked, for no longer than `clientTimeout`.
pub(crate) async fn validate<H: Host>(
    client: &Client<H>,
    order: &Order,
    url: &str,
    offer: &Offer,
) -> Result<(), Error> {
    if let Some(challenge) = &offer.url
        && let Err(error) = client.post("challenge", challenge, &Ready {}, OnSilence::Repeat).await
        && !(error.class() == Class::Permanent && has_arrived(client, url, challenge).await)
    {
        return Err(error);
    }
    let mut poll = Poll::new(&client.host, "the CA's validation", client.options.client_timeout);
    let mut asked = None;
    loop {
        poll.wait(asked).await?;
        let authorization = fetch(client, url).await?;
        match authorization.state.status {
            AuthorizationStatus::Valid => return Ok(()),
            AuthorizationStatus::Pending => asked = authorization.retry_after,
            _ => return Err(invalid(order, authorization.state)),
        }
    }
}

/// Whether the CA took the word, which it refuses to take twice: the answer to it may have been lost.
async fn has_arrived<H: Host>(client: &Client<H>, url: &str, challenge: &str) -> bool {
    let Ok(Authorization { state, .. }) = fetch(client, url).await else { return false };
    let is_idle = state.challenge(challenge).is_none_or(ChallengeState::is_idle);
    state.status != AuthorizationStatus::Pending || !is_idle
}

/// What is sent to a challenge's URL to say that it can be validated (§7.5.1).
#[derive(Serialize)]
struct Ready {}
