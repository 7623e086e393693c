//! The driver of one stream: carries requests, changes and responses between a session and the network.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status as GrpcStatus, Streaming};

use super::admission::Pass;
use super::limits::RESPONSE_QUEUE;
use super::session::{Refusal, ResourceName, Session, Source};
use super::status::StreamGuard;
use super::unanswered::Unanswered;
use crate::catalog::Catalog;
use base::clock::Clock;
use pki::Pair;

/// The stream of responses, as tonic wants it.
pub(super) type Responses<R> = ReceiverStream<Result<R, GrpcStatus>>;

/// The kind of certificates that a stream is about, from the gRPC metadata [`super::scope::SCOPE_HEADER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// Certificates that visitors are served.
    Ordinary,
    /// Certificates of live TLS-ALPN-01 challenges (RFC 8737), and never any other.
    TlsAlpn01,
}

/// State that every stream needs.
pub(super) struct Context {
    /// The catalog of the scope.
    pub(super) catalog: Arc<Catalog>,
    pub(super) clock: Clock,
    pub(super) scope: Scope,
    pub(super) pass: Pass,
    pub(super) guard: StreamGuard,
    pub(super) unanswered: Arc<Unanswered>,
    /// Becomes true when the server shuts down.
    pub(super) stopping: watch::Receiver<bool>,
}

/// Runs a stream in a task of its own, until the client leaves or the server stops.
pub(super) fn start<S>(session: S, requests: Streaming<S::Request>, context: Context) -> Responses<S::Response>
where
    S: Session + Send + 'static,
    S::Request: Send + 'static,
    S::Response: Send + 'static,
{
    let (sender, receiver) = mpsc::channel(RESPONSE_QUEUE);
    tokio::spawn(async move {
        if let Err(status) = run(session, requests, context, &sender).await {
            // The client may have left; then nobody reads the status.
            let _ = sender.send(Err(status)).await;
        }
    });
    ReceiverStream::new(receiver)
}

async fn run<S: Session>(
    mut session: S,
    mut requests: Streaming<S::Request>,
    mut context: Context,
    responses: &mpsc::Sender<Result<S::Response, GrpcStatus>>,
) -> Result<(), GrpcStatus> {
    let mut changes = context.catalog.changes();
    let mut seen = *changes.borrow_and_update();
    let follower = context.catalog.follow(seen);
    let mut stopping = context.stopping.clone();
    let mut pass = context.pass.clone();
    let mut appeals = context.guard.appeals();
    let mut half_closed = false;
    // A client that has closed its side gets the answers to its requests, then the stream ends.
    while !half_closed || session.is_due() {
        tokio::select! {
            request = requests.next(), if !half_closed => match request {
                Some(request) => take(&mut session, &request?, &mut context)?,
                None => half_closed = true,
            },
            room = responses.reserve(), if session.is_due() => {
                let Ok(room) = room else { return Ok(()) };
                let now = Now::of(&context);
                if let Some(response) = session.next(&now) {
                    room.send(Ok(response));
                    context.guard.pushed();
                }
            },
            change = changes.changed() => {
                if change.is_ok() {
                    let (number, changed) = context.catalog.changed_since(seen);
                    seen = number;
                    session.changed(&changed);
                }
            },
            // A missed appeal leaves things as they are, and the sender lives as long as the guard.
            appeal = appeals.recv() => {
                if let Ok(versions) = appeal {
                    session.reconsider(&versions);
                }
            },
            () = stopped(&mut stopping) => {
                return Err(GrpcStatus::unavailable("the sidecar is shutting down"));
            },
            () = pass.withdrawn() => {
                // The client connects again, with the token it has by then.
                return Err(GrpcStatus::unauthenticated("the token of this stream was withdrawn or changed"));
            }
            () = responses.closed() => return Ok(()),
        }
        if session.is_settled() {
            follower.reach(seen);
        }
    }
    Ok(())
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server itself is gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn take<S: Session>(session: &mut S, request: &S::Request, context: &mut Context) -> Result<(), GrpcStatus> {
    if let Some(node) = S::node(request) {
        context.guard.name(node);
    }
    for verdict in session.request(request).map_err(|refusal| refused(&refusal))? {
        context.guard.settle(verdict, context.clock.now_seconds());
    }
    Ok(())
}

fn refused(refusal: &Refusal) -> GrpcStatus {
    let code = match refusal {
        Refusal::TooManyNames => Code::ResourceExhausted,
        Refusal::Type(_) => Code::InvalidArgument,
    };
    GrpcStatus::new(code, refusal.to_string())
}

/// The catalog's contents at one moment.
struct Now<'a> {
    catalog: &'a Catalog,
    scope: Scope,
    pass: &'a Pass,
    unanswered: &'a Unanswered,
    seconds: i64,
}

impl<'a> Now<'a> {
    fn of(context: &'a Context) -> Self {
        let Context { catalog, scope, pass, unanswered, .. } = context;
        Self { catalog, scope: *scope, pass, unanswered, seconds: context.clock.now_seconds() }
    }
}

impl Source for Now<'_> {
    fn best(&self, given: &str, name: &ResourceName) -> Option<Arc<Pair>> {
        let Some(name) = name.certificate() else {
            // Names of challenges come from handshakes: strangers choose them.
            if self.scope == Scope::Ordinary {
                self.unanswered.tell(given, name);
            }
            return None;
        };
        if !self.pass.opens(name) {
            return None;
        }
        match self.scope {
            Scope::Ordinary => self.catalog.best_for(name, self.seconds),
            // For visitors an expired certificate is better than none; for a challenge it is not.
            Scope::TlsAlpn01 => self.catalog.best_for(name, self.seconds).filter(|pair| pair.is_valid_at(self.seconds)),
        }
    }
}
