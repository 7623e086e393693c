//! The reason why a query has no answer.

use std::fmt;

use config::shortened;
use hickory_resolver::proto::rr::Name;

/// Maximum number of names of a CNAME chain in an error.
const MAX_SHOWN: usize = 8;

/// The reason why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// A CNAME loop.
    Loop(Vec<Name>),
    /// An invalid DNS name.
    Name(String),
    /// A zone without name servers.
    NoNameServers(Name),
    /// A name without a zone, at it or above.
    NoZone(Name),
    /// No recursive servers are configured.
    System(String),
    /// A CNAME chain that is too long.
    TooLong(Vec<Name>),
    /// A failure of every recursive server.
    Unanswered {
        /// The type and name of the query.
        question: String,
        /// The servers, each with its failure.
        servers: String,
    },
    /// A recursive server's name without an address.
    UnknownServer {
        /// The server as configured.
        server: String,
        /// The system's error.
        why: String,
    },
}

impl LookupError {
    /// True if the queried servers are the reason, rather than the content of the DNS.
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

/// The chain for a message, without its middle if it is long.
fn arrows(chain: &[Name]) -> String {
    let text = |names: &[Name]| names.iter().map(Name::to_string).collect::<Vec<_>>().join(" -> ");
    if chain.len() <= MAX_SHOWN {
        return text(chain);
    }
    let (start, end) = (&chain[..MAX_SHOWN / 2], &chain[chain.len() - MAX_SHOWN / 2..]);
    format!("{} -> … -> {}", text(start), text(end))
}
