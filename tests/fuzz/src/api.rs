//! Requests to the sidecar's API, by any client of its socket.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request};
use base::clock::Clock;
use dns01::{ByCode, Delegation, Dns, Exchange, Parts, Persistent, Question, Solver, Unanswered};
use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use hickory_proto::op::Message;
use http_body_util::BodyExt;
use sidecar::api::{self, Admission, Context, Peer};
use storage::{FileStore, LeaseBounds, Storages, Store, Writing};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tower::ServiceExt;

/// A larger response would echo what the client sent.
const LARGEST: usize = 4 * 1024 * 1024;

/// A request: the method, the path and the fence are the input's first three lines, its body the rest. `lease` stands
/// for the fence of a lease that is held. Every error under `/v1` is a problem document.
pub fn api(input: &[u8]) {
    static SIDECAR: Mutex<Option<Sidecar>> = Mutex::new(None);
    let mut lines = input.splitn(4, |byte| *byte == b'\n');
    let method = lines.next();
    let path = lines.next();
    let fence = lines.next();
    let (Some(method), Some(path), Some(fence)) = (method, path, fence) else { return };
    let body = lines.next().unwrap_or_default();
    let mut sidecar = SIDECAR.lock().unwrap_or_else(PoisonError::into_inner);
    let sidecar = sidecar.get_or_insert_with(Sidecar::new);
    let lease = sidecar.fence.to_string();
    let fence = if fence == b"lease" { lease.as_bytes() } else { fence };
    let request = Request::builder().method(method).uri(path).header(protocol::FENCE_HEADER, fence);
    // The HTTP server refuses anything that is not a request.
    let Ok(request) = request.extension(Peer::Network).body(Body::from(body.to_vec())) else { return };
    let is_api = request.uri().path().starts_with("/v1/");
    let (status, body) = sidecar.ask(request);
    assert!((200..600).contains(&status) && body.len() <= LARGEST, "{status} with {} bytes", body.len());
    if is_api && status >= 400 {
        let problem: protocol::Problem = serde_json::from_slice(&body).expect("an error is a problem document");
        assert_eq!(problem.status, status);
    }
}

struct Sidecar {
    router: Router,
    runtime: Runtime,
    fence: u64,
    _directory: tempfile::TempDir,
    _stop: watch::Sender<bool>,
}

impl Sidecar {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime");
        let memory = Path::new("/dev/shm");
        let directory = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let directory = directory.expect("a directory");
        let storage = directory.path().join("acme.json");
        let clock = Clock::system();
        let bounds = LeaseBounds::default();
        let opened = FileStore::open_with(&Storages::from(storage.as_path()), bounds, clock.clone(), Writing::InPlace);
        let store: Arc<dyn Store> = Arc::new(opened.expect("a new storage"));
        let (stop, stopping) = watch::channel(false);
        let exchange = Arc::new(Silence);
        let parts = Parts {
            providers: Box::new(ByCode { clock: clock.clone() }),
            exchange: exchange.clone(),
            name_server_port: 53,
            delegation: Delegation { is_followed: true, zones: Vec::new() },
            clock: clock.clone(),
        };
        let solver = runtime.block_on(Solver::open(&storage, parts));
        let dns = Dns { solver, persistent: Persistent::new(exchange, 53, clock.clone()) };
        let context = runtime.block_on(Context::alone(store, &storage, clock, dns, stopping)).expect("it can be read");
        let router = api::router(Arc::new(context), Admission::Anyone);
        let mut sidecar = Self { router, runtime, fence: 0, _directory: directory, _stop: stop };
        let request = Request::post(protocol::path::LEASE).extension(Peer::Network);
        let (_, lease) =
            sidecar.ask(request.body(r#"{"holder":"a","epoch":1,"ttlMillis":60000}"#.into()).expect("one"));
        sidecar.fence = serde_json::from_slice::<protocol::Lease>(&lease).expect("the lease").fence;
        sidecar
    }

    fn ask(&self, mut request: Request<Body>) -> (u16, Vec<u8>) {
        request.headers_mut().entry("host").or_insert(HeaderValue::from_static("sidecar"));
        self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let status = response.status().as_u16();
            (status, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
        })
    }
}

/// A network without answers, which is never asked.
struct Silence;

impl Exchange for Silence {
    fn ask<'a>(&'a self, _: SocketAddr, _: &'a Question) -> BoxFuture<'a, Result<Message, Unanswered>> {
        ready(Err(Unanswered::Timeout)).boxed()
    }
}
