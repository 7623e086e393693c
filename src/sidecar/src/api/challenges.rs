//! Live HTTP-01 challenges.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use protocol::Http01;

use super::Context;
use super::message::{Answer, Fenced, Message, SMALL};
use super::problem::Refused;
use crate::challenges::{Full, is_token};
use pki::Name;

/// Twice the length of the longest token with a dot and a thumbprint (RFC 8555 §8.1), in bytes.
const MAX_KEY_AUTHORIZATION: usize = 512;

/// `PUT`: publishes a challenge that any instance may answer from now on.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(challenge): Message<Http01, SMALL>,
) -> Result<StatusCode, Refused> {
    check_key_authorization(&challenge.token, &challenge.key_authorization)?;
    check_host(&challenge.host)?;
    context.store.check(fence)?;
    match context.challenges.put(challenge, context.clock.now_seconds()) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(full @ Full) => Err(Refused::unavailable(full.to_string())),
    }
}

/// `GET`: returns the challenge of this token.
pub(super) async fn find(
    State(context): State<Arc<Context>>,
    token: Result<Path<String>, PathRejection>,
) -> Result<Answer<Http01>, Refused> {
    let found = token.ok().and_then(|Path(token)| context.challenges.find(&token, context.clock.now_seconds()));
    found.map(Answer).ok_or_else(|| Refused::not_found(StatusCode::NOT_FOUND, "no live challenge has this token"))
}

/// `DELETE`: removes a challenge.
pub(super) async fn retract(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    token: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refused> {
    context.store.check(fence)?;
    // A path that is not UTF-8 names no challenge.
    if let Ok(Path(token)) = token {
        context.challenges.remove(&token);
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Checks a challenge's token and key authorization.
pub(super) fn check_key_authorization(token: &str, key_authorization: &str) -> Result<(), Refused> {
    if !is_token(token) {
        return Err(expected("token", "22 to 128 characters of base64url"));
    }
    let thumbprint = key_authorization.strip_prefix(token).and_then(|rest| rest.strip_prefix('.'));
    if key_authorization.len() > MAX_KEY_AUTHORIZATION || !thumbprint.is_some_and(is_token) {
        return Err(expected("keyAuthorization", "the token, a dot, and the thumbprint of the account key"));
    }
    Ok(())
}

/// Checks the host of a challenge.
pub(super) fn check_host(host: &str) -> Result<(), Refused> {
    if Name::parse(host).is_none_or(|parsed| parsed.as_str() != host) {
        return Err(expected("host", "a DNS name in lower-case ASCII, or an IP address"));
    }
    Ok(())
}

fn expected(path: &str, what: &str) -> Refused {
    Refused::bad_request(format!("{path}: expected {what}"))
}
