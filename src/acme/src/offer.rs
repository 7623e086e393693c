//! Choosing: which of the challenges that an authorization offers (RFC 8555 §7.1.4) is answered, and with what.

use std::time::Duration;

use crate::authorization::{Authorization, ChallengeState, usable};
use crate::challenge::{Challenge, ChallengeType, named};
use crate::client::Client;
use crate::delegate::OrderDelegate;
use crate::error::Error;
use crate::host::Host;
use crate::identifier::{Identifier, proved_by};
use crate::order::Order;

/// How long an answer to a challenge stands at the longest, in seconds, from when the CA is told; it is withdrawn when
/// the validation ended.
const CHALLENGE_LIFETIME: i64 = 60 * 60;

/// A challenge to be answered: where to say so, whether that was said already, after which wait, and the answer.
pub(crate) struct Offer {
    pub(crate) url: String,
    pub(crate) is_begun: bool,
    /// How long the CA asked to be left alone, where it is at it already.
    pub(crate) asked: Option<Duration>,
    pub(crate) delay: Duration,
    pub(crate) challenge: Challenge,
}

/// Lets the delegate choose among those of the offered challenges that can be used.
pub(crate) fn choose<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    delegate: &C,
    names: &[Identifier],
    order: &Order,
    (base, look): (&str, &Authorization),
) -> Result<Offer, Error> {
    let state = &look.state;
    // No CA would have it so for long; it may be the answer to another question.
    if state.challenges.is_empty() {
        let what = "it is pending and offers no challenge".to_owned();
        return Err(Error::BadAnswer { url: base.to_owned(), what });
    }
    let told = state.identifier.as_deref();
    let Some((host, wildcard)) = proved_by(names, told, state.wildcard) else {
        let names = told.map(str::to_owned).into_iter().collect();
        return Err(Error::OrderNamesChanged { order: order.url.clone(), names });
    };
    let usable: Vec<(ChallengeType, &ChallengeState, &str)> = state.challenges.iter().filter_map(usable).collect();
    let offered: Vec<ChallengeType> = usable.iter().map(|(kind, ..)| *kind).collect();
    let begun = usable.iter().find(|(_, challenge, _)| challenge.is_begun()).map(|(kind, ..)| *kind);
    let choice = delegate.choose(&named(&host, wildcard), &offered, begun);
    let chosen =
        choice.and_then(|choice| usable.iter().find(|(kind, ..)| *kind == choice.kind).map(|found| (choice, found)));
    let Some((choice, (kind, challenge, url))) = chosen else {
        let offered = state.challenges.iter().map(ChallengeState::described).collect();
        return Err(Error::NoChallenge { identifier: named(&host, wildcard), offered });
    };
    let (url, is_begun) = (client.trusted("challenge.url", base, (*url).to_owned())?, challenge.is_begun());
    let now = client.host.now_millis().checked_div(1000).unwrap_or_default();
    let delay = i64::try_from(choice.delay.as_secs()).unwrap_or(i64::MAX);
    let token = challenge.token.clone().unwrap_or_default();
    let challenge = Challenge {
        kind: *kind,
        key_authorization: if token.is_empty() { String::new() } else { client.key.key_authorization(&token) },
        token,
        host,
        wildcard,
        account: client.kid().unwrap_or_default(),
        issuer_domain_names: challenge.issuer_domain_names.clone(),
        expires: now.saturating_add(CHALLENGE_LIFETIME).saturating_add(delay),
    };
    let asked = look.retry_after.filter(|_| is_begun);
    Ok(Offer { url, is_begun, asked, delay: choice.delay, challenge })
}
