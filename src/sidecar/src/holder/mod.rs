//! The process that listens on an address, found in /proc.
//!
//! Promises: no guess. Where the owner of a socket can't be known, that is said.

mod owner;
mod sockets;

use std::fmt;
use std::net::SocketAddr;

use owner::owners;
pub use owner::{OURS, Process};
use sockets::{Listening, listening};
pub use sockets::{Protocol, overlap};

/// The holder of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A process of this user, which this process may not inspect.
    Hidden {
        /// The user.
        uid: u32,
    },
    /// A known process.
    Process(Process),
    /// No process that the kernel would name: it went away, or is bound without listening.
    Unknown,
}

impl Holder {
    /// The holder of this address: a process whose listening there excludes others. Blocks.
    pub fn of(address: SocketAddr, protocol: Protocol) -> Self {
        let found: Vec<Listening> = listening(protocol).into_iter().filter(|found| found.hinders(address)).collect();
        let inodes: Vec<u64> = found.iter().map(|found| found.inode).collect();
        let owner = owners(&inodes).into_iter().map(|(_, process)| process).min_by_key(|process| process.pid);
        match (owner, found.first()) {
            (Some(process), _) => Self::Process(process),
            (None, Some(found)) => Self::Hidden { uid: found.uid },
            (None, None) => Self::Unknown,
        }
    }

    /// The process at the other end of a unix socket, as the kernel recorded it when it began to listen.
    pub fn at_the_other_end(pid: Option<u32>) -> Self {
        pid.and_then(Process::of).map_or(Self::Unknown, Self::Process)
    }
}

/// Another process than `own` that listens on the very same address, which the kernel allows to processes of one user
/// that ask for it (SO_REUSEPORT). Blocks. `None` if there is none, or it can't be seen.
pub fn sharing(own: u32, address: SocketAddr, protocol: Protocol) -> Option<Process> {
    let inodes: Vec<u64> = listening(protocol)
        .into_iter()
        .filter(|found| found.is_same_family(address) && found.hinders(address))
        .map(|found| found.inode)
        .collect();
    let owners = owners(&inodes);
    let is_seen = owners.iter().any(|(_, process)| process.pid == own);
    let other = owners.into_iter().map(|(_, process)| process).find(|process| process.pid != own);
    other.filter(|_| is_seen)
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hidden { uid } => {
                write!(f, "a process of the user {uid} that this one may not look into (`ss -ltnp` as root names it)")
            }
            Self::Process(process) => process.fmt(f),
            Self::Unknown => f.write_str("a process that the system does not name (`ss -ltnp` as root may)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::{TcpListener, UdpSocket};

    use super::*;

    fn own(holder: &Holder) -> bool {
        matches!(holder, Holder::Process(process) if process.pid == std::process::id() && !process.name.is_empty())
    }

    #[test]
    fn this_very_process_is_found_by_what_it_listens_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(own(&Holder::of(address, Protocol::Tcp)));
        let every = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        assert!(own(&Holder::of(every, Protocol::Tcp)), "one of its addresses is in the way of all");
        assert_eq!(sharing(std::process::id(), address, Protocol::Tcp), None);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(own(&Holder::of(socket.local_addr().unwrap(), Protocol::Udp)));
    }

    #[test]
    fn nobody_is_named_for_an_address_that_is_free() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(Holder::of(address, Protocol::Tcp), Holder::Unknown);
    }
}
