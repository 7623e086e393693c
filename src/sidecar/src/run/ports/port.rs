//! The place where a listener listens.

use std::net::SocketAddr;

use crate::holder::Protocol;

/// The place where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The listener's name, which is the entry point's.
    pub entry_point: String,
    /// The address.
    pub address: SocketAddr,
    /// True for a listener on all IPv6 addresses that is on all IPv4 addresses too.
    pub is_dual: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// The flag that gives it another address.
    pub flag: String,
}
