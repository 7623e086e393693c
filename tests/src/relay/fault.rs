//! Faults to inject into requests and responses, and the rules that select them.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use serde_json::Value;

use super::Resource;
use crate::http::Reply;

/// A fault in a request, or in its response.
#[derive(Clone)]
pub enum Fault {
    /// The relay answers this; the CA does not see the request.
    Answer(Reply),
    /// The CA's answer goes back changed.
    Change(Arc<dyn Fn(&mut Reply) + Send + Sync>),
    /// Half of the CA's response goes back, then the connection ends.
    Cut,
    /// The request is forwarded this much later.
    Delay(Duration),
    /// The response goes back a byte at a time.
    Drip,
    /// The response's body repeats for ever.
    Endless,
    /// The CA does what it was asked; then the connection ends without an answer.
    ResetAfter,
    /// The connection ends; the CA does not see the request.
    ResetBefore,
    /// The request is kept, and never answered; the CA does not see it.
    Stall,
    /// The CA gets the request, but the last response to a request for that resource goes back instead, with a fresh
    /// nonce.
    Swap(Resource),
}

impl Fault {
    /// The relay answers with this status, these header fields and this body.
    pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let mut reply = Reply { status, headers: HeaderMap::new(), body: body.into() };
        headers.iter().for_each(|(name, value)| set(&mut reply, name, value.as_bytes()));
        Self::Answer(reply)
    }

    /// The relay answers with a problem document of one of ACME's types (RFC 8555 §6.7).
    pub fn problem(status: u16, kind: &str, detail: &str) -> Self {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        let body = serde_json::json!({ "type": kind, "detail": detail, "status": status });
        Self::answer(status, &[("content-type", "application/problem+json")], body.to_string())
    }

    /// The JSON of the CA's answer is changed; an answer that is no JSON stays as it is.
    pub fn json(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Self {
        Self::change(move |reply| {
            if let Ok(mut value) = serde_json::from_slice(&reply.body) {
                change(&mut value);
                reply.body = value.to_string().into_bytes();
            }
        })
    }

    /// The CA's answer has another body.
    pub fn body(body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self::change(move |reply| reply.body.clone_from(&body))
    }

    /// A header field of the CA's answer is set.
    pub fn header(name: &'static str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        Self::change(move |reply| set(reply, name, &value))
    }

    /// A header field of the CA's answer is left out.
    pub fn without(name: &'static str) -> Self {
        Self::change(move |reply| drop(reply.headers.remove(name)))
    }

    /// The CA's answer goes back changed.
    pub fn change(change: impl Fn(&mut Reply) + Send + Sync + 'static) -> Self {
        Self::Change(Arc::new(change))
    }
}

fn set(reply: &mut Reply, name: &str, value: &[u8]) {
    // Bytes that HTTP does not allow in a field can't be sent at all.
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::from_bytes(value)) {
        reply.headers.insert(name, value);
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Answer(reply) => return write!(f, "Answer({})", reply.status),
            Self::Change(_) => "Change",
            Self::Cut => "Cut",
            Self::Delay(delay) => return write!(f, "Delay({delay:?})"),
            Self::Drip => "Drip",
            Self::Endless => "Endless",
            Self::ResetAfter => "ResetAfter",
            Self::ResetBefore => "ResetBefore",
            Self::Stall => "Stall",
            Self::Swap(resource) => return write!(f, "Swap({resource:?})"),
        };
        f.write_str(name)
    }
}

/// The rules: faults by request.
#[derive(Default)]
pub(super) struct Rules(Vec<Rule>);

struct Rule {
    resource: Resource,
    numbers: Range<usize>,
    seen: usize,
    fault: Fault,
}

impl Rules {
    pub(super) fn add(&mut self, resource: Resource, numbers: Range<usize>, fault: Fault) {
        self.0.push(Rule { resource, numbers, seen: 0, fault });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The faults of a request for this resource, which is counted.
    pub(super) fn next(&mut self, resource: Resource) -> Vec<Fault> {
        let mut faults = Vec::new();
        for rule in self.0.iter_mut().filter(|rule| rule.resource.covers(resource)) {
            if rule.numbers.contains(&rule.seen) {
                faults.push(rule.fault.clone());
            }
            rule.seen += 1;
        }
        faults
    }
}
