//! One request through Envoy, on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A challenge's path, since the plugin sees no other. The token is as long as a token must be, and nobody's.
const PATH: &str = "/.well-known/acme-challenge/envoy-autocert-watchdog";
/// How long it may take. Envoy makes a virtual machine in less than one.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Whether the request was answered, however.
pub(super) async fn send(address: SocketAddr) -> bool {
    timeout(TIMEOUT, exchange(address)).await.is_ok_and(|answered| answered.is_some())
}

async fn exchange(address: SocketAddr) -> Option<()> {
    let stream = TcpStream::connect(address).await.ok()?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
    let request = Request::get(PATH)
        .header(HOST, address.to_string())
        .header(USER_AGENT, concat!("envoy-autocert/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .ok()?;
    // The answer's body is of no interest; without it and the sender the connection ends.
    let answer = async move { sender.send_request(request).await.map(drop) };
    let (answer, _) = tokio::join!(answer, connection);
    answer.ok()
}
