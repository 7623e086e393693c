//! The address of a listener.

use std::net::SocketAddr;

use crate::holder::Protocol;

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The listener's name, which is the entry point's.
    pub entry_point: String,
    /// The address.
    pub address: SocketAddr,
    /// True if a listener on all IPv6 addresses is on all IPv4 addresses too.
    pub is_dual: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// The flag that changes the address.
    pub flag: String,
}
