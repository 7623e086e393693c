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

/// The path of a challenge, since the plugin sees no other requests. The token has a valid length and belongs to no
/// challenge.
const PATH: &str = "/.well-known/acme-challenge/envoy-autocert-watchdog";
/// The timeout of a request. Envoy creates a virtual machine in less than a second.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Returns whether the request was answered, with any status.
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
    // The body is ignored: dropping it and the sender closes the connection.
    let answer = async move { sender.send_request(request).await.map(drop) };
    let (answer, _) = tokio::join!(answer, connection);
    answer.ok()
}
