//! The state-of-the-world variant: every request lists all names, and a response can't say that a secret does not
//! exist.
//!
//! A response has all subscribed secrets that exist, as clients of this variant expect. When these are too much for one
//! message, or one of them must be sent alone, the response has only the new ones: for secrets, absence does not mean
//! removal (xDS protocol, "Deleting resources").

use std::collections::HashSet;
use std::sync::Arc;

use super::ledger::Ledger;
use super::{Refusal, Service, Session, Source, Verdict, limits};
use crate::catalog::Changed;
use crate::messages::{DiscoveryRequest, DiscoveryResponse};
use crate::secret::{TYPE_URL, secret, version_of_set};

/// A stream of `StreamSecrets`, or the secrets on a stream of `StreamAggregatedResources`.
pub struct SotwSession {
    service: Service,
    ledger: Ledger,
    /// The nonce of the last response. Only a request with this nonce was written with knowledge of all responses.
    last_nonce: Option<String>,
}

impl SotwSession {
    /// `stream` is the prefix of every nonce; no two streams may share it.
    pub fn new(service: Service, stream: String) -> Self {
        Self { service, ledger: Ledger::new(stream, false, limits::MAX_WORLD_BYTES), last_nonce: None }
    }
}

impl Session for SotwSession {
    type Request = DiscoveryRequest;
    type Response = DiscoveryResponse;

    fn request(&mut self, request: &DiscoveryRequest) -> Result<Vec<Verdict>, Refusal> {
        if !self.service.accepts(&request.type_url)? {
            return Ok(Vec::new());
        }
        let error = request.error_detail.as_ref().map(|status| status.message.as_str());
        let verdicts = self.ledger.settle(&request.response_nonce, error);
        // A request from before the last response: the client will send its names again with the latest nonce.
        if self.last_nonce.as_ref().is_some_and(|last| *last != request.response_nonce) {
            return Ok(verdicts);
        }
        let names: HashSet<&str> = request.resource_names.iter().map(String::as_str).collect();
        self.ledger.retain(|name| names.contains(name));
        for name in &request.resource_names {
            if !name.is_empty() && name != "*" {
                self.ledger.subscribe(name)?;
            }
        }
        Ok(verdicts)
    }

    fn changed(&mut self, changed: &Changed) {
        self.ledger.changed(changed);
    }

    fn reconsider(&mut self, versions: &[Arc<str>]) {
        self.ledger.reconsider(versions);
    }

    fn is_due(&self) -> bool {
        self.ledger.is_due()
    }

    fn is_settled(&self) -> bool {
        self.ledger.is_settled()
    }

    fn next(&mut self, source: &impl Source) -> Option<DiscoveryResponse> {
        let batch = self.ledger.next_batch(source)?;
        let world = if batch.alone || batch.more { None } else { self.ledger.whole_world(source) };
        let contents = world.unwrap_or(batch.contents);
        let nonce = self.ledger.sent(&contents);
        self.last_nonce = Some(nonce.clone());
        let resources = contents.iter().filter_map(|(name, pair)| Some(secret(name, pair.as_ref()?))).collect();
        let version_info = version_of_set(&contents);
        Some(DiscoveryResponse { version_info, resources, type_url: TYPE_URL.to_owned(), nonce })
    }

    fn node(request: &DiscoveryRequest) -> Option<&str> {
        request.node.as_ref().map(|node| node.id.as_str())
    }
}
