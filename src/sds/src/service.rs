//! The gRPC services, SDS and ADS: each call becomes a session with a driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use prost::Message;
use tokio::sync::watch;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic::service::Routes;
use tonic::{Request, Response, Status as GrpcStatus, Streaming};
use tonic_prost::ProstCodec;
use tower::service_fn;

use super::admission::Admission;
use super::limits;
use super::scope::{Catalogs, SCOPE_HEADER};
use super::session::{DeltaSession, Service, SotwSession};
use super::status::Status;
use super::stream::{self, Context, Responses, Scope};
use super::unanswered::Unanswered;
use crate::catalog::Catalog;
use crate::messages::{DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse};
use base::clock::Clock;

/// Both services, over the same catalogs.
#[derive(Clone)]
pub(super) struct Secrets {
    admission: Admission,
    catalogs: Catalogs,
    clock: Clock,
    status: Arc<Status>,
    stopping: watch::Receiver<bool>,
    streams: Arc<AtomicU64>,
    unanswered: Arc<Unanswered>,
    /// A random number of this run, so that no nonce of another run of the sidecar is taken for one of this.
    run: u64,
}

impl Secrets {
    pub(super) fn new(
        admission: Admission,
        catalogs: Catalogs,
        clock: Clock,
        status: Arc<Status>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let mut bytes = [0; 8];
        // Without randomness, runs started in the same second share their number; nothing else depends on it.
        let run = match aws_lc_rs::rand::fill(&mut bytes) {
            Ok(()) => u64::from_ne_bytes(bytes),
            Err(_) => clock.now_seconds().unsigned_abs(),
        };
        let streams = Arc::default();
        let unanswered = Arc::default();
        Self { admission, catalogs, clock, status, stopping, streams, unanswered, run }
    }

    fn delta(
        &self,
        service: Service,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Responses<DeltaDiscoveryResponse>>, GrpcStatus> {
        let context = self.context(request.metadata())?;
        let session = DeltaSession::new(service, self.nonce_prefix());
        Ok(Response::new(stream::start(session, request.into_inner(), context)))
    }

    fn sotw(
        &self,
        service: Service,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Responses<DiscoveryResponse>>, GrpcStatus> {
        let context = self.context(request.metadata())?;
        let session = SotwSession::new(service, self.nonce_prefix());
        Ok(Response::new(stream::start(session, request.into_inner(), context)))
    }

    fn context(&self, metadata: &MetadataMap) -> Result<Context, GrpcStatus> {
        let pass = self.admission.admit(metadata)?;
        let scope = scope(metadata)?;
        let too_many = || GrpcStatus::resource_exhausted(format!("more than {} streams; use ADS", limits::MAX_STREAMS));
        let guard = self.status.enter(scope == Scope::Ordinary).ok_or_else(too_many)?;
        let catalog = self.catalog(scope).clone();
        let unanswered = self.unanswered.clone();
        let stopping = self.stopping.clone();
        Ok(Context { catalog, clock: self.clock.clone(), scope, pass, guard, unanswered, stopping })
    }

    fn catalog(&self, scope: Scope) -> &Arc<Catalog> {
        match scope {
            Scope::Ordinary => &self.catalogs.ordinary,
            Scope::TlsAlpn01 => &self.catalogs.tls_alpn01,
        }
    }

    fn nonce_prefix(&self) -> String {
        format!("{:x}-{:x}", self.run, self.streams.fetch_add(1, Ordering::Relaxed))
    }
}

/// A request as HTTP/2 delivers it, and its response.
type HttpRequest = http::Request<axum::body::Body>;
type HttpResponse = http::Response<Body>;

/// The methods of both services, by their paths.
pub(super) fn routes(secrets: Secrets) -> Routes {
    let delta = |service| {
        any(move |State(secrets): State<Secrets>, request: HttpRequest| async move {
            answer(move |request| secrets.delta(service, request), request).await
        })
    };
    let sotw = |service| {
        any(move |State(secrets): State<Secrets>, request: HttpRequest| async move {
            answer(move |request| secrets.sotw(service, request), request).await
        })
    };
    // Envoy never uses unary calls, and one callout of another filter would be enough to misuse them.
    let fetch = any(async || refusal("use StreamSecrets or DeltaSecrets"));
    Router::new()
        .route("/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets", delta(Service::Secrets))
        .route("/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets", sotw(Service::Secrets))
        .route("/envoy.service.secret.v3.SecretDiscoveryService/FetchSecrets", fetch)
        .route(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources",
            delta(Service::Aggregated),
        )
        .route(
            "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
            sotw(Service::Aggregated),
        )
        .fallback(async || refusal("SDS and ADS are served here"))
        .with_state(secrets)
        .into()
}

/// Runs one call of a bidirectional streaming method.
async fn answer<Asked, Answer>(
    mut method: impl FnMut(Request<Streaming<Asked>>) -> Result<Response<Responses<Answer>>, GrpcStatus> + Send,
    request: HttpRequest,
) -> HttpResponse
where
    Asked: Message + Default + 'static,
    Answer: Message + 'static,
{
    let method = service_fn(move |request| std::future::ready(method(request)));
    let mut grpc =
        Grpc::new(ProstCodec::<Answer, Asked>::default()).max_decoding_message_size(limits::MAX_REQUEST_BYTES);
    grpc.streaming(method, request).await
}

fn refusal(advice: &str) -> HttpResponse {
    GrpcStatus::unimplemented(advice).into_http()
}

/// Reads the scope. An unknown scope is refused: such a request must not be answered with ordinary certificates.
fn scope(metadata: &MetadataMap) -> Result<Scope, GrpcStatus> {
    match metadata.get(SCOPE_HEADER).map(|value| value.as_bytes()) {
        None => Ok(Scope::Ordinary),
        Some(b"tls-alpn-01") => Ok(Scope::TlsAlpn01),
        Some(_) => Err(GrpcStatus::invalid_argument(format!("{SCOPE_HEADER} can only be tls-alpn-01"))),
    }
}
