//! Zones: where the one of a name begins, and which servers have it.

use std::net::SocketAddr;

use futures::future::join_all;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{Lookup, LookupError};

/// The most name servers of a zone that are asked: as many as the root has.
pub(super) const MAX_NAME_SERVERS: usize = 13;
/// The most addresses of one family that are tried for one name server.
const MAX_ADDRESSES: usize = 2;

/// A name server of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameServer {
    pub(super) host: Name,
    /// Where it may be reached, in the order in which that is tried: IPv4 first, which most machines have.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Lookup {
    /// The zone of a name: the nearest name above or at it that has a SOA.
    ///
    /// # Errors
    /// When there is none, or no recursive server answers.
    pub async fn zone_of(&self, name: &Name) -> Result<Name, LookupError> {
        let mut here = name.clone();
        while !here.is_root() {
            let answer = self.ask(&here, RecordType::SOA).await?;
            if is_apex(&answer, &here) {
                return Ok(here);
            }
            here = here.base_name();
        }
        Err(LookupError::NoZone(name.clone()))
    }

    /// The servers that have a zone, in the order of their names.
    ///
    /// # Errors
    /// When it has none, or no recursive server answers.
    pub(crate) async fn name_servers(&self, zone: &Name) -> Result<Vec<NameServer>, LookupError> {
        let answer = self.ask(zone, RecordType::NS).await?;
        let mut hosts: Vec<Name> = answer
            .answers
            .iter()
            .filter_map(|record| match &record.data {
                RData::NS(host) if record.name == *zone => Some(host.0.to_lowercase()),
                _ => None,
            })
            .collect();
        hosts.sort();
        hosts.dedup();
        hosts.truncate(MAX_NAME_SERVERS);
        if hosts.is_empty() {
            return Err(LookupError::NoNameServers(zone.clone()));
        }
        Ok(join_all(hosts.into_iter().map(|host| self.name_server(host))).await)
    }

    /// One without an address is asked in vain, and told of.
    async fn name_server(&self, host: Name) -> NameServer {
        let (v4, v6) = tokio::join!(self.ask(&host, RecordType::A), self.ask(&host, RecordType::AAAA));
        let addresses = [v4, v6].into_iter().flatten().flat_map(|answer| addresses(&answer));
        NameServer { host, addresses: addresses.map(|ip| SocketAddr::new(ip, self.port)).collect() }
    }
}

/// A CNAME can't stand where a zone begins: what follows one is about another name.
fn is_apex(answer: &Message, name: &Name) -> bool {
    let has = |kind| answer.answers.iter().any(|record| record.record_type() == kind && record.name == *name);
    has(RecordType::SOA) && !has(RecordType::CNAME)
}

fn addresses(answer: &Message) -> Vec<std::net::IpAddr> {
    answer.answers.iter().filter_map(|record| record.data.ip_addr()).take(MAX_ADDRESSES).collect()
}
