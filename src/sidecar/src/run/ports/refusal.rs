//! Reasons why Envoy can't listen on a port, and their remedies.

use std::{fmt, fs};

use super::port::Port;
use crate::holder::{Holder, OURS};

/// The file with the first port that needs no right.
const FIRST_FREE: &str = "/proc/sys/net/ipv4/ip_unprivileged_port_start";

/// A port that Envoy can't listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The port.
    pub port: Port,
    /// The reason.
    pub why: Why,
}

/// Reasons why Envoy can't listen on a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The address is none of this machine's.
    Elsewhere,
    /// The user lacks the right.
    Forbidden {
        /// The first port that needs no right.
        below: u16,
    },
    /// The machine has no IPv6.
    NoIpv6,
    /// Another reason, in the system's words.
    Other(String),
    /// A process listens on the port already.
    Taken(Holder),
}

impl Refusal {
    /// The process that has the port.
    pub(in crate::run) fn holder(&self) -> Option<u32> {
        match &self.why {
            Why::Taken(Holder::Process(process)) => Some(process.pid),
            _ => None,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Port { entry_point, address, flag, .. } = &self.port;
        let ip = address.ip();
        let port = address.port();
        let entry_point = acme::one_line(entry_point);
        write!(f, "{address} (entry point {entry_point}): ")?;
        let another = format!("name another address by {}", acme::one_line(flag));
        match &self.why {
            Why::Taken(Holder::Process(process)) => {
                let who = match &process.parent {
                    Some((pid, name)) if name == OURS => format!("{name} (pid {pid})"),
                    _ => format!("{} (pid {})", process.name, process.pid),
                };
                write!(f, "port {port} is in use by {process}: end {who}, or {another}")
            }
            Why::Taken(holder) => write!(f, "port {port} is in use by {holder}: end that one, or {another}"),
            Why::Elsewhere => write!(f, "{ip} is no address of this machine (`ip address` lists those): {another}"),
            Why::Forbidden { below } => {
                let uid = rustix::process::geteuid().as_raw();
                if port < *below {
                    write!(f, "the user {uid} may not listen on ports below {below}")
                } else {
                    write!(f, "a policy of this system, such as SELinux's, keeps the user {uid} from listening there")
                }
            }
            Why::NoIpv6 => write!(f, "this machine has no IPv6: {another}, as in 0.0.0.0:{port}"),
            Why::Other(said) => write!(f, "Envoy can't listen there: {said}"),
        }
    }
}

/// A line for each port, and one with the remedy if the right to listen is missing.
pub(in crate::run) fn lines(refused: &[Refusal]) -> Vec<String> {
    let lacking = refused.iter().filter_map(|refusal| match refusal.why {
        Why::Forbidden { below } if refusal.port.address.port() < below => Some(refusal.port.address.port()),
        _ => None,
    });
    let remedies = lacking.min().map(remedies);
    refused.iter().map(ToString::to_string).chain(remedies).collect()
}

/// The first port that needs no right; 1024 if it can't be read.
pub(super) fn first_free() -> u16 {
    let first = fs::read_to_string(FIRST_FREE).ok().and_then(|text| text.trim().parse().ok());
    first.unwrap_or(1024)
}

/// The ways to get the right to listen from this port on, the best first.
fn remedies(port: u16) -> String {
    let program = fs::read_link("/proc/self/exe").map_or_else(|_| OURS.to_owned(), |path| path.display().to_string());
    format!(
        "any of these gives it the right: start it as root with --user NAME; in a systemd unit, \
         AmbientCapabilities=CAP_NET_BIND_SERVICE; for whoever starts this program, `setcap cap_net_bind_service=+ep \
         {program}`; for everybody, `sysctl net.ipv4.ip_unprivileged_port_start={port}`"
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;
    use crate::holder::{Process, Protocol};

    const BELOW: Why = Why::Forbidden { below: 1024 };

    fn refusal(port: u16, why: Why) -> Refusal {
        let address = std::net::SocketAddr::from(([0, 0, 0, 0], port));
        let flag = "--https-port PORT".to_owned();
        let port = Port { entry_point: "websecure".into(), address, is_dual: false, protocol: Protocol::Tcp, flag };
        Refusal { port, why }
    }

    #[test]
    fn who_is_to_be_ended_is_the_one_that_would_start_it_again() {
        let mut process = Process { pid: 9, name: "envoy".into(), parent: None, started: 0 };
        let of = |process: &Process| refusal(443, Why::Taken(Holder::Process(process.clone()))).to_string();
        let expected = "0.0.0.0:443 (entry point websecure): port 443 is in use by envoy (pid 9): end envoy (pid 9), or \
                        name another address by --https-port PORT";
        assert_eq!(of(&process), expected);
        process.parent = Some((7, OURS.to_owned()));
        assert!(
            of(&process).contains("by envoy (pid 9), which envoy-autocert (pid 7) started: end envoy-autocert (pid 7)")
        );
    }

    #[test]
    fn a_lacking_right_is_told_once_with_what_gives_it() {
        let told = lines(&[refusal(443, BELOW), refusal(80, BELOW)]);
        assert_eq!(told.len(), 3, "{told:?}");
        assert!(told[0].contains("may not listen on ports below "), "{told:?}");
        for part in ["--user NAME", "AmbientCapabilities=CAP_NET_BIND_SERVICE", "setcap cap_net_bind_service=+ep /"] {
            assert!(told[2].contains(part), "{part}: {told:?}");
        }
        assert!(told[2].contains("ip_unprivileged_port_start=80`"), "{told:?}");
        assert_eq!(lines(&[refusal(80, Why::Elsewhere)]).len(), 1);
        let [policy] = &lines(&[refusal(8080, BELOW)])[..] else { panic!("another right would not help") };
        assert!(policy.contains("SELinux"), "{policy}");
    }
}
