//! A single query to one server (RFC 1035 §4.2, RFC 6891, RFC 7766): UDP, and TCP if the response is truncated.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::tcp::TcpClientStream;
use hickory_resolver::net::udp::UdpClientStream;
use hickory_resolver::net::xfer::DnsRequestSender;
use hickory_resolver::net::{DnsHandle, NetError};
use hickory_resolver::proto::op::{DnsRequest, DnsRequestOptions, DnsResponse, Message, Query};
use hickory_resolver::proto::rr::{Name, RecordType};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Timeout of one server, for UDP and for TCP each: as long as a recursive server may take to ask others.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Time after which a datagram counts as lost, and is sent again.
const RETRANSMIT: Duration = Duration::from_secs(1);
/// Maximum number of concurrent queries: each has a socket.
const MAX_QUESTIONS: usize = 128;

/// A query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The fully qualified name.
    pub name: Name,
    /// The type of the records.
    pub kind: RecordType,
    /// True to request recursion.
    pub recursive: bool,
}

/// Transport of queries to servers.
///
/// The response MUST arrive within a bounded time, and be that server's current one. Dropping the future cancels the
/// query.
pub trait Exchange: Send + Sync {
    /// Sends one query to one server.
    fn ask<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Result<Message, Unanswered>>;
}

/// The network of this machine.
pub struct Network {
    questions: Semaphore,
}

impl Default for Network {
    fn default() -> Self {
        Self { questions: Semaphore::new(MAX_QUESTIONS) }
    }
}

impl Exchange for Network {
    fn ask<'a>(&'a self, server: SocketAddr, question: &'a Question) -> BoxFuture<'a, Result<Message, Unanswered>> {
        Box::pin(async move {
            // The semaphore is never closed.
            let _permit = self.questions.acquire().await;
            let answer = over_udp(server, request(question)).await?;
            if !answer.metadata.truncation {
                return Ok(answer.into());
            }
            let answer = timeout(TIMEOUT, over_tcp(server, request(question))).await;
            Ok(answer.map_err(|_| Unanswered::Timeout)??.into())
        })
    }
}

fn request(question: &Question) -> DnsRequest {
    let mut options = DnsRequestOptions::default();
    options.recursion_desired = question.recursive;
    options.retry_interval = RETRANSMIT;
    DnsRequest::from_query(Query::query(question.name.clone(), question.kind), options)
}

async fn over_udp(server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, Unanswered> {
    let stream = UdpClientStream::builder(server, TokioRuntimeProvider::new()).with_timeout(Some(TIMEOUT));
    let mut stream = stream.with_os_port_selection(true).build();
    let mut answers = stream.send_message(request);
    Ok(answers.next().await.ok_or(Unanswered::Timeout)??)
}

async fn over_tcp(server: SocketAddr, request: DnsRequest) -> Result<DnsResponse, Unanswered> {
    // Holds the task that reads the connection; dropping it ends the task.
    let runtime = TokioRuntimeProvider::new();
    let connection = TcpClientStream::exchange(server, None, TIMEOUT, None, runtime.clone()).await?;
    let mut answers = connection.send(request);
    Ok(answers.next().await.ok_or(Unanswered::Timeout)??)
}

/// The reason why a server gave no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// A system error in sending or receiving.
    Io(String),
    /// A malformed response.
    Malformed,
    /// No route to the address, as with IPv6 on a machine that has IPv4 alone.
    NoRoute,
    /// No response in time.
    Timeout,
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => f.write_str(why),
            Self::Malformed => f.write_str("an answer that can't be read"),
            Self::NoRoute => f.write_str("no route to it from here"),
            Self::Timeout => f.write_str("no answer"),
        }
    }
}

impl From<NetError> for Unanswered {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Timeout => Self::Timeout,
            NetError::Io(error) => match error.kind() {
                io::ErrorKind::AddrNotAvailable
                | io::ErrorKind::HostUnreachable
                | io::ErrorKind::NetworkUnreachable
                | io::ErrorKind::Unsupported => Self::NoRoute,
                io::ErrorKind::TimedOut => Self::Timeout,
                kind => Self::Io(kind.to_string()),
            },
            _ => Self::Malformed,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::Ipv4Addr;

    use hickory_resolver::proto::op::{MessageType, ResponseCode};
    use hickory_resolver::proto::rr::{RData, Record, rdata::TXT};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};

    use super::*;

    /// A response with this many TXT records of 200 bytes; over UDP it is truncated to the client's size.
    fn answer(request: &[u8], records: usize, is_udp: bool) -> Vec<u8> {
        let request = Message::from_vec(request).unwrap();
        let mut answer = Message::new(request.id, MessageType::Response, request.op_code);
        answer.add_queries(request.queries.clone());
        answer.metadata.authoritative = !request.recursion_desired;
        let name = request.queries[0].name().clone();
        let text = RData::TXT(TXT::new(vec!["x".repeat(200)]));
        answer.add_answers((0..records).map(|_| Record::from_rdata(name.clone(), 60, text.clone())));
        let whole = answer.to_vec().unwrap();
        if is_udp && whole.len() > usize::from(request.max_payload()) {
            answer.truncate().to_vec().unwrap()
        } else {
            whole
        }
    }

    /// A server on UDP and TCP whose responses have this many records.
    async fn serve(records: usize) -> SocketAddr {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            // The same port may be in use on UDP.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = tcp.local_addr().unwrap();
        tokio::spawn(async move {
            let mut request = [0; 4096];
            loop {
                let (length, client) = udp.recv_from(&mut request).await.unwrap();
                udp.send_to(&answer(&request[..length], records, true), client).await.unwrap();
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let length = stream.read_u16().await.unwrap();
                let mut request = vec![0; usize::from(length)];
                stream.read_exact(&mut request).await.unwrap();
                let answer = answer(&request, records, false);
                stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
                stream.write_all(&answer).await.unwrap();
            }
        });
        address
    }

    fn question(recursive: bool) -> Question {
        Question { name: Name::from_ascii("_acme-challenge.a.example.").unwrap(), kind: RecordType::TXT, recursive }
    }

    #[tokio::test]
    async fn a_short_answer_comes_in_one_datagram() {
        let server = serve(1).await;
        let answer = Network::default().ask(server, &question(false)).await.unwrap();
        assert_eq!((answer.answers.len(), answer.metadata.response_code), (1, ResponseCode::NoError));
        assert!(answer.metadata.authoritative, "recursion was asked for");
        let answer = Network::default().ask(server, &question(true)).await.unwrap();
        assert!(!answer.metadata.authoritative, "recursion was not asked for");
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_is_fetched_whole() {
        let server = serve(50).await;
        let answer = Network::default().ask(server, &question(false)).await.unwrap();
        assert_eq!((answer.answers.len(), answer.metadata.truncation), (50, false));
    }

    #[test]
    fn an_address_without_a_route_is_told_apart() {
        let of = |kind: io::ErrorKind| Unanswered::from(NetError::from(io::Error::from(kind)));
        assert_eq!(of(io::ErrorKind::NetworkUnreachable), Unanswered::NoRoute);
        assert_eq!(of(io::ErrorKind::TimedOut), Unanswered::Timeout);
        assert_eq!(of(io::ErrorKind::ConnectionRefused), Unanswered::Io("connection refused".into()));
    }
}
