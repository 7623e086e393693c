//! A small acme-dns: accounts by HTTP, their TXT records by DNS.
//!
//! `POST /register` returns an account and the name of its record; `POST /update` with the account's user and key sets
//! one of the two values that the record keeps: <https://github.com/joohoi/acme-dns>. The server is also the DNS of the
//! zone in which the owner is to set the alias.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hyper::http::request::Parts;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::background::Background;
use crate::ports;

/// Number of values that a record keeps: that of a name and that of its wildcard.
const VALUES: usize = 2;

/// Number of aliases followed.
const MOST_ALIASES: usize = 8;

/// A running server.
#[derive(Debug)]
pub struct AcmeDns {
    _http: Background,
    _dns: Background,
    api: SocketAddr,
    address: SocketAddr,
    shared: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    zones: Vec<String>,
    /// Keys by subdomain. The user's name is the subdomain with `user-` before it.
    accounts: BTreeMap<String, String>,
    texts: BTreeMap<String, Vec<String>>,
    aliases: BTreeMap<String, String>,
}

impl AcmeDns {
    /// The zone of the accounts' records.
    pub const ZONE: &str = "auth.acme-dns.test";

    /// Prefix of each account's key, so that a test can look for it in logs.
    pub const KEY: &str = "nobody-may-ever-see-the-key-of";

    /// Starts it, with the zone of a user.
    ///
    /// # Errors
    /// When the server can't listen.
    pub fn start(zone: &str) -> Result<Self> {
        let state = State { zones: vec![Self::ZONE.to_owned(), zone.to_owned()], ..State::default() };
        let shared = Arc::new(Mutex::new(state));
        let of_http = shared.clone();
        let (http, api) = Background::serve(move |head, body| Ok(locked(&of_http).http(head, body)))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()?));
        let udp = std::net::UdpSocket::bind(address)?;
        let tcp = std::net::TcpListener::bind(address)?;
        udp.set_nonblocking(true)?;
        tcp.set_nonblocking(true)?;
        let of_dns = shared.clone();
        let dns = Background::run(async move {
            let udp = UdpSocket::from_std(udp)?;
            let tcp = TcpListener::from_std(tcp)?;
            tokio::try_join!(by_udp(&udp, &of_dns), by_tcp(&tcp, &of_dns)).map(drop)
        })?;
        Ok(Self { _http: http, _dns: dns, api, address, shared })
    }

    /// lego's variables for it, with the file for accounts.
    pub fn environment(&self, storage: &Path) -> Vec<(String, String)> {
        let variables = [
            ("ACME_DNS_API_BASE", format!("http://{}", self.api)),
            ("ACME_DNS_STORAGE_PATH", storage.display().to_string()),
        ];
        variables.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// The DNS server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes a name an alias of another one.
    pub fn alias(&self, name: &str, target: &str) {
        locked(&self.shared).aliases.insert(name.to_owned(), target.to_owned());
    }

    /// The names of the accounts' records.
    pub fn accounts(&self) -> Vec<String> {
        locked(&self.shared).accounts.keys().map(|subdomain| format!("{subdomain}.{}", Self::ZONE)).collect()
    }
}

impl State {
    fn http(&mut self, head: &Parts, body: &Value) -> (u16, Value) {
        match head.uri.path() {
            "/register" => self.register(),
            "/update" => self.update(head, body),
            _ => (404, json!({ "error": "not_found" })),
        }
    }

    fn register(&mut self) -> (u16, Value) {
        let subdomain = format!("account-{}", self.accounts.len() + 1);
        let key = format!("{}-{subdomain}", AcmeDns::KEY);
        self.accounts.insert(subdomain.clone(), key.clone());
        let account = json!({
            "username": format!("user-{subdomain}"),
            "password": key,
            "fulldomain": format!("{subdomain}.{}", AcmeDns::ZONE),
            "subdomain": subdomain,
            "allowfrom": [],
        });
        (201, account)
    }

    fn update(&mut self, head: &Parts, body: &Value) -> (u16, Value) {
        let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (Some(subdomain), Some(text)) = (body["subdomain"].as_str(), body["txt"].as_str()) else {
            return (400, json!({ "error": "malformed_json_payload" }));
        };
        let key = self.accounts.get(subdomain).map(String::as_str);
        if header("x-api-user") != format!("user-{subdomain}") || key != Some(header("x-api-key")) {
            return (401, json!({ "error": "forbidden" }));
        }
        let texts = self.texts.entry(subdomain.to_owned()).or_default();
        texts.push(text.to_owned());
        texts.drain(..texts.len().saturating_sub(VALUES));
        (200, json!({ "txt": text }))
    }

    /// The answer to a question in DNS.
    fn answer(&self, question: &[u8]) -> Result<Vec<u8>> {
        let question = Message::from_vec(question)?;
        let query = question.queries.first().context("no question")?.clone();
        let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
        answer.metadata.authoritative = true;
        answer.metadata.recursion_desired = question.metadata.recursion_desired;
        let mut name = query.name.to_lowercase();
        for _ in 0..MOST_ALIASES {
            let Some(target) = self.aliases.get(plain(&name).as_str()) else { break };
            let target = absolute(target)?;
            answer.add_answer(Record::from_rdata(name, 0, RData::CNAME(CNAME(target.clone()))));
            name = target;
        }
        let found = self.records(&plain(&name), query.query_type)?;
        let missing = found.is_empty();
        answer.add_answers(found.into_iter().map(|data| Record::from_rdata(name.clone(), 0, data)));
        if missing {
            match self.zone(&plain(&name)) {
                Some(zone) => answer.add_authority(Record::from_rdata(absolute(zone)?, 0, authority(zone)?)),
                None => {
                    answer.metadata.response_code = ResponseCode::Refused;
                    &mut answer
                }
            };
        }
        answer.add_query(query);
        Ok(answer.to_vec()?)
    }

    fn records(&self, name: &str, wanted: RecordType) -> Result<Vec<RData>> {
        let is_zone = self.zones.iter().any(|zone| zone == name);
        Ok(match wanted {
            RecordType::SOA if is_zone => vec![authority(name)?],
            RecordType::NS if is_zone => vec![RData::NS(NS(absolute(&format!("ns.{name}"))?))],
            RecordType::A if name.starts_with("ns.") => vec![RData::A(A(Ipv4Addr::LOCALHOST))],
            RecordType::TXT => {
                let subdomain = name.strip_suffix(AcmeDns::ZONE).and_then(|name| name.strip_suffix('.'));
                let texts = subdomain.and_then(|subdomain| self.texts.get(subdomain));
                texts.into_iter().flatten().map(|text| RData::TXT(TXT::new(vec![text.clone()]))).collect()
            }
            _ => Vec::new(),
        })
    }

    fn zone(&self, name: &str) -> Option<&str> {
        let within = |zone: &&String| name == zone.as_str() || name.ends_with(&format!(".{zone}"));
        self.zones.iter().find(within).map(String::as_str)
    }
}

fn authority(zone: &str) -> Result<RData> {
    let primary = absolute(&format!("ns.{zone}"))?;
    let person = absolute(&format!("hostmaster.{zone}"))?;
    Ok(RData::SOA(SOA::new(primary, person, 1, 3600, 3600, 86400, 0)))
}

fn absolute(name: &str) -> Result<Name> {
    Ok(Name::from_ascii(format!("{name}."))?)
}

/// The name in lower case, without the dot at the end.
fn plain(name: &Name) -> String {
    name.to_ascii().trim_end_matches('.').to_owned()
}

async fn by_udp(socket: &UdpSocket, shared: &Mutex<State>) -> Result<()> {
    let mut buffer = vec![0; usize::from(u16::MAX)];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await?;
        let answer = locked(shared).answer(&buffer[..length]);
        if let Ok(answer) = answer {
            socket.send_to(&answer, from).await?;
        }
    }
}

/// Serves one question a connection, with its length before it (RFC 7766).
async fn by_tcp(listener: &TcpListener, shared: &Mutex<State>) -> Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        // An error is a client that disconnected.
        let _ = exchange(stream, shared).await;
    }
}

async fn exchange(mut stream: TcpStream, shared: &Mutex<State>) -> Result<()> {
    let mut question = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut question).await?;
    let answer = locked(shared).answer(&question)?;
    stream.write_u16(u16::try_from(answer.len())?).await?;
    Ok(stream.write_all(&answer).await?)
}

fn locked(shared: &Mutex<State>) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
