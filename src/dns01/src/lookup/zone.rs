//! Zones: the apex of a name's zone, and the zone's servers.

use std::net::SocketAddr;

use futures::future::join_all;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{Lookup, LookupError};

/// Maximum number of name servers of a zone to ask: as many as the root has.
pub(super) const MAX_NAME_SERVERS: usize = 13;
/// Maximum number of addresses per family to try for one name server.
const MAX_ADDRESSES: usize = 2;

/// A name server of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NameServer {
    pub(super) host: Name,
    /// The server's addresses in the order of attempts: IPv4 first, which most machines have.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Lookup {
    /// The zone of a name: the nearest name at it or above that has a SOA.
    ///
    /// # Errors
    /// If there is none, or if no recursive server answers.
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

    /// The servers of a zone, sorted by name.
    ///
    /// # Errors
    /// If the zone has none, or if no recursive server answers.
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

    /// Resolves a name server; one without an address is kept, so that its failure is reported.
    async fn name_server(&self, host: Name) -> NameServer {
        let (v4, v6) = tokio::join!(self.ask(&host, RecordType::A), self.ask(&host, RecordType::AAAA));
        let addresses = [v4, v6].into_iter().flatten().flat_map(|answer| addresses(&answer));
        NameServer { host, addresses: addresses.map(|ip| SocketAddr::new(ip, self.port)).collect() }
    }
}

/// True if the name is a zone's apex. A CNAME is never at an apex: an SOA behind one belongs to another name.
fn is_apex(answer: &Message, name: &Name) -> bool {
    let has = |kind| answer.answers.iter().any(|record| record.record_type() == kind && record.name == *name);
    has(RecordType::SOA) && !has(RecordType::CNAME)
}

fn addresses(answer: &Message) -> Vec<std::net::IpAddr> {
    answer.answers.iter().filter_map(|record| record.data.ip_addr()).take(MAX_ADDRESSES).collect()
}
