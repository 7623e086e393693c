//! Addresses of servers, each in one form.

use std::net::IpAddr;

/// A server's listening address, or the address that a client connects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Address {
    /// A unix socket.
    Pipe(String),
    /// A port of a host.
    Tcp(Host, u16),
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Host {
    /// All addresses of this machine.
    Any,
    /// A loopback address of this machine.
    Loopback,
    /// Any other host, by name or IP address.
    Other(String),
}

impl Address {
    /// A unix socket by its path, normalized: `/var/run` becomes `/run`, empty and `.` segments are dropped.
    pub(crate) fn pipe(path: &str) -> Self {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            if part == ".." {
                parts.pop();
            } else {
                parts.push(part);
            }
        }
        if parts.starts_with(&["var", "run"]) {
            parts.remove(0);
        }
        Self::Pipe(parts.join("/"))
    }

    /// A port of a host.
    pub(crate) fn tcp(host: &str, port: u16) -> Self {
        Self::Tcp(Host::of(host), port)
    }

    /// True if a client that connects to this address reaches the server that listens on `listening`.
    pub(crate) fn reaches(&self, listening: &Self) -> bool {
        match (self, listening) {
            // A client that connects to the unspecified address reaches its own machine.
            (Self::Tcp(Host::Loopback | Host::Any, port), Self::Tcp(Host::Loopback | Host::Any, other)) => {
                port == other
            }
            _ => self == listening,
        }
    }
}

impl Host {
    /// Parses a name, or an IP address with or without brackets.
    pub(crate) fn of(host: &str) -> Self {
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        let ip = host.parse::<IpAddr>().map(|ip| ip.to_canonical());
        match ip {
            Ok(ip) if ip.is_loopback() => Self::Loopback,
            Ok(ip) if ip.is_unspecified() => Self::Any,
            _ if host == "localhost" || host.ends_with(".localhost") => Self::Loopback,
            Ok(ip) => Self::Other(ip.to_string()),
            Err(_) => Self::Other(host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_one_path() {
        for path in ["/run/a/api.sock", "/var/run/a/api.sock", "//run/./a//api.sock", "/run/b/../a/api.sock"] {
            assert_eq!(Address::pipe(path), Address::Pipe("run/a/api.sock".into()), "{path}");
        }
        assert_ne!(Address::pipe("/run/a/api.sock"), Address::pipe("/run/a/sds.sock"));
    }

    #[test]
    fn a_machine_is_reached_by_each_of_its_loopback_addresses() {
        let admin = Address::tcp("127.0.0.1", 9901);
        for host in ["127.0.0.1", "127.1.2.3", "localhost", "LOCALHOST.", "::1", "[::1]", "::ffff:127.0.0.1", "0.0.0.0"]
        {
            assert!(Address::tcp(host, 9901).reaches(&admin), "{host}");
        }
        for (host, port) in [("127.0.0.1", 9902), ("10.0.0.1", 9901), ("localhost.example.com", 9901)] {
            assert!(!Address::tcp(host, port).reaches(&admin), "{host}:{port}");
        }
        assert!(Address::tcp("::1", 1).reaches(&Address::tcp("::", 1)));
        assert!(Address::tcp("10.0.0.1", 1).reaches(&Address::tcp("10.0.0.1", 1)));
    }
}
