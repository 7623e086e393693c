//! Listeners without TLS, one of which receives HTTP-01 challenges; and all listeners as entry points.

use std::net::{IpAddr, SocketAddr};

use super::wishes::{NAME, Wishes};
use crate::check::gather::{Envoy, Listener};
use crate::check::listeners::tcp_port;

/// The port of HTTP-01 (RFC 8555 §8.3).
pub(super) const HTTP: u64 = 80;

/// The address of a listener; `None` for a unix socket or a name, which can't be connected to.
pub(super) fn address(listener: &Listener<'_>) -> Option<SocketAddr> {
    let ip: IpAddr = listener.at.text_of("address.socket_address.address")?.parse().ok()?;
    Some(SocketAddr::new(ip, u16::try_from(tcp_port(listener)?).ok()?))
}

/// True if a listener speaks HTTP without TLS.
pub(super) fn speaks_http(listener: &Listener<'_>) -> bool {
    listener.chains.iter().any(|chain| !chain.has_socket && !chain.managers.is_empty())
}

/// The listener that is most likely to receive challenges: one on port 80, or else any that speaks HTTP.
pub(super) fn nearest_to_cas<'c, 'a>(envoy: &'c Envoy<'a>) -> Option<&'c Listener<'a>> {
    let plain = || envoy.listeners.iter().filter(|listener| speaks_http(listener));
    plain().find(|listener| tcp_port(listener) == Some(HTTP)).or_else(|| plain().next())
}

/// A listener as an entry point: its name, or else one made of its port, and its address as Traefik writes it.
pub(super) fn entry_point(listener: &Listener<'_>) -> (String, String) {
    let port = tcp_port(listener).unwrap_or_default();
    let name = if listener.name.is_empty() { format!("port-{port}") } else { listener.name.to_owned() };
    (name, address(listener).map_or_else(|| format!(":{port}"), |address| address.to_string()))
}

/// All listeners that have a port, and the one to be added.
pub(super) fn entry_points(envoy: &Envoy<'_>, wishes: &Wishes) -> Vec<(String, String)> {
    let listening = envoy.listeners.iter().filter(|listener| tcp_port(listener).is_some_and(|port| port != 0));
    let mut points: Vec<(String, String)> = listening.map(entry_point).collect();
    if let Some(port) = wishes.add_https {
        points.push((NAME.to_owned(), format!(":{port}")));
    }
    points
}
