//! The MACs of external account bindings.
//!
//! Promises: the only thing signed is the binding of an account kept here, to the external account and the CA that it
//! is kept for. The sidecar's own configuration says where the MAC key is; only its log says why the key can't be had.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use protocol::{EabMac, EabRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Context;
use super::message::{Answer, Fenced, Message, SMALL, short, url};
use super::problem::Refused;
use pki::keys::account::PublicJwk;
use pki::keys::eab;
use storage::CaOrigin;

/// `POST`: returns the MAC of a binding.
pub(super) async fn bind(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(request): Message<EabRequest, SMALL>,
) -> Result<Answer<EabMac>, Refused> {
    let EabRequest { resolver, ca_server, kid, signing_input } = request;
    short("resolver", &resolver)?;
    let ca = url("caServer", &ca_server)?;
    short("kid", &kid)?;
    context.store.check(fence)?;
    let account = context.store.account(&resolver, &ca, Some(&kid)).await?;
    let jwk = account.and_then(|account| PublicJwk::of(&account.value.key)).ok_or_else(|| {
        let path = protocol::path::ACCOUNTS;
        Refused::bad_request(format!(
            "the resolver {resolver:?} has no account at {ca} for this kid: POST {path} makes its key first"
        ))
    })?;
    if !is_binding(&signing_input, &kid, &ca, &jwk) {
        let expected = "a protected header with the algorithm HS256, this kid and a URL of this CA, and the public key of \
                        the resolver's account, in base64url each";
        return Err(Refused::bad_request(format!("signingInput: expected {expected}")));
    }
    // The text is the same whatever is wrong, so that it does not reveal which files and variables there are.
    let key = context.mac_keys.of(&resolver).await.map_err(|error| {
        tracing::warn!(resolver, kid, "{error}");
        Refused::eab_key(format!(
            "the sidecar has no usable MAC key for the resolver {resolver:?}: its log says why (--eab RESOLVER=file:PATH \
             or RESOLVER=env:NAME, or eab.hmacEncoded under `run`)"
        ))
    })?;
    tracing::info!(resolver, kid, "an account is bound to its external account");
    Ok(Answer(EabMac { mac: URL_SAFE_NO_PAD.encode(eab::mac(&key, &signing_input)) }))
}

/// The protected header of a binding (RFC 8555 §7.3.4), without any other member.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Protected {
    alg: String,
    kid: String,
    url: String,
}

/// True if the text is what RFC 8555 §7.3.4 signs, for this external account, CA and account key.
fn is_binding(signing_input: &str, kid: &str, ca: &CaOrigin, jwk: &PublicJwk) -> bool {
    let Some((protected, payload)) = signing_input.split_once('.') else { return false };
    let is_header = |header: Protected| {
        let is_at_ca = CaOrigin::of(&header.url).is_some_and(|origin| origin.is_run_with(ca));
        header.alg == "HS256" && header.kid == kid && is_at_ca
    };
    object(protected).is_some_and(is_header) && object(payload).as_ref() == Some(jwk)
}

/// Parses a JSON object in base64url. Repeated members are refused: another reader might take the other one.
fn object<T: DeserializeOwned>(part: &str) -> Option<T> {
    let text = URL_SAFE_NO_PAD.decode(part).ok()?;
    // serde would take an array for a struct as well.
    text.starts_with(b"{").then(|| serde_json::from_slice(&text).ok())?
}
