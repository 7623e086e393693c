//! The TXT records that servers return for a name.

use std::fmt;
use std::net::SocketAddr;

use futures::future::join_all;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::exchange::{Question, Unanswered};
use super::{Lookup, LookupError, NameServer};

/// The answer of one server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TxtAnswer {
    /// An error code: the server refuses, or has failed.
    Code(ResponseCode),
    /// The name server's own name has no address.
    NoAddress,
    /// The name exists without TXT records.
    NoRecord,
    /// The name does not exist.
    NoSuchName,
    /// The server does not have the zone, although the zone delegates to it.
    NotAuthoritative,
    /// TXT records, each with its strings concatenated.
    Records(Vec<String>),
    /// No response.
    Unanswered(Unanswered),
}

impl TxtAnswer {
    /// The TXT records in the answer.
    pub(crate) fn records(&self) -> &[String] {
        match self {
            Self::Records(records) => records,
            _ => &[],
        }
    }
}

impl fmt::Display for TxtAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(refusal) => f.write_str(&code(*refusal)),
            Self::NoAddress => f.write_str("its name has no address"),
            Self::NoRecord => f.write_str("no TXT record"),
            Self::NoSuchName => f.write_str("no such name"),
            Self::NotAuthoritative => f.write_str("it does not have the zone"),
            Self::Records(records) if records.len() == 1 => f.write_str("1 other value"),
            Self::Records(records) => write!(f, "{} other values", records.len()),
            Self::Unanswered(unanswered) => unanswered.fmt(f),
        }
    }
}

/// The answer of one server, with the server's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAnswer {
    /// The server, for messages.
    pub(crate) server: String,
    pub(crate) answer: TxtAnswer,
}

impl fmt::Display for ServerAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.answer)
    }
}

/// The servers without the wanted record. A server without a route from this machine, as with IPv6, is ignored if
/// another one has the record.
pub(crate) fn lacking(answers: Vec<ServerAnswer>, has: impl Fn(&TxtAnswer) -> bool) -> Vec<ServerAnswer> {
    let (having, mut lacking): (Vec<ServerAnswer>, Vec<ServerAnswer>) =
        answers.into_iter().partition(|server| has(&server.answer));
    if !having.is_empty() {
        lacking.retain(|server| server.answer != TxtAnswer::Unanswered(Unanswered::NoRoute));
    }
    lacking
}

impl Lookup {
    /// Asks each of a zone's servers for the TXT records of a name in it. They are asked directly, so no answer comes
    /// from a cache.
    pub(crate) async fn ask_authoritative(&self, servers: &[NameServer], name: &Name) -> Vec<ServerAnswer> {
        join_all(servers.iter().map(|server| self.ask_server(server, name))).await
    }

    /// Asks each recursive server for the TXT records of a name.
    ///
    /// # Errors
    /// If there is no recursive server.
    pub(crate) async fn ask_recursive(&self, name: &Name) -> Result<Vec<ServerAnswer>, LookupError> {
        let answers = self.recursive()?.iter().map(|server| async {
            let answer = self.ask_txt(server.address, name, true).await;
            ServerAnswer { server: server.label.clone(), answer }
        });
        Ok(join_all(answers).await)
    }

    /// Asks a server's addresses in turn; the first one that answers counts.
    async fn ask_server(&self, server: &NameServer, name: &Name) -> ServerAnswer {
        let mut last = ServerAnswer { server: server.host.to_string(), answer: TxtAnswer::NoAddress };
        for address in &server.addresses {
            let answer = self.ask_txt(*address, name, false).await;
            let is_answer = !matches!(answer, TxtAnswer::Unanswered(_));
            // A timeout says more than an address without a route.
            let says_less = answer == TxtAnswer::Unanswered(Unanswered::NoRoute) && last.answer != TxtAnswer::NoAddress;
            if !says_less {
                last = ServerAnswer { server: format!("{} ({})", server.host, address.ip()), answer };
            }
            if is_answer {
                break;
            }
        }
        last
    }

    async fn ask_txt(&self, server: SocketAddr, name: &Name, recursive: bool) -> TxtAnswer {
        let question = Question { name: name.clone(), kind: RecordType::TXT, recursive };
        match self.exchange.ask(server, &question).await {
            Ok(response) => interpret(&response, recursive),
            Err(unanswered) => TxtAnswer::Unanswered(unanswered),
        }
    }
}

fn interpret(response: &Message, recursive: bool) -> TxtAnswer {
    let records: Vec<String> = response.answers.iter().filter_map(|record| text(&record.data)).collect();
    match response.metadata.response_code {
        ResponseCode::NoError if !records.is_empty() => TxtAnswer::Records(records),
        ResponseCode::NoError | ResponseCode::NXDomain if !recursive && !response.metadata.authoritative => {
            TxtAnswer::NotAuthoritative
        }
        ResponseCode::NoError => TxtAnswer::NoRecord,
        ResponseCode::NXDomain => TxtAnswer::NoSuchName,
        refusal => TxtAnswer::Code(refusal),
    }
}

fn text(data: &RData) -> Option<String> {
    match data {
        RData::TXT(text) => Some(String::from_utf8_lossy(&text.txt_data.concat()).into_owned()),
        _ => None,
    }
}

/// The usual name of a response code (RFC 1035 §4.1.1, RFC 2136 §2.2).
pub(super) fn code(code: ResponseCode) -> String {
    match code {
        ResponseCode::FormErr => "FORMERR".into(),
        ResponseCode::NotAuth => "NOTAUTH".into(),
        ResponseCode::NotImp => "NOTIMP".into(),
        ResponseCode::Refused => "REFUSED".into(),
        ResponseCode::ServFail => "SERVFAIL".into(),
        other => format!("response code {}", u16::from(other)),
    }
}
