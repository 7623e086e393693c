//! The gRPC services: incremental ADS, and SDS in its state-of-the-world form.

use std::pin::Pin;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::aggregated_discovery_service_server::AggregatedDiscoveryService;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource as Wrapped,
};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_server::SecretDiscoveryService;
use envoy_types::pb::google::rpc::Status as Refusal;
use futures::Stream;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::Shared;
use super::pieces::{Resource, SECRET};
use super::session::{Due, Session};

/// Both services, over the same resources.
#[derive(Clone)]
pub(super) struct Discovery {
    shared: Arc<Shared>,
}

type Responses<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Discovery {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

/// A request of either variant.
trait Asked: Send + 'static {
    type Answer: Send + 'static;

    fn node(&self) -> Option<&Node>;
    fn kind(&self) -> &str;
    fn nonce(&self) -> &str;
    fn refusal(&self) -> Option<&Refusal>;
    /// Names to subscribe to, and to unsubscribe from.
    fn names(&self) -> (Vec<String>, Vec<String>);
    fn answer(due: Due, all: &[Resource]) -> Self::Answer;
}

impl Asked for DeltaDiscoveryRequest {
    type Answer = DeltaDiscoveryResponse;

    fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    fn kind(&self) -> &str {
        &self.type_url
    }

    fn nonce(&self) -> &str {
        &self.response_nonce
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.error_detail.as_ref()
    }

    fn names(&self) -> (Vec<String>, Vec<String>) {
        (self.resource_names_subscribe.clone(), self.resource_names_unsubscribe.clone())
    }

    fn answer(due: Due, _: &[Resource]) -> Self::Answer {
        let wrapped = |resource: Resource| Wrapped {
            name: resource.name,
            version: resource.version,
            resource: Some(resource.message),
            ..Wrapped::default()
        };
        DeltaDiscoveryResponse {
            type_url: due.kind,
            nonce: due.nonce,
            resources: due.changed.into_iter().map(wrapped).collect(),
            removed_resources: due.removed,
            ..DeltaDiscoveryResponse::default()
        }
    }
}

impl Asked for DiscoveryRequest {
    type Answer = DiscoveryResponse;

    fn node(&self) -> Option<&Node> {
        self.node.as_ref()
    }

    fn kind(&self) -> &str {
        &self.type_url
    }

    fn nonce(&self) -> &str {
        &self.response_nonce
    }

    fn refusal(&self) -> Option<&Refusal> {
        self.error_detail.as_ref()
    }

    fn names(&self) -> (Vec<String>, Vec<String>) {
        // Each request lists all names; an acknowledgement repeats the subscribed ones.
        match self.response_nonce.is_empty() {
            true => (self.resource_names.clone(), Vec::new()),
            false => (Vec::new(), Vec::new()),
        }
    }

    fn answer(due: Due, _: &[Resource]) -> Self::Answer {
        DiscoveryResponse {
            version_info: due.nonce.clone(),
            type_url: due.kind,
            nonce: due.nonce,
            resources: due.changed.into_iter().map(|resource| resource.message).collect(),
            ..DiscoveryResponse::default()
        }
    }
}

/// Drives a stream until its client or the test ends.
fn start<A: Asked>(shared: Arc<Shared>, mut requests: Streaming<A>) -> Responses<A::Answer> {
    let (out, responses) = mpsc::channel(16);
    tokio::spawn(async move {
        let mut session = Session::default();
        let mut resources = shared.resources();
        let mut is_first = true;
        loop {
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => take(&request, std::mem::take(&mut is_first), &mut session, &shared),
                    Ok(None) | Err(_) => break,
                },
                changed = resources.changed() => if changed.is_err() { break },
            }
            let now = resources.borrow_and_update().clone();
            for due in session.due(&now) {
                shared.with_ledger(|ledger| ledger.open += 1);
                if out.send(Ok(A::answer(due, &now))).await.is_err() {
                    break;
                }
            }
        }
        // A client that disconnected answers nothing any more.
        shared.with_ledger(|ledger| ledger.open -= session.open());
    });
    Box::pin(ReceiverStream::new(responses))
}

fn take<A: Asked>(request: &A, is_first: bool, session: &mut Session, shared: &Shared) {
    let answered = session.answered(request.nonce());
    shared.with_ledger(|ledger| {
        // Envoys before 1.40 repeat the node in each incremental message.
        match (request.node(), is_first) {
            (Some(node), true) => ledger.node.clone_from(&node.id),
            (None, true) => ledger.faults.push("a stream begins without the node".to_owned()),
            (_, false) => {}
        }
        if let Some(kind) = answered {
            ledger.open -= 1;
            match request.refusal() {
                Some(refusal) => ledger.faults.push(format!("it refuses {kind}: {}", refusal.message)),
                None => ledger.accepted.push(kind),
            }
        } else if !request.nonce().is_empty() {
            ledger.faults.push(format!("an answer to nothing, {}: {}", request.kind(), request.nonce()));
        }
    });
    let (names, no_more) = request.names();
    session.subscribe(request.kind(), &names, &no_more);
}

#[async_trait]
impl AggregatedDiscoveryService for Discovery {
    type DeltaAggregatedResourcesStream = Responses<DeltaDiscoveryResponse>;
    type StreamAggregatedResourcesStream = Responses<DiscoveryResponse>;

    async fn delta_aggregated_resources(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Ok(Response::new(start(self.shared.clone(), request.into_inner())))
    }

    async fn stream_aggregated_resources(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented("istiod and Envoy Gateway have their proxies ask incrementally"))
    }
}

#[async_trait]
impl SecretDiscoveryService for Discovery {
    type DeltaSecretsStream = Responses<DeltaDiscoveryResponse>;
    type StreamSecretsStream = Responses<DiscoveryResponse>;

    async fn delta_secrets(
        &self,
        _: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaSecretsStream>, Status> {
        Err(Status::unimplemented("Istio's agent knows the state of the world only"))
    }

    async fn stream_secrets(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamSecretsStream>, Status> {
        Ok(Response::new(start(self.shared.clone(), request.into_inner())))
    }

    async fn fetch_secrets(&self, _: Request<DiscoveryRequest>) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented(SECRET))
    }
}
