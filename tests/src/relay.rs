//! Between Envoy and the CA: passes requests on and keeps them; or stalls, drips, cuts, alters, as it is told.
//!
//! It ends TLS with a certificate of its own, so it can be a CA with another name, or one that has expired. The CA makes
//! its URLs of the Host it is asked for, so all of them lead through here.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::http::{Endpoint, Reply};
use crate::{Authority, Pebble};

/// The pause between two bytes that drip: an answer of a thousand takes minutes.
const DRIP: Duration = Duration::from_millis(200);

/// What is done with a request.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    /// The CA's answer goes back with its JSON changed.
    Alter(fn(&mut Value)),
    /// The CA's answer goes back half, then the connection ends.
    Cut,
    /// The CA's answer goes back a byte at a time.
    Drip,
    /// The request is kept, and never answered; the CA does not see it.
    Stall,
}

/// A request that came, and what it asked.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// When it came.
    pub at: Instant,
    /// Its path.
    pub path: String,
    /// What its JWS says: the payload. Null for a POST-as-GET and for what is no JWS.
    pub payload: Value,
    /// The answer's status; `None` while there is none.
    pub status: Option<u16>,
}

/// A running relay. Dropped, it ends with all its connections.
pub struct Relay {
    port: u16,
    root: std::path::PathBuf,
    shared: Arc<Shared>,
    over: Option<oneshot::Sender<()>>,
}

struct Shared {
    ca: Endpoint,
    manners: Mutex<Vec<(String, Manner)>>,
    exchanges: Mutex<Vec<Exchange>>,
    refused: AtomicBool,
    acceptor: Mutex<TlsAcceptor>,
}

type Body = UnsyncBoxBody<Bytes, std::io::Error>;

impl Relay {
    /// Starts one before a CA, with the server certificate of `authority`.
    ///
    /// # Errors
    /// When its certificate can't be read, or it can't listen.
    pub fn start(pebble: &Pebble, authority: &Authority) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            ca: pebble.api().clone(),
            manners: Mutex::default(),
            exchanges: Mutex::default(),
            refused: AtomicBool::new(false),
            acceptor: Mutex::new(acceptor(authority)?),
        });
        let (over, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let served = shared.clone();
        std::thread::spawn(move || {
            // What it spawned ends with the runtime.
            runtime.block_on(async {
                tokio::select! { _ = ended => {}, _ = accept(listener, served) => {} }
            });
        });
        Ok(Self { port, root: authority.root.clone(), shared, over: Some(over) })
    }

    /// The URL of the CA's directory, through here.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The certificate that vouches for its own.
    pub fn root(&self) -> &std::path::Path {
        &self.root
    }

    /// Shows the server certificate of another authority from now on.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn present(&self, authority: &Authority) -> Result<()> {
        *locked(&self.shared.acceptor) = acceptor(authority)?;
        Ok(())
    }

    /// From now on treats requests whose path contains `path` so.
    pub fn treat(&self, path: &str, manner: Manner) {
        locked(&self.shared.manners).push((path.to_owned(), manner));
    }

    /// From now on passes everything on as it is. What is stalled stays so.
    pub fn relent(&self) {
        locked(&self.shared.manners).clear();
    }

    /// The requests so far whose path contains `path`.
    pub fn exchanges(&self, path: &str) -> Vec<Exchange> {
        locked(&self.shared.exchanges).iter().filter(|exchange| exchange.path.contains(path)).cloned().collect()
    }

    /// Whether a client came that did not like the certificate.
    pub fn was_refused(&self) -> bool {
        self.shared.refused.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(over) = self.over.take() {
            let _ = over.send(());
        }
    }
}

fn acceptor(authority: &Authority) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(&authority.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&authority.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (acceptor, shared) = (locked(&shared.acceptor).clone(), shared.clone());
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                shared.refused.store(true, Ordering::Relaxed);
                return;
            };
            let service = service_fn(|request| answer(request, &shared));
            // An error is a client that went, or a cut.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    let number = {
        let mut exchanges = locked(&shared.exchanges);
        exchanges.push(Exchange { at: Instant::now(), path: path.clone(), payload: payload(&body), status: None });
        exchanges.len() - 1
    };
    let rules = locked(&shared.manners).clone();
    let manner = rules.iter().find(|(part, _)| path.contains(part.as_str())).map(|(_, manner)| *manner);
    if let Some(Manner::Stall) = manner {
        std::future::pending::<()>().await;
    }
    let mut reply = shared.ca.exchange(Request::from_parts(head, Full::new(body))).await?;
    if let Some(exchange) = locked(&shared.exchanges).get_mut(number) {
        exchange.status = Some(reply.status);
    }
    if let Some(Manner::Alter(change)) = manner {
        let mut value = serde_json::from_slice(&reply.body).with_context(|| format!("{path} is to be altered"))?;
        change(&mut value);
        reply.body = serde_json::to_vec(&value)?;
    }
    reply.headers.remove(header::CONTENT_LENGTH);
    reply.headers.remove(header::TRANSFER_ENCODING);
    let Reply { status, headers, body } = reply;
    let mut response = Response::builder().status(status);
    response.headers_mut().context("a response of ours")?.extend(headers);
    Ok(match manner {
        Some(Manner::Cut) => response.header(header::CONTENT_LENGTH, body.len()).body(cut(&body))?,
        Some(Manner::Drip) => response.header(header::CONTENT_LENGTH, body.len()).body(drip(body))?,
        _ => response.body(Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync())?,
    })
}

/// Half of a body, then an error, which ends the connection.
fn cut(body: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
    let frames = [Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// A body a byte at a time.
fn drip(body: Vec<u8>) -> Body {
    let frames = stream::unfold(body.into_iter(), |mut bytes| async move {
        let byte = bytes.next()?;
        tokio::time::sleep(DRIP).await;
        Some((Ok(Frame::data(Bytes::copy_from_slice(&[byte]))), bytes))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The payload of a JWS (RFC 7515 §7.2.2).
fn payload(body: &[u8]) -> Value {
    let read = || -> Result<Value> {
        let jws: Value = serde_json::from_slice(body)?;
        let Some(payload) = jws["payload"].as_str() else { bail!("no JWS") };
        Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
    };
    read().unwrap_or_default()
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
