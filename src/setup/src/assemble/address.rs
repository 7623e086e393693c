//! Hosts and ports.

use std::net::{IpAddr, Ipv4Addr};

/// Splits `host:port`, `[v6]:port` or `:port`; the brackets are dropped.
pub(super) fn host_and_port(text: &str) -> Option<(&str, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    // Go's parser accepts no sign either.
    let is_number = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = if is_number { port.parse().ok().filter(|port| *port > 0)? } else { return None };
    Some((host, port))
}

/// The address for a listener on this host: any IPv4 address if there is no host.
pub(super) fn listening(host: &str) -> Option<String> {
    match host {
        "" => Some(Ipv4Addr::UNSPECIFIED.to_string()),
        "localhost" => Some(Ipv4Addr::LOCALHOST.to_string()),
        host => host.parse::<IpAddr>().ok().map(|address| address.to_string()),
    }
}

/// True for a host that can be resolved: a DNS name, also of one label and with underscores, or an IP address.
pub(super) fn is_host(host: &str) -> bool {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    host.parse::<IpAddr>().is_ok() || ((1..=253).contains(&host.len()) && host.bytes().all(is_name))
}
