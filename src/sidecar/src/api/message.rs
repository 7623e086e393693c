//! Parsing of requests, and serialization of answers.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::problem::Refused;
use crate::from_memory::Saved;
use pki::Name;
use protocol::CertificateId;
use storage::Fence;

/// The limit of most bodies, in bytes: a certificate of a hundred names of full length, and some URLs.
pub(super) const SMALL: usize = 64 * 1024;
/// The limit of a publication, in bytes: the largest chain, and as much of alternative chains, with room for JSON's
/// escapes.
pub(super) const CHAINS: usize = 4 * pki::chain::MAX_CHAIN_BYTES;
/// The limit of offered wants, in bytes: 100,000 certificates with names of common length.
pub(super) const WANTS: usize = 16 * 1024 * 1024;

/// The time in which a body must arrive. It comes from a proxy on this machine, which has received all of it already.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest name of a resolver or a holder, in bytes.
pub(super) const MAX_NAME_BYTES: usize = 256;
/// The most names in one certificate: ten times what public CAs allow.
pub(super) const MAX_NAMES: usize = 1000;
/// The longest URL, in bytes.
const MAX_URL_BYTES: usize = 4096;

/// A request's body of at most `MAX` bytes.
pub(super) struct Message<T, const MAX: usize>(pub(super) T);

impl<S: Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for Message<T, MAX> {
    type Rejection = Refused;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refused> {
        let body = collect(request.into_body(), MAX).await?;
        let mut json = serde_json::Deserializer::from_slice(&body);
        let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            // The value may be a secret, so only its path is reported.
            let path = error.path().to_string();
            let inner = error.inner();
            let place = format!("{path} (line {}, column {})", inner.line(), inner.column());
            match inner.classify() {
                serde_json::error::Category::Data => {
                    Refused::bad_request(format!("body: {place} is missing, or not of the type that is expected"))
                }
                _ => Refused::bad_request(format!("body: {place} is not JSON")),
            }
        })?;
        json.end().map_err(|_| Refused::bad_request("body: there is something after the end of the JSON value"))?;
        Ok(Self(parsed))
    }
}

async fn collect(body: Body, max: usize) -> Result<Vec<u8>, Refused> {
    let too_large = || {
        Refused::with_status(StatusCode::PAYLOAD_TOO_LARGE, format!("body: more than {max} bytes are not read here"))
    };
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    match tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, max).collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().into()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Refused::bad_request("body: it was cut short")),
        Err(_) => Err(Refused::with_status(
            StatusCode::REQUEST_TIMEOUT,
            format!("body: it was not all there after {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// The fence that a request was sent under.
pub(super) struct Fenced(pub(super) Fence);

impl<S: Sync> FromRequestParts<S> for Fenced {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        let header = protocol::FENCE_HEADER;
        let value = parts.headers.get(header).ok_or_else(|| {
            Refused::fence_lost(format!("the header {header} is missing: take the lease, and send its fence with it"))
        })?;
        let fence = value.to_str().ok().and_then(|fence| fence.parse().ok());
        fence
            .map(|fence| Self(Fence(fence)))
            .ok_or_else(|| Refused::fence_lost(format!("the header {header} is not a fence: a number")))
    }
}

/// A JSON answer.
pub(super) struct Answer<T>(pub(super) T);

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Refused::storage(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("the answer can't be written as JSON: {error}"),
            )
            .into_response(),
        }
    }
}

/// An answer, and where the change it acknowledges is kept.
pub(super) struct Kept<T>(pub(super) T, pub(super) Saved);

impl<T: IntoResponse> IntoResponse for Kept<T> {
    fn into_response(self) -> Response {
        let Self(answer, saved) = self;
        let mut response = answer.into_response();
        if saved == Saved::InMemory {
            response.headers_mut().insert(protocol::UNSAVED_HEADER, HeaderValue::from_static("true"));
        }
        response
    }
}

/// Parses the id of a certificate, which the field `path` names.
pub(super) fn certificate_id(path: &str, id: &CertificateId) -> Result<CertificateId, Refused> {
    short(&format!("{path}.resolver"), &id.resolver)?;
    if id.names.is_empty() || id.names.len() > MAX_NAMES {
        let found = id.names.len();
        return Err(Refused::bad_request(format!("{path}.names: expected 1 to {MAX_NAMES} names, found {found}")));
    }
    for (place, given) in id.names.iter().enumerate() {
        name(&format!("{path}.names[{place}]"), given)?;
    }
    Ok(id.clone())
}

/// Checks a certificate's name.
pub(super) fn name(path: &str, name: &str) -> Result<(), Refused> {
    if Name::parse(name).is_some_and(|parsed| parsed.as_str() == name) {
        return Ok(());
    }
    let expected = "a DNS name in lower-case ASCII, or an IP address in its shortest form";
    Err(Refused::bad_request(format!("{path}: expected {expected}")))
}

/// Checks the name of a resolver or a holder.
pub(super) fn short(path: &str, name: &str) -> Result<(), Refused> {
    if (1..=MAX_NAME_BYTES).contains(&name.len()) {
        return Ok(());
    }
    Err(Refused::bad_request(format!("{path}: expected 1 to {MAX_NAME_BYTES} bytes, found {}", name.len())))
}

/// Checks a URL of a CA's.
pub(super) fn url(path: &str, url: &str) -> Result<storage::CaOrigin, Refused> {
    let origin = (url.len() <= MAX_URL_BYTES).then(|| storage::CaOrigin::of(url)).flatten();
    origin.ok_or_else(|| {
        Refused::bad_request(format!("{path}: expected an absolute https URL of at most {MAX_URL_BYTES} bytes"))
    })
}
