//! A stand-in for the engine: a test holds the lease, and publishes the engine's data.

use anyhow::{Context, Result, ensure};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Method, Request};
use serde_json::{Value, json};

use crate::http::Endpoint;

/// Path of live TLS-ALPN-01 challenges.
const TLS_ALPN_01: &str = "/v1/challenges/tls-alpn-01";

/// The holder of the lease.
#[derive(Debug)]
pub struct FakeEngine {
    api: Endpoint,
    fence: u64,
}

impl FakeEngine {
    /// Takes the lease; there must be no plugin.
    ///
    /// # Errors
    /// When somebody has it.
    pub fn take(api: Endpoint) -> Result<Self> {
        let mut fake_engine = Self { api, fence: 0 };
        fake_engine.take_over(0)?;
        Ok(fake_engine)
    }

    /// Takes the lease again under a new fence, as a later instance.
    ///
    /// # Errors
    /// When this instance is not later than the one before.
    pub fn take_over(&mut self, epoch: u64) -> Result<()> {
        let lease = json!({ "holder": "stand-in", "epoch": epoch, "ttlMillis": 60_000 });
        let lease = self.send(Method::POST, "/v1/lease", &lease)?;
        ensure!(lease["granted"] == true, "the lease: {lease}");
        self.fence = lease["fence"].as_u64().context("no fence")?;
        Ok(())
    }

    /// Publishes a TLS-ALPN-01 challenge; returns the key authorization, whose hash the certificate holds.
    ///
    /// # Errors
    /// When it is not ready.
    pub fn publish(&self, number: u32, host: &str) -> Result<String> {
        let token = token(number);
        let key_authorization = format!("{token}.{}", "t".repeat(43));
        let challenge = json!({
            "token": token, "host": host, "keyAuthorization": key_authorization, "expires": i64::MAX,
        });
        let answer = self.send(Method::PUT, TLS_ALPN_01, &challenge)?;
        ensure!(answer["ready"] == true, "{host}: {answer}");
        Ok(key_authorization)
    }

    /// Withdraws the challenge.
    ///
    /// # Errors
    /// When the sidecar refuses.
    pub fn withdraw(&self, number: u32) -> Result<()> {
        self.send(Method::DELETE, &format!("{TLS_ALPN_01}/{}", token(number)), &Value::Null).map(drop)
    }

    fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "sidecar")
            .header("x-autocert-fence", self.fence)
            .body(Full::new(Bytes::from(body.to_string())))?;
        let reply = self.api.send(request)?;
        ensure!(reply.status < 300, "{path}: {} {}", reply.status, reply.text());
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }
}

fn token(number: u32) -> String {
    format!("{number:0>32}")
}
