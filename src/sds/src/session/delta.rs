//! The incremental variant: names are added and removed, and the response can say that a secret does not exist.

use std::sync::Arc;

use super::ledger::Ledger;
use super::{Refusal, Service, Session, Source, Verdict, limits};
use crate::catalog::Changed;
use crate::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, Resource};
use crate::secret::{TYPE_URL, secret, version_of_set};
use pki::Pair;

/// A stream of `DeltaSecrets`, or the secrets on a stream of `DeltaAggregatedResources`.
pub struct DeltaSession {
    service: Service,
    ledger: Ledger,
    first: bool,
}

impl DeltaSession {
    /// `stream` is the prefix of every nonce; no two streams may share it.
    pub fn new(service: Service, stream: String) -> Self {
        Self { service, ledger: Ledger::new(stream, true, limits::MAX_BATCH_BYTES), first: true }
    }
}

impl Session for DeltaSession {
    type Request = DeltaDiscoveryRequest;
    type Response = DeltaDiscoveryResponse;

    fn request(&mut self, request: &DeltaDiscoveryRequest) -> Result<Vec<Verdict>, Refusal> {
        if !self.service.accepts(&request.type_url)? {
            return Ok(Vec::new());
        }
        let error = request.error_detail.as_ref().map(|status| status.message.as_str());
        let verdicts = self.ledger.settle(&request.response_nonce, error);
        for name in &request.resource_names_unsubscribe {
            self.ledger.unsubscribe(name);
        }
        for name in request.resource_names_subscribe.iter().filter(|name| is_one_name(name)) {
            if !self.ledger.subscribe(name)? {
                self.ledger.resend(name);
            }
        }
        if std::mem::take(&mut self.first) {
            for (name, version) in &request.initial_resource_versions {
                self.ledger.assume(name, version);
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

    fn next(&mut self, source: &impl Source) -> Option<DeltaDiscoveryResponse> {
        let contents = self.ledger.next_batch(source)?.contents;
        let nonce = self.ledger.sent(&contents);
        let removed = contents.iter().filter(|(_, pair)| pair.is_none()).map(|(name, _)| name.to_string());
        Some(DeltaDiscoveryResponse {
            system_version_info: version_of_set(&contents),
            resources: contents.iter().filter_map(|(name, pair)| Some(resource(name, pair.as_ref()?))).collect(),
            type_url: TYPE_URL.to_owned(),
            removed_resources: removed.collect(),
            nonce,
        })
    }

    fn node(request: &DeltaDiscoveryRequest) -> Option<&str> {
        request.node.as_ref().map(|node| node.id.as_str())
    }
}

fn resource(name: &str, pair: &Pair) -> Resource {
    let secret = Some(secret(name, pair));
    Resource { name: name.to_owned(), version: pair.version.clone(), resource: secret }
}

/// Rules out wildcards and empty names.
fn is_one_name(name: &str) -> bool {
    !name.is_empty() && name != "*"
}
