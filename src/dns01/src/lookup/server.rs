//! A recursive server.

use std::net::SocketAddr;

/// A recursive server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server {
    /// The server as configured, for messages.
    pub(super) label: String,
    pub(super) address: SocketAddr,
}
