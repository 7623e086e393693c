//! A small HTTP/1.1 client for every kind of stream in the tests: TCP, TLS, a unix socket.
//!
//! Sends requests unaltered, redirects and odd paths included, one a connection.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Method, Request, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::Roots;
use crate::tokens;

/// Time limit of one exchange.
const LIMIT: Duration = Duration::from_secs(10);

/// The target of requests.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// Plain HTTP.
    Tcp(SocketAddr),
    /// HTTP over TLS.
    Tls {
        /// The address.
        address: SocketAddr,
        /// The name that is sent as SNI and verified.
        name: String,
        /// The roots of the server's certificate.
        roots: Roots,
    },
    /// Plain HTTP over a unix socket.
    Unix(PathBuf),
    /// The sidecar's API on its unix socket, with the tests' token.
    Api(PathBuf),
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Reply {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Endpoint {
    /// Sends a GET for a path.
    ///
    /// # Errors
    /// When there is no whole answer within 10 s.
    pub fn get(&self, path: &str) -> Result<Reply> {
        self.request(Method::GET, path, &self.host(), "")
    }

    /// Sends a POST of JSON.
    ///
    /// # Errors
    /// When there is no whole answer within 10 s.
    pub fn post(&self, path: &str, body: &str) -> Result<Reply> {
        self.request(Method::POST, path, &self.host(), body)
    }

    /// Sends any request; `host` is the Host header field.
    ///
    /// # Errors
    /// When there is no whole answer within 10 s.
    pub fn request(&self, method: Method, path: &str, host: &str, body: &str) -> Result<Reply> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", host)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))?;
        self.send(request)
    }

    /// Sends a request unaltered.
    ///
    /// # Errors
    /// When there is no whole answer within 10 s.
    pub fn send(&self, request: Request<Full<Bytes>>) -> Result<Reply> {
        let what = format!("{} {}", request.method(), request.uri());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let reply = runtime.block_on(async { tokio::time::timeout(LIMIT, self.exchange(request)).await });
        reply.with_context(|| format!("{what}: no answer within {LIMIT:?}"))?.with_context(|| what)
    }

    /// A connection for any number of requests, one after the other. It ends with the runtime that it was made on.
    ///
    /// # Errors
    /// When nobody listens, or the handshake fails.
    pub async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        match self {
            Self::Tcp(address) => open(TcpStream::connect(address).await?).await,
            Self::Tls { address, name, roots } => open(roots.connect(*address, name).await?).await,
            Self::Unix(path) | Self::Api(path) => open(UnixStream::connect(path).await?).await,
        }
    }

    /// A connection that is upgraded to a web socket; the server takes any bytes.
    ///
    /// # Errors
    /// When nobody listens, or the server does not switch.
    pub async fn upgrade(&self, path: &str, host: &str) -> Result<TokioIo<hyper::upgrade::Upgraded>> {
        let request = Request::get(path)
            .header("host", host)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .body(Full::default())?;
        let answer = self.connect().await?.send_request(request).await?;
        anyhow::ensure!(answer.status() == 101, "{} instead of an upgrade", answer.status());
        Ok(TokioIo::new(hyper::upgrade::on(answer).await?))
    }

    pub(crate) async fn exchange(&self, mut request: Request<Full<Bytes>>) -> Result<Reply> {
        if let Self::Api(_) = self {
            let token = format!("Bearer {}", tokens::API).try_into()?;
            request.headers_mut().insert(header::AUTHORIZATION, token);
        }
        let (head, body) = self.connect().await?.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    fn host(&self) -> String {
        match self {
            Self::Tcp(address) => address.to_string(),
            Self::Tls { address, name, .. } => format!("{name}:{}", address.port()),
            Self::Unix(_) | Self::Api(_) => "localhost".to_owned(),
        }
    }
}

async fn open(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Full<Bytes>>> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    Ok(sender)
}
