//! The requests received, with their JWS decoded, and their responses.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::Resource;
use crate::http::Reply;

/// A request received, with its content.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Time of the request.
    pub at: Instant,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The resource asked for.
    pub resource: Resource,
    /// The protected header of the JWS (RFC 7515 §4); null without a JWS.
    pub protected: Value,
    /// The payload of the JWS; null for a POST-as-GET and without a JWS.
    pub payload: Value,
    /// The response's status; `None` while there is none.
    pub status: Option<u16>,
}

impl Exchange {
    pub(super) fn new(method: &str, path: &str, body: &[u8]) -> Self {
        let (protected, payload) = jws(body).unwrap_or_default();
        let method = method.to_owned();
        let path = path.to_owned();
        let resource = Resource::of(&path);
        Self { at: Instant::now(), method, path, resource, protected, payload, status: None }
    }

    /// The nonce that the request spent, if any.
    pub fn nonce(&self) -> Option<&str> {
        self.protected["nonce"].as_str()
    }
}

/// The two readable parts of a JWS (RFC 7515 §7.2.2).
fn jws(body: &[u8]) -> Option<(Value, Value)> {
    let jws: Value = serde_json::from_slice(body).ok()?;
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jws[name].as_str()?).ok();
    let protected = serde_json::from_slice(&part("protected")?).ok()?;
    // The payload of a POST-as-GET is empty.
    Some((protected, serde_json::from_slice(&part("payload")?).unwrap_or_default()))
}

/// All requests.
#[derive(Default)]
pub(super) struct Journal {
    exchanges: Vec<Exchange>,
    answers: HashMap<Resource, Reply>,
}

impl Journal {
    pub(super) fn exchanges(&self) -> &[Exchange] {
        &self.exchanges
    }

    /// Records a request; returns its number.
    pub(super) fn note(&mut self, exchange: Exchange) -> usize {
        self.exchanges.push(exchange);
        self.exchanges.len() - 1
    }

    /// Records the response to a request.
    pub(super) fn answered(&mut self, number: usize, reply: &Reply) {
        if let Some(exchange) = self.exchanges.get_mut(number) {
            exchange.status = Some(reply.status);
            self.answers.insert(exchange.resource, reply.clone());
        }
    }

    /// The last response to a request for this resource.
    pub(super) fn last_answer(&self, resource: Resource) -> Option<Reply> {
        self.answers.get(&resource).cloned()
    }

    /// See [`super::Relay::proper`].
    pub(super) fn proper(exchanges: &[Exchange], url: impl Fn(&str) -> String) -> Result<()> {
        let mut spent = HashSet::new();
        for exchange in exchanges.iter().filter(|exchange| exchange.method == "POST") {
            let nonce = exchange.nonce().with_context(|| format!("a POST to {} without a nonce", exchange.path))?;
            ensure!(spent.insert(nonce), "nonce {nonce} is used again, at {}", exchange.path);
            let signed_for = &exchange.protected["url"];
            ensure!(*signed_for == url(&exchange.path), "a request to {} is signed for {signed_for}", exchange.path);
        }
        Ok(())
    }
}
