//! Envoy's administration interface, on a unix socket of our own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// The timeout of a request: Envoy answers from memory, so a slower one hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that is read of an answer: statistics of one filter are a few lines.
const MAX_ANSWER: usize = 1024 * 1024;

/// The administration interface of one Envoy.
#[derive(Clone, Debug)]
pub(super) struct Admin {
    socket: PathBuf,
}

impl Admin {
    pub(super) fn new(socket: &Path) -> Self {
        Self { socket: socket.to_owned() }
    }

    /// Returns whether Envoy is ready.
    pub(super) async fn is_ready(&self) -> bool {
        self.ask(Method::GET, "/ready").await.is_some_and(|(status, _)| status == 200)
    }

    /// Drains the listeners: no new connections, and clients of the old ones are asked to leave.
    pub(super) async fn drain(&self) -> bool {
        self.ask(Method::POST, "/drain_listeners?graceful&skip_exit").await.is_some_and(|(status, _)| status == 200)
    }

    /// The value of a statistic; a text without its quotes.
    pub(super) async fn statistic(&self, name: &str) -> Option<String> {
        let all = self.statistics(name).await?;
        all.into_iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    /// The number of requests under way, except those to this interface.
    pub(super) async fn requests(&self) -> Option<u64> {
        let active = self.statistics("downstream_rq_active").await?;
        let others = active.iter().filter(|(name, _)| name.starts_with("http.") && !name.starts_with("http.admin."));
        Some(others.filter_map(|(_, value)| value.parse::<u64>().ok()).sum())
    }

    /// Statistics with this in their names. Dots match any character, so there may be more.
    pub(super) async fn statistics(&self, part: &str) -> Option<Vec<(String, String)>> {
        let (_, text) = self.ask(Method::GET, &format!("/stats?filter={part}")).await?;
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        Some(lines.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect())
    }

    async fn ask(&self, method: Method, path: &str) -> Option<(u16, String)> {
        timeout(PATIENCE, self.exchange(method, path)).await.ok()?
    }

    async fn exchange(&self, method: Method, path: &str) -> Option<(u16, String)> {
        let stream = UnixStream::connect(&self.socket).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request = Request::builder().method(method).uri(path).header("host", "admin");
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        // The connection ends with the answer to its only request.
        tokio::spawn(connection);
        let response = sender.send_request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.ok()?.to_bytes();
        Some((status, String::from_utf8_lossy(&body).into_owned()))
    }
}
