//! Recursive servers: those of the configuration, or the system's.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType};
use hickory_resolver::system_conf::parse_resolv_conf;
use tokio::net::lookup_host;
use tokio::time::timeout;

use super::exchange::{Exchange, Question};
use super::server::Server;
use super::txt_answer::code;
use super::{Lookup, LookupError};
use crate::servers::PORT;

/// Path of the system's list of servers.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// Timeout of resolving a recursive server's own name.
const NAME_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum number of recursive servers; further ones are not asked.
pub const MAX_SERVERS: usize = 16;

impl Lookup {
    /// Uses these recursive servers, `host:port` each, or those of the system if there are none. Authoritative servers
    /// are asked on `port`. If there is no server, or a server's name has no address, every query fails and says so.
    pub async fn new(exchange: Arc<dyn Exchange>, resolvers: &[String], port: u16) -> Self {
        let recursive = if resolvers.is_empty() { system().await } else { configured(resolvers).await };
        Self { exchange, recursive, answering: AtomicUsize::new(0), port }
    }

    pub(super) fn recursive(&self) -> Result<&[Server], LookupError> {
        self.recursive.as_deref().map_err(LookupError::clone)
    }

    /// Asks one recursive server after the other until one answers; the absence of a record is an answer.
    pub(super) async fn ask(&self, name: &Name, kind: RecordType) -> Result<Message, LookupError> {
        let question = Question { name: name.clone(), kind, recursive: true };
        let mut failures = String::new();
        let servers = self.recursive()?;
        let first = self.answering.load(Ordering::Relaxed);
        for (place, Server { label, address }) in servers.iter().enumerate().cycle().skip(first).take(servers.len()) {
            let failure = match self.exchange.ask(*address, &question).await {
                Ok(answer) => match answer.metadata.response_code {
                    ResponseCode::NoError | ResponseCode::NXDomain => {
                        self.answering.store(place, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    refusal => code(refusal),
                },
                Err(unanswered) => unanswered.to_string(),
            };
            let separator = if failures.is_empty() { "" } else { "; " };
            // Writing to a String never fails.
            let _ = write!(failures, "{separator}{label}: {failure}");
        }
        Err(LookupError::Unanswered { question: format!("{kind} {name}"), servers: failures })
    }
}

async fn configured(resolvers: &[String]) -> Result<Vec<Server>, LookupError> {
    let mut servers = Vec::new();
    for server in resolvers.iter().take(MAX_SERVERS) {
        servers.push(Server { label: server.clone(), address: address(server).await? });
    }
    Ok(servers)
}

async fn address(server: &str) -> Result<SocketAddr, LookupError> {
    if let Ok(address) = server.parse() {
        return Ok(address);
    }
    if let Ok(ip) = server.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, PORT));
    }
    let unknown = |why: &dyn ToString| LookupError::UnknownServer { server: server.to_owned(), why: why.to_string() };
    let (host, port) = server.rsplit_once(':').unwrap_or((server, "53"));
    let port: u16 = port.parse().map_err(|_| unknown(&"expected host:port"))?;
    match timeout(NAME_TIMEOUT, lookup_host((host, port))).await {
        Ok(Ok(mut addresses)) => addresses.next().ok_or_else(|| unknown(&"it does not exist")),
        Ok(Err(error)) => Err(unknown(&error)),
        Err(_) => Err(unknown(&"no answer")),
    }
}

async fn system() -> Result<Vec<Server>, LookupError> {
    let text = tokio::fs::read(RESOLV_CONF).await.map_err(|error| LookupError::System(error.to_string()))?;
    let (config, _) = parse_resolv_conf(text).map_err(|error| LookupError::System(error.to_string()))?;
    let servers = config.name_servers().iter().take(MAX_SERVERS).map(|server| SocketAddr::new(server.ip, PORT));
    Ok(servers.map(|address| Server { label: address.to_string(), address }).collect())
}
