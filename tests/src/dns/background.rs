//! A server of the tests' own, on a thread with a runtime. It ends when dropped.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::sync::oneshot;

/// Work on a thread of its own, ended when this is dropped.
#[derive(Debug)]
pub(super) struct Background(Option<oneshot::Sender<()>>);

/// Answers a request with a status and JSON. It may block.
pub(super) trait Answer: Fn(&Parts, &Value) -> Result<(u16, Value)> + Send + Sync + 'static {}

impl<F: Fn(&Parts, &Value) -> Result<(u16, Value)> + Send + Sync + 'static> Answer for F {}

impl Background {
    /// Runs this future, and the tasks it spawns.
    pub(super) fn run(work: impl Future<Output = Result<()>> + Send + 'static) -> Result<Self> {
        let (over, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! { _ = ended => {}, _ = work => {} }
            });
        });
        Ok(Self(Some(over)))
    }

    /// Serves HTTP with JSON bodies. An error of `answer` is a 500.
    pub(super) fn serve(answer: impl Answer) -> Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let answer = Arc::new(answer);
        let work = async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let answer = answer.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| respond(request, answer.clone()));
                    // An error is a client that disconnected.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        };
        Ok((Self::run(work)?, address))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(over) = self.0.take() {
            let _ = over.send(());
        }
    }
}

async fn respond(request: Request<Incoming>, answer: Arc<impl Answer>) -> Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let answered = tokio::task::spawn_blocking(move || {
        let body = serde_json::from_slice(&body).unwrap_or_default();
        answer(&head, &body)
    });
    let (status, body) = answered
        .await
        .context("the answer panicked")?
        .unwrap_or_else(|error| (500, Value::String(format!("{error:#}"))));
    let response = Response::builder().status(status).header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body.to_string())))?)
}
