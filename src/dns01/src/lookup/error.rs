//! Why a question has no answer.

use std::fmt;

use config::shortened;
use hickory_resolver::proto::rr::Name;

/// The most that is told of a chain of CNAMEs.
const MAX_SHOWN: usize = 8;

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// CNAMEs lead back to where they came from.
    Loop(Vec<Name>),
    /// No DNS name.
    Name(String),
    /// A zone has no name servers.
    NoNameServers(Name),
    /// Neither the name nor any above it has a zone.
    NoZone(Name),
    /// There are no recursive servers to ask.
    System(String),
    /// CNAMEs lead further than anybody follows.
    TooLong(Vec<Name>),
    /// Every recursive server failed.
    Unanswered {
        /// The type and name asked for.
        question: String,
        /// Each server, and what it said.
        servers: String,
    },
    /// A recursive server's name has no address.
    UnknownServer {
        /// As it is configured.
        server: String,
        /// What the system says.
        why: String,
    },
}

impl LookupError {
    /// Whether the servers that were asked, and not what the DNS holds, are the reason.
    pub(crate) fn is_of_servers(&self) -> bool {
        match self {
            Self::NoZone(_) | Self::System(_) | Self::Unanswered { .. } | Self::UnknownServer { .. } => true,
            Self::Loop(_) | Self::Name(_) | Self::NoNameServers(_) | Self::TooLong(_) => false,
        }
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loop(chain) => {
                write!(
                    f,
                    "CNAMEs lead in a circle: {}; mend them, or set LEGO_DISABLE_CNAME_SUPPORT=true",
                    arrows(chain)
                )
            }
            Self::Name(name) => write!(f, "{} is no DNS name, or too long for one", shortened(name)),
            Self::NoNameServers(zone) => write!(f, "the zone {zone} has no name servers (NS records)"),
            Self::NoZone(name) => write!(f, "no zone was found for {name}: neither it nor any name above it has a SOA"),
            Self::System(why) => {
                write!(f, "there are no name servers to ask: /etc/resolv.conf: {why}; set dnsChallenge.resolvers")
            }
            Self::TooLong(chain) => {
                write!(f, "{} CNAMEs in a row, which nobody follows: {}", chain.len() - 1, arrows(chain))
            }
            Self::Unanswered { question, servers } => write!(f, "no answer for {question}: {servers}"),
            Self::UnknownServer { server, why } => {
                write!(f, "dnsChallenge.resolvers: {} has no address: {}", shortened(server), shortened(why))
            }
        }
    }
}

impl std::error::Error for LookupError {}

/// The chain, without its middle when it is long.
fn arrows(chain: &[Name]) -> String {
    let text = |names: &[Name]| names.iter().map(Name::to_string).collect::<Vec<_>>().join(" -> ");
    if chain.len() <= MAX_SHOWN {
        return text(chain);
    }
    let (start, end) = (&chain[..MAX_SHOWN / 2], &chain[chain.len() - MAX_SHOWN / 2..]);
    format!("{} -> … -> {}", text(start), text(end))
}
