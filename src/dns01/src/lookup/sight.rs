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
pub(crate) enum Sight {
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

impl Sight {
    /// The TXT records in the answer.
    pub(crate) fn records(&self) -> &[String] {
        match self {
            Self::Records(records) => records,
            _ => &[],
        }
    }
}

impl fmt::Display for Sight {
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
pub(crate) struct Look {
    /// The server, for messages.
    pub(crate) server: String,
    pub(crate) sight: Sight,
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.server, self.sight)
    }
}

/// The servers without the wanted record. A server without a route from this machine, as with IPv6, is ignored if
/// another one has the record.
pub(crate) fn lacking(looks: Vec<Look>, has: impl Fn(&Sight) -> bool) -> Vec<Look> {
    let (having, mut lacking): (Vec<Look>, Vec<Look>) = looks.into_iter().partition(|look| has(&look.sight));
    if !having.is_empty() {
        lacking.retain(|look| look.sight != Sight::Unanswered(Unanswered::NoRoute));
    }
    lacking
}

impl Lookup {
    /// Asks each of a zone's servers for the TXT records of a name in it. They are asked directly, so no answer comes
    /// from a cache.
    pub(crate) async fn look_at(&self, servers: &[NameServer], name: &Name) -> Vec<Look> {
        join_all(servers.iter().map(|server| self.look_at_one(server, name))).await
    }

    /// Asks each recursive server for the TXT records of a name.
    ///
    /// # Errors
    /// If there is no recursive server.
    pub(crate) async fn look_everywhere(&self, name: &Name) -> Result<Vec<Look>, LookupError> {
        let looks = self.recursive()?.iter().map(|server| async {
            let sight = self.look(server.address, name, true).await;
            Look { server: server.label.clone(), sight }
        });
        Ok(join_all(looks).await)
    }

    /// Asks a server's addresses in turn; the first one that answers counts.
    async fn look_at_one(&self, server: &NameServer, name: &Name) -> Look {
        let mut look = Look { server: server.host.to_string(), sight: Sight::NoAddress };
        for address in &server.addresses {
            let sight = self.look(*address, name, false).await;
            let is_answer = !matches!(sight, Sight::Unanswered(_));
            // A timeout says more than an address without a route.
            let tells_less = sight == Sight::Unanswered(Unanswered::NoRoute) && look.sight != Sight::NoAddress;
            if !tells_less {
                look = Look { server: format!("{} ({})", server.host, address.ip()), sight };
            }
            if is_answer {
                break;
            }
        }
        look
    }

    async fn look(&self, server: SocketAddr, name: &Name, recursive: bool) -> Sight {
        let question = Question { name: name.clone(), kind: RecordType::TXT, recursive };
        match self.exchange.ask(server, &question).await {
            Ok(answer) => sight(&answer, recursive),
            Err(unanswered) => Sight::Unanswered(unanswered),
        }
    }
}

fn sight(answer: &Message, recursive: bool) -> Sight {
    let records: Vec<String> = answer.answers.iter().filter_map(|record| text(&record.data)).collect();
    match answer.metadata.response_code {
        ResponseCode::NoError if !records.is_empty() => Sight::Records(records),
        ResponseCode::NoError | ResponseCode::NXDomain if !recursive && !answer.metadata.authoritative => {
            Sight::NotAuthoritative
        }
        ResponseCode::NoError => Sight::NoRecord,
        ResponseCode::NXDomain => Sight::NoSuchName,
        refusal => Sight::Code(refusal),
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
