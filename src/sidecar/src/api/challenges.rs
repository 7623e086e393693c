//! Live HTTP-01 challenges.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use wire::Http01;

use super::Context;
use super::message::{Answer, Fenced, Message, SMALL};
use super::problem::Refused;
use crate::catalog::{Name, now_seconds};
use crate::challenges::{Full, is_token};

/// Twice the longest token with a dot and a thumbprint (RFC 8555 §8.1), in bytes.
const MAX_KEY_AUTHORIZATION: usize = 512;

/// `PUT`: a challenge that any instance may answer from now on.
pub(super) async fn publish(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(challenge): Message<Http01, SMALL>,
) -> Result<StatusCode, Refused> {
    let expected = |path, what| Err(Refused::bad_request(format!("{path}: expected {what}")));
    if !is_token(&challenge.token) {
        return expected("token", "22 to 128 characters of base64url");
    }
    if Name::parse(&challenge.host).is_none_or(|host| host.as_str() != challenge.host) {
        return expected("host", "a DNS name in lower-case ASCII, or an IP address");
    }
    let thumbprint = challenge.key_authorization.strip_prefix(&challenge.token).and_then(|rest| rest.strip_prefix('.'));
    if challenge.key_authorization.len() > MAX_KEY_AUTHORIZATION || !thumbprint.is_some_and(is_token) {
        return expected("keyAuthorization", "the token, a dot, and the thumbprint of the account key");
    }
    context.store.check(fence)?;
    match context.challenges.put(challenge, now_seconds()) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(full @ Full) => Err(Refused::unavailable(full.to_string())),
    }
}

/// `GET`: the challenge of this token.
pub(super) async fn find(
    State(context): State<Arc<Context>>,
    token: Result<Path<String>, PathRejection>,
) -> Result<Answer<Http01>, Refused> {
    let found = token.ok().and_then(|Path(token)| context.challenges.find(&token, now_seconds()));
    found.map(Answer).ok_or_else(|| Refused::not_found(StatusCode::NOT_FOUND, "no live challenge has this token"))
}

/// `DELETE`: ends a challenge.
pub(super) async fn retract(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    token: Result<Path<String>, PathRejection>,
) -> Result<StatusCode, Refused> {
    context.store.check(fence)?;
    // What is no text can't be there.
    if let Ok(Path(token)) = token {
        context.challenges.remove(&token);
    }
    Ok(StatusCode::NO_CONTENT)
}
