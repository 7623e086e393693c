//! Crowds of idle connections at the sidecar's sockets: a client that sends a request is answered beside them.

#![allow(clippy::disallowed_methods, reason = "what is tested runs by the clock of the machine, and so does the test")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "all/harness/mod.rs"]
mod harness;

use std::net::SocketAddr;
use std::time::Duration;

use harness::{Client, Home};
use protocol::path;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

/// More connections than there are slots.
const CROWD: usize = 1500;
/// The time within which an answer must come.
const SOON: Duration = Duration::from_secs(20);
const TOKEN: &str = "0123456789abcdef-token";

/// Both ends of each connection are in this process.
fn room_for_a_crowd() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
    assert!(
        limit.maximum.is_none_or(|most| most > 2 * CROWD as u64 + 200),
        "too few descriptors for this test: {limit:?}"
    );
}

fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Opens many connections that send this text and nothing more.
async fn crowd(address: SocketAddr, said: &str) -> Vec<TcpStream> {
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        let mut stream = timeout(SOON, TcpStream::connect(address)).await.unwrap().unwrap();
        // Some have been sent away by the time.
        let _ = stream.write_all(said.as_bytes()).await;
        crowd.push(stream);
    }
    crowd
}

async fn status_of(client: &Client, path: &str) -> u16 {
    timeout(SOON, client.get(path)).await.unwrap_or_else(|_| panic!("{path} is not answered")).status
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_over_tcp_is_there_beside_a_crowd() {
    room_for_a_crowd();
    let home = Home::new();
    let token = home.path("token");
    std::fs::write(&token, TOKEN).unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let address = free_address();
    let (text, file) = (address.to_string(), token.display().to_string());
    let _sidecar = home.start_with(&["--api-address", &text, "--api-token-file", &file]).await.ok().unwrap();
    let mut client = Client::tcp(address);
    client.token = Some(TOKEN.into());
    for said in ["", "GET /v1/state HTTP/1.1\r\nhost: ", "GET /v1/state HTTP/1.1\r\nhost: a\r\n\r\n"] {
        let _crowd = crowd(address, said).await;
        assert_eq!(status_of(&client, path::STATE).await, 200, "after {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_told_beside_a_crowd() {
    room_for_a_crowd();
    let home = Home::new();
    let address = free_address();
    let _sidecar = home.start_with(&["--status-address", &address.to_string()]).await.ok().unwrap();
    // The last ones ask for much and read nothing of it.
    let greedy = "GET /metrics HTTP/1.1\r\nhost: a\r\n\r\n".repeat(20);
    for said in ["", "GET /healthz HTTP/1.1\r\nhost: ", greedy.as_str()] {
        let _crowd = crowd(address, said).await;
        assert_eq!(status_of(&Client::tcp(address), "/healthz").await, 200, "after {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_over_its_socket_is_there_beside_a_crowd() {
    room_for_a_crowd();
    let home = Home::new();
    let _sidecar = home.start().await;
    let mut crowd = Vec::new();
    for _ in 0..CROWD {
        crowd.push(UnixStream::connect(home.api_socket()).await.unwrap());
    }
    assert_eq!(status_of(&Client::unix(&home.api_socket()), path::STATE).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stranger_is_sent_away_and_the_admitted_stay() {
    let home = Home::new();
    let address = free_address();
    let _sidecar = home.start_with(&["--status-address", &address.to_string()]).await.ok().unwrap();
    let mut stranger = TcpStream::connect(address).await.unwrap();
    let mut admitted = UnixStream::connect(home.api_socket()).await.unwrap();
    let token = Client::unix(&home.api_socket()).token.unwrap();
    ask(&mut admitted, &token).await;
    let gone = timeout(Duration::from_secs(60), stranger.read(&mut [0])).await;
    assert_eq!(gone.unwrap().unwrap(), 0);
    // Longer than an unauthenticated peer may be idle.
    tokio::time::sleep(Duration::from_secs(2)).await;
    ask(&mut admitted, &token).await;
}

/// Asks over a connection that is kept.
async fn ask(stream: &mut UnixStream, token: &str) {
    let request = format!("GET /v1/state HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64 * 1024];
    let length = timeout(SOON, stream.read(&mut answer)).await.unwrap().unwrap();
    assert!(answer[..length].starts_with(b"HTTP/1.1 200"));
}
