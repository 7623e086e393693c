//! The MACs that bind accounts to external ones. Nothing but a binding is signed.

use std::sync::Arc;

use axum::extract::State;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use wire::{EabMac, EabRequest};

use super::Context;
use super::message::{Answer, Fenced, Message, SMALL, short};
use super::problem::Refused;
use crate::keys::eab;

/// `POST`: the MAC of a binding.
pub(super) async fn bind(
    State(context): State<Arc<Context>>,
    Fenced(fence): Fenced,
    Message(request): Message<EabRequest, SMALL>,
) -> Result<Answer<EabMac>, Refused> {
    let EabRequest { resolver, kid, hmac_encoded, signing_input } = request;
    short("resolver", &resolver)?;
    short("kid", &kid)?;
    context.store.check(fence)?;
    if !is_binding(&signing_input, &kid) {
        let expected = "a protected header with the algorithm HS256 and this kid, and a public key, in base64url each";
        return Err(Refused::bad_request(format!("signingInput: expected {expected}")));
    }
    let key = eab::mac_key(hmac_encoded.expose(), &context.variables)
        .await
        .map_err(|error| Refused::eab_key(error.to_string()))?;
    tracing::info!(resolver, kid, "an account is bound to its external account");
    Ok(Answer(EabMac { mac: URL_SAFE_NO_PAD.encode(eab::mac(&key, &signing_input)) }))
}

/// Whether a text is what RFC 8555 §7.3.4 says is signed, and nothing that the key could be misused for.
fn is_binding(signing_input: &str, kid: &str) -> bool {
    let Some((protected, payload)) = signing_input.split_once('.') else { return false };
    let json = |part: &str| -> Option<Value> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
    let (Some(protected), Some(payload)) = (json(protected), json(payload)) else { return false };
    let names_kid = protected["alg"] == "HS256" && protected["kid"] == kid && protected["url"].is_string();
    names_kid && payload["kty"].is_string()
}
