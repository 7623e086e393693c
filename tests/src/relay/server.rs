//! Takes connections and requests, asks the CA, and applies the rules.

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, header};
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::body::{self, Body};
use super::fault::{Fault, Rules};
use super::journal::{Exchange, Journal};
use crate::Authority;
use crate::http::{Endpoint, Reply};

/// State shared by the relay and its connections.
pub(super) struct Shared {
    ca: Endpoint,
    rules: Mutex<Rules>,
    journal: Mutex<Journal>,
    refused: AtomicBool,
    endless_bytes: Arc<AtomicU64>,
    acceptor: Mutex<TlsAcceptor>,
}

impl Shared {
    pub(super) fn new(ca: Endpoint, authority: &Authority) -> Result<Self> {
        Ok(Self {
            ca,
            rules: Mutex::default(),
            journal: Mutex::default(),
            refused: AtomicBool::new(false),
            endless_bytes: Arc::default(),
            acceptor: Mutex::new(acceptor(authority)?),
        })
    }

    pub(super) fn present(&self, authority: &Authority) -> Result<()> {
        *locked(&self.acceptor) = acceptor(authority)?;
        Ok(())
    }

    pub(super) fn rules(&self) -> MutexGuard<'_, Rules> {
        locked(&self.rules)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        locked(&self.journal)
    }

    pub(super) fn was_refused(&self) -> bool {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn endless_bytes(&self) -> u64 {
        self.endless_bytes.load(Ordering::Relaxed)
    }
}

pub(super) async fn accept(listener: TcpListener, shared: Arc<Shared>) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let acceptor = locked(&shared.acceptor).clone();
        let shared = shared.clone();
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else {
                shared.refused.store(true, Ordering::Relaxed);
                return;
            };
            let service = service_fn(|request| answer(request, &shared));
            // An error is a client that disconnected, or a connection that was to end.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// An error ends the connection.
async fn answer(request: Request<Incoming>, shared: &Shared) -> Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let exchange = Exchange::new(head.method.as_str(), head.uri.path(), &body);
    let faults = shared.rules().next(exchange.resource);
    let number = shared.journal().note(exchange);
    let made_up = before(&faults).await?;
    let mut reply = match made_up {
        Some(reply) => reply,
        None => shared.ca.exchange(Request::from_parts(head, Full::new(body))).await?,
    };
    for fault in &faults {
        match fault {
            Fault::Change(change) => change(&mut reply),
            Fault::Swap(other) => swap(&mut reply, shared.journal().last_answer(*other)),
            _ => {}
        }
    }
    shared.journal().answered(number, &reply);
    after(reply, &faults, shared)
}

/// Applies the faults of a request; returns a response if the CA must not be asked.
async fn before(faults: &[Fault]) -> Result<Option<Reply>> {
    let mut made_up = None;
    for fault in faults {
        match fault {
            Fault::Answer(reply) => made_up = Some(reply.clone()),
            Fault::Delay(delay) => tokio::time::sleep(*delay).await,
            Fault::ResetBefore => bail!("reset before the CA was asked"),
            Fault::Stall => std::future::pending().await,
            _ => {}
        }
    }
    Ok(made_up)
}

/// Replaces the response by an older one, with this one's nonce: the older one's is spent.
fn swap(reply: &mut Reply, other: Option<Reply>) {
    let Some(mut other) = other else { return };
    match reply.headers.remove("replay-nonce") {
        Some(nonce) => drop(other.headers.insert("replay-nonce", nonce)),
        None => drop(other.headers.remove("replay-nonce")),
    }
    *reply = other;
}

/// Applies the faults of a response.
fn after(reply: Reply, faults: &[Fault], shared: &Shared) -> Result<Response<Body>> {
    let Reply { status, mut headers, body } = reply;
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::TRANSFER_ENCODING);
    let mut response = Response::builder().status(status);
    response.headers_mut().context("a response of ours")?.extend(headers);
    let way =
        faults.iter().find(|fault| matches!(fault, Fault::Cut | Fault::Drip | Fault::Endless | Fault::ResetAfter));
    Ok(match way {
        Some(Fault::Cut) => response.header(header::CONTENT_LENGTH, body.len()).body(body::cut(&body))?,
        Some(Fault::Drip) => response.header(header::CONTENT_LENGTH, body.len()).body(body::drip(body))?,
        Some(Fault::Endless) => response.body(body::endless(&body, shared.endless_bytes.clone()))?,
        Some(_) => bail!("reset after the CA was asked"),
        None => response.body(body::whole(body))?,
    })
}

fn acceptor(authority: &Authority) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(&authority.certificate)?.collect::<Result<Vec<_>, _>>()?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, PrivateKeyDer::from_pem_file(&authority.key)?)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
