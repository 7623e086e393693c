//! The name servers that a request may name: any on the DNS port, and those of the sidecar's own configuration.
//!
//! A request can direct queries to port 53 of any host in any case, by a domain of its author's. Other ports must not
//! be reachable: their responses and refusals would reveal the services behind them.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// The port of DNS.
pub(super) const PORT: u16 = 53;

/// Name servers that requests may name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServers {
    ports: [u16; 2],
    named: BTreeSet<String>,
}

impl Default for NameServers {
    fn default() -> Self {
        Self::new(PORT, [])
    }
}

impl NameServers {
    /// Allows servers on port 53 and on this one, and the named ones, `host:port` each.
    pub fn new(port: u16, named: impl IntoIterator<Item = String>) -> Self {
        Self { ports: [PORT, port], named: named.into_iter().map(|server| server.to_ascii_lowercase()).collect() }
    }

    /// True if this server may be asked: `host`, `host:port`, or an address.
    pub fn allow(&self, server: &str) -> bool {
        let port = port(server);
        port.is_some_and(|port| self.ports.contains(&port)) || self.named.contains(&server.to_ascii_lowercase())
    }
}

/// The server's port, as [`super::lookup`] parses it.
fn port(server: &str) -> Option<u16> {
    if let Ok(address) = server.parse::<SocketAddr>() {
        return Some(address.port());
    }
    if server.parse::<IpAddr>().is_ok() {
        return Some(PORT);
    }
    server.rsplit_once(':').map_or(Some(PORT), |(_, port)| port.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_server_of_dns_may_be_asked_and_others_when_they_are_named() {
        let servers = NameServers::new(5353, ["Ns.Example:8053".to_owned(), "[::1]:54".to_owned()]);
        for server in [
            "1.1.1.1",
            "1.1.1.1:53",
            "2606:4700::1111",
            "[2606:4700::1111]:53",
            "ns.example",
            "ns.example:53",
            "10.0.0.1:5353",
            "ns.example:8053",
            "[::1]:54",
        ] {
            assert!(servers.allow(server), "{server}");
        }
        for server in
            ["10.0.0.1:6379", "ns.example:80", "other.example:8053", "[::1]:80", "ns.example:", "a:b", "a:99999"]
        {
            assert!(!servers.allow(server), "{server}");
        }
        assert!(!NameServers::default().allow("10.0.0.1:5353"));
    }
}
