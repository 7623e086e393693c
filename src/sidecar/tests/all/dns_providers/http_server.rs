//! A small HTTP server that records its requests.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The name of the server that was asked for.
    pub(crate) host: String,
    pub(crate) method: Method,
    /// The path with its query.
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) text: Option<String>,
}

impl Reply {
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), text: Some(text.into()) }
    }

    pub(crate) fn json(status: u16, value: &serde_json::Value) -> Self {
        Self::new(status, value.to_string())
    }

    /// A body that never ends.
    pub(crate) fn endless() -> Self {
        Self { status: 200, headers: Vec::new(), text: None }
    }

    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

/// The function that answers.
pub(crate) type Answerer = Arc<Mutex<dyn FnMut(&Seen) -> Reply + Send>>;

/// The server, which ends on drop.
pub(crate) struct HttpServer {
    pub(crate) address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl HttpServer {
    /// Serves by HTTP.
    pub(crate) async fn start(answer: impl FnMut(&Seen) -> Reply + Send + 'static) -> Self {
        let answerer: Answerer = Arc::new(Mutex::new(answer));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, String::new(), Arc::clone(&answerer)));
            }
        });
        Self { address, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Serves one connection.
pub(crate) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    host: String,
    answerer: Answerer,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (host, answerer) = (host.clone(), Arc::clone(&answerer));
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            let seen = Seen {
                host,
                method: head.method,
                target: head.uri.to_string(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            let reply = (answerer.lock().unwrap())(&seen);
            let mut response = Response::builder().status(reply.status);
            for (name, value) in reply.headers {
                response = response.header(name, value);
            }
            Ok::<_, Infallible>(response.body(Text(reply.text.map(Some))).unwrap())
        }
    });
    // A peer that goes away is none of the server's business.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// A text, or one that never ends.
struct Text(Option<Option<String>>);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const PIECE: &[u8] = &[b' '; 64 * 1024];
        Poll::Ready(match &mut self.0 {
            Some(text) => text.take().map(|text| Ok(Frame::data(Bytes::from(text)))),
            None => Some(Ok(Frame::data(Bytes::from_static(PIECE)))),
        })
    }
}
