//! The least that RFC 8555 needs: a client that stores nothing, retries nothing and waits only for the CA.
//!
//! The client answers HTTP-01 itself, on the port where Envoy listens otherwise.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use acme::AccountKey;
use acme::jws::KeyName;
use anyhow::{Context, Result, ensure};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use harness::{Pebble, Place};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper::{Method, Request};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Interval at which the CA's progress is polled.
const PAUSE: Duration = Duration::from_millis(5);

/// Time to get a certificate for each of the names, with this many orders in flight.
pub(crate) fn issue_all(place: &Place, pebble: &Pebble, names: &[String], in_flight: usize) -> Result<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let key = AccountKey::from_pkcs8(&key.serialize_der()).map_err(|_| anyhow::anyhow!("an unusable key"))?;
    runtime.block_on(async {
        let listener = TcpListener::bind(place.web_address()).await?;
        let answers = tokio::spawn(answer_challenges(listener, key.thumbprint().to_owned()));
        let started = Instant::now();
        let queue: Mutex<VecDeque<&String>> = Mutex::new(names.iter().collect());
        let client = Arc::new(Client::register(pebble, key).await?);
        let worker = async || -> Result<()> {
            let mut connection = Connection::open(pebble).await?;
            loop {
                let name = queue.lock().map_err(|_| anyhow::anyhow!("a worker panicked"))?.pop_front();
                let Some(name) = name else { return Ok(()) };
                client.issue(&mut connection, name).await.with_context(|| name.clone())?;
            }
        };
        futures::future::try_join_all((0..in_flight).map(|_| worker())).await?;
        answers.abort();
        Ok(started.elapsed())
    })
}

/// Answers every token: the key authorization is the token and the key's thumbprint (RFC 8555 §8.1).
async fn answer_challenges(listener: TcpListener, thumbprint: String) -> Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        let thumbprint = thumbprint.clone();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            let length = stream.read(&mut request).await.unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..length]).into_owned();
            let token = text.split(' ').nth(1).and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            let body = format!("{token}.{thumbprint}");
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        });
    }
}

struct Client {
    key: AccountKey,
    kid: String,
    new_order: String,
}

impl Client {
    async fn register(pebble: &Pebble, key: AccountKey) -> Result<Self> {
        let mut connection = Connection::open(pebble).await?;
        let directory = connection.send(Method::GET, &pebble.directory(), Vec::new()).await?.json()?;
        let url = |name: &str| directory[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
        connection.send(Method::HEAD, &url("newNonce")?, Vec::new()).await?;
        let account = json!({"termsOfServiceAgreed": true});
        let answer = connection.signed(&key, KeyName::Jwk, &url("newAccount")?, Some(&account)).await?;
        Ok(Self { key, kid: answer.location()?, new_order: url("newOrder")? })
    }

    async fn issue(&self, connection: &mut Connection, name: &str) -> Result<()> {
        if connection.nonce.is_none() {
            let new_nonce = self.new_order.replace("/order-plz", "/nonce-plz");
            connection.send(Method::HEAD, &new_nonce, Vec::new()).await?;
        }
        let order = json!({"identifiers": [{"type": "dns", "value": name}]});
        let answer = self.post(connection, &self.new_order, Some(&order)).await?;
        let order_url = answer.location()?;
        let order = answer.json()?;
        let authorization_url = text(&order["authorizations"][0])?;
        let authorization = self.post(connection, &authorization_url, None).await?.json()?;
        let challenges = authorization["challenges"].as_array().context("no challenges")?;
        let challenge = challenges.iter().find(|challenge| challenge["type"] == "http-01").context("no http-01")?;
        self.post(connection, &text(&challenge["url"])?, Some(&json!({}))).await?;
        self.wait_for(connection, &authorization_url).await?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let csr = CertificateParams::new(vec![name.to_owned()])?.serialize_request(&key)?;
        let csr = json!({"csr": URL_SAFE_NO_PAD.encode(csr.der())});
        self.post(connection, &text(&order["finalize"])?, Some(&csr)).await?;
        let order = self.wait_for(connection, &order_url).await?;
        self.post(connection, &text(&order["certificate"])?, None).await?;
        Ok(())
    }

    async fn wait_for(&self, connection: &mut Connection, url: &str) -> Result<Value> {
        loop {
            tokio::time::sleep(PAUSE).await;
            let state = self.post(connection, url, None).await?.json()?;
            match state["status"].as_str() {
                Some("valid") => return Ok(state),
                Some("pending" | "processing" | "ready") => {}
                other => anyhow::bail!("{url} is {other:?}"),
            }
        }
    }

    async fn post(&self, connection: &mut Connection, url: &str, payload: Option<&Value>) -> Result<Answer> {
        connection.signed(&self.key, KeyName::Kid(&self.kid), url, payload).await
    }
}

/// A kept-alive connection to the CA, with the nonce of its last response.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    nonce: Option<String>,
}

struct Answer {
    headers: hyper::HeaderMap,
    body: Bytes,
}

impl Answer {
    fn json(&self) -> Result<Value> {
        Ok(serde_json::from_slice(&self.body)?)
    }

    fn location(&self) -> Result<String> {
        Ok(self.headers.get("location").context("no Location")?.to_str()?.to_owned())
    }
}

impl Connection {
    async fn open(pebble: &Pebble) -> Result<Self> {
        Ok(Self { sender: pebble.api().connect().await?, nonce: None })
    }

    async fn signed(
        &mut self,
        key: &AccountKey,
        name: KeyName<'_>,
        url: &str,
        payload: Option<&Value>,
    ) -> Result<Answer> {
        let nonce = self.nonce.take().context("no nonce")?;
        let payload = payload.map(Value::to_string);
        let body = key.sign(name, &nonce, url, payload.as_ref().map(String::as_bytes));
        self.send(Method::POST, url, body).await
    }

    async fn send(&mut self, method: Method, url: &str, body: Vec<u8>) -> Result<Answer> {
        let address: SocketAddr = ([127, 0, 0, 1], 0).into();
        let uri: hyper::Uri = url.parse()?;
        let host = uri.authority().map_or_else(|| address.to_string(), ToString::to_string);
        let request = Request::builder()
            .method(method)
            .uri(uri.path())
            .header("host", host)
            .header("user-agent", "envoy-autocert-bench")
            .header("content-type", "application/jose+json")
            .body(Full::new(Bytes::from(body)))?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        ensure!(head.status.is_success(), "{url}: {} {}", head.status, String::from_utf8_lossy(&body));
        self.nonce = head.headers.get("replay-nonce").and_then(|nonce| nonce.to_str().ok()).map(str::to_owned);
        Ok(Answer { headers: head.headers, body })
    }
}

fn text(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("a text was expected, not {value}"))
}
