//! Authorizations (RFC 8555 §7.1.4 and §7.5): the proof that a name is ours, by one of the challenges that the CA offers.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::challenge::{Challenge, ChallengeType, named};
use crate::client::{Client, OnSilence, parse};
use crate::error::{Class, Error, Refusal};
use crate::host::Host;
use crate::issuance::{Custodian, Failure, Poll};
use crate::problem::{Document, Problem};
use crate::retry_after;

/// How long a CA may take to validate a name. Let's Encrypt takes seconds; lego gives up after two minutes.
const VALIDATION_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How long an answer to a challenge stands at the longest, in seconds, from when the CA is told; it is withdrawn when
/// the validation ended.
const CHALLENGE_LIFETIME: i64 = 60 * 60;

/// The lengths a token may have: 128 bits of entropy need 22 characters (RFC 8555 §8.3), and the bound keeps state small.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 22..=128;

/// The most names by which a CA may find its record (draft-ietf-acme-dns-persist §4: at most ten).
const MAX_ISSUER_DOMAIN_NAMES: usize = 10;

/// Proves one name: reads its authorization, answers a challenge, waits for the CA's verdict. One that is valid
/// already is left alone.
pub(crate) async fn fulfil<H: Host, C: Custodian>(
    client: &Client<H>,
    custodian: &C,
    url: &str,
) -> Result<(), Failure<C::Error>> {
    let authorization = fetch(client, url).await?;
    match authorization.state.status {
        AuthorizationStatus::Valid => Ok(()),
        AuthorizationStatus::Pending => {
            let Offer { url: told_at, delay, challenge } = choose(client, custodian, &authorization.state)?;
            custodian.publish(&challenge).await.map_err(Failure::Custodian)?;
            if told_at.is_some() && !delay.is_zero() {
                client.host.sleep(delay).await;
            }
            let verdict = validate(client, url, told_at.as_deref()).await;
            custodian.retract(&challenge).await;
            Ok(verdict?)
        }
        _ => Err(invalid(url, authorization.state).into()),
    }
}

/// Tells the CA that the answer is there, and waits until it has looked (§7.5.1).
async fn validate<H: Host>(client: &Client<H>, url: &str, challenge: Option<&str>) -> Result<(), Error> {
    if let Some(challenge) = challenge
        && let Err(error) = client.post("challenge", challenge, &Ready {}, OnSilence::Repeat).await
        && !(error.class() == Class::Permanent && has_arrived(client, url, challenge).await)
    {
        return Err(error);
    }
    let mut poll = Poll::new(&client.host, "the CA's validation", VALIDATION_TIMEOUT);
    let mut asked = None;
    loop {
        poll.wait(asked).await?;
        let authorization = fetch(client, url).await?;
        match authorization.state.status {
            AuthorizationStatus::Valid => return Ok(()),
            AuthorizationStatus::Pending => asked = authorization.retry_after,
            _ => return Err(invalid(url, authorization.state)),
        }
    }
}

/// Whether the CA took the word, which it refuses to take twice: the answer to it may have been lost.
async fn has_arrived<H: Host>(client: &Client<H>, url: &str, challenge: &str) -> bool {
    let Ok(Authorization { state, .. }) = fetch(client, url).await else { return false };
    let told = state.challenges.iter().find(|known| known.url.as_deref() == Some(challenge));
    let is_pending = told.is_none_or(|told| told.status.as_deref().is_none_or(|status| status == "pending"));
    state.status != AuthorizationStatus::Pending || !is_pending
}

/// What went wrong with the authorizations of an order that the CA gave up.
pub(crate) async fn problems<H: Host>(client: &Client<H>, urls: &[String]) -> Vec<Refusal> {
    let mut problems = Vec::new();
    for url in urls {
        // One that can't be read tells nothing; the order's own error is shown anyway.
        if let Ok(authorization) = fetch(client, url).await {
            problems.extend(problem(authorization.state));
        }
    }
    problems
}

struct Authorization {
    state: AuthorizationState,
    retry_after: Option<Duration>,
}

async fn fetch<H: Host>(client: &Client<H>, url: &str) -> Result<Authorization, Error> {
    let response = client.post_as_get("authorization", url).await?;
    let retry_after =
        response.header("retry-after").and_then(|value| retry_after::parse(value, client.host.now_millis()));
    Ok(Authorization { state: parse(url, &response)?, retry_after })
}

/// A challenge to be answered: where to say so, unless that was said already, after which wait, and the answer.
struct Offer {
    url: Option<String>,
    delay: Duration,
    challenge: Challenge,
}

/// Lets the custodian choose among those of the offered challenges that can be used. One that the CA was told of before
/// a restart is gone on with, whatever else there is.
fn choose<H: Host, C: Custodian>(
    client: &Client<H>,
    custodian: &C,
    state: &AuthorizationState,
) -> Result<Offer, Error> {
    let host = state.identifier.value.to_ascii_lowercase();
    let usable: Vec<(ChallengeType, &ChallengeState, &str)> = state.challenges.iter().filter_map(usable).collect();
    let begun = usable.iter().find(|(_, challenge, _)| challenge.is_begun());
    let offered: Vec<ChallengeType> = match begun {
        Some((kind, ..)) => vec![*kind],
        None => usable.iter().map(|(kind, ..)| *kind).collect(),
    };
    let way = custodian.choose(&named(&host, state.wildcard), &offered);
    let chosen = way.and_then(|way| usable.iter().find(|(kind, ..)| *kind == way.kind).map(|found| (way, found)));
    let Some((way, (kind, challenge, url))) = chosen else {
        let offered = state.challenges.iter().map(|challenge| challenge.kind.clone()).collect();
        return Err(Error::NoChallenge { identifier: named(&host, state.wildcard), offered });
    };
    let url = client.trusted("challenge.url", (*url).to_owned())?;
    let now = client.host.now_millis().checked_div(1000).unwrap_or_default();
    let delay = i64::try_from(way.delay.as_secs()).unwrap_or(i64::MAX);
    let token = challenge.token.clone().unwrap_or_default();
    let challenge = Challenge {
        kind: *kind,
        key_authorization: if token.is_empty() { String::new() } else { client.key.key_authorization(&token) },
        token,
        host,
        wildcard: state.wildcard,
        account: client.kid().unwrap_or_default(),
        issuer_domain_names: challenge.issuer_domain_names.clone(),
        expires: now.saturating_add(CHALLENGE_LIFETIME).saturating_add(delay),
    };
    // The CA needs the answer to one that has begun, not another word.
    Ok(Offer { url: begun.is_none().then_some(url), delay: way.delay, challenge })
}

/// A challenge of a type we know that has all it must have, with its URL.
fn usable(challenge: &ChallengeState) -> Option<(ChallengeType, &ChallengeState, &str)> {
    let kind = ChallengeType::from_name(&challenge.kind)?;
    let is_whole = match kind {
        ChallengeType::DnsPersist01 => (1..=MAX_ISSUER_DOMAIN_NAMES).contains(&challenge.issuer_domain_names.len()),
        _ => challenge.token.as_deref().is_some_and(is_token),
    };
    Some((kind, challenge, challenge.url.as_deref()?)).filter(|_| is_whole)
}

/// Whether a text is a token (§8.1): base64url, and long enough to have its 128 bits.
pub fn is_token(token: &str) -> bool {
    TOKEN_LENGTHS.contains(&token.len()) && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn invalid(url: &str, state: AuthorizationState) -> Error {
    let detail = format!("its authorization is {}", state.status.as_str());
    let identifier = named(&state.identifier.value, state.wildcard);
    let refusal = problem(state).unwrap_or_else(|| Refusal {
        identifier: Some(identifier),
        challenge: None,
        problem: Problem { detail, ..Problem::default() },
    });
    Error::OrderInvalid { order: url.to_owned(), problems: vec![refusal] }
}

fn problem(state: AuthorizationState) -> Option<Refusal> {
    let identifier = Some(named(&state.identifier.value, state.wildcard));
    let (kind, error) = state.challenges.into_iter().find_map(|challenge| Some((challenge.kind, challenge.error?)))?;
    Some(Refusal { identifier, challenge: ChallengeType::from_name(&kind), problem: Problem::from(error) })
}

/// What is sent to a challenge's URL to say that it can be validated (§7.5.1).
#[derive(Serialize)]
struct Ready {}

/// An authorization as it stands in JSON (§7.1.4).
#[derive(Deserialize)]
struct AuthorizationState {
    identifier: crate::order::IdentifierResource,
    status: AuthorizationStatus,
    #[serde(default, deserialize_with = "readable")]
    challenges: Vec<ChallengeState>,
    #[serde(default)]
    wildcard: bool,
}

/// The challenges that can be read: one of a type that nobody knows may look like anything (§7.1.5).
fn readable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ChallengeState>, D::Error> {
    let all = Vec::<serde_json::Value>::deserialize(deserializer)?;
    Ok(all.into_iter().filter_map(|challenge| serde_json::from_value(challenge).ok()).collect())
}

/// How far an authorization is (§7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AuthorizationStatus {
    Deactivated,
    Expired,
    Invalid,
    Pending,
    Revoked,
    Valid,
}

impl AuthorizationStatus {
    fn as_str(self) -> &'static str {
        match self {
            Self::Deactivated => "deactivated",
            Self::Expired => "expired",
            Self::Invalid => "invalid",
            Self::Pending => "pending",
            Self::Revoked => "revoked",
            Self::Valid => "valid",
        }
    }
}

/// A challenge as it stands in JSON (§7.1.5). Types this client does not know may lack what the others have.
#[derive(Deserialize)]
struct ChallengeState {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    error: Option<Document>,
    #[serde(rename = "issuer-domain-names", default)]
    issuer_domain_names: Vec<String>,
}

impl ChallengeState {
    /// Whether the CA was told that it can look.
    fn is_begun(&self) -> bool {
        self.status.as_deref() == Some("processing")
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    /// The example of RFC 8555 §7.1.4, <https://www.rfc-editor.org/rfc/rfc8555#section-7.1.4>.
    #[test]
    fn reads_the_rfcs_example() {
        let state: AuthorizationState = serde_json::from_str(
            r#"{
              "status": "valid",
              "expires": "2015-03-01T14:09:07.99Z",
              "identifier": { "type": "dns", "value": "www.example.org" },
              "challenges": [
                {
                  "url": "https://example.com/acme/chall/prV_B7yEyA4",
                  "type": "http-01",
                  "status": "valid",
                  "token": "DGyRejmCefe7v4NfDGDKfA",
                  "validated": "2014-12-01T12:05:58.16Z"
                }
              ],
              "wildcard": false
            }"#,
        )
        .unwrap();
        assert_eq!(state.status, AuthorizationStatus::Valid);
        assert_eq!(state.challenges[0].token.as_deref(), Some("DGyRejmCefe7v4NfDGDKfA"));
    }

    #[test]
    fn tokens_are_base64url_of_128_bits_and_more() {
        assert!(is_token("DGyRejmCefe7v4NfDGDKfA"));
        assert!(is_token(&"a".repeat(128)));
        for token in [
            "",
            "short",
            &"a".repeat(129),
            "DGyRejmCefe7v4NfDGDKf/",
            "../../../../etc/passwd/x",
            "DGyRejmCefe7v4NfDG%4fA",
        ] {
            assert!(!is_token(token), "{token}");
        }
    }
}
