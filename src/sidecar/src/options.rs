//! The options of a sidecar, in the types it works with.
//!
//! The command line ([`crate::cli`]) makes them from flags, and `run` from a configuration; the code below knows
//! neither.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::provided;
use base::clock::Clock;
use dns01::DelegationZone;
use pki::Name;
use pki::keys::eab::MacKeys;
use sds::tokens::SocketTokens;
use storage::{LeaseBounds, Storages};

/// The options of a sidecar.
pub struct Options {
    /// The clock of the whole sidecar.
    pub clock: Clock,
    /// The storages of accounts, keys and certificates. State of other kinds is beside the default storage.
    pub storages: Storages,
    /// The bounds of the time for which engines hold the lease without a heartbeat.
    pub lease: LeaseBounds,
    /// The unix sockets.
    pub sockets: Sockets,
    /// A loopback address at which the API answers as well, to clients with a token.
    pub api_address: Option<SocketAddr>,
    /// An address at which health and metrics are served as well.
    pub status_address: Option<SocketAddr>,
    /// The host names that the API and the status address accept.
    pub allowed_hosts: Vec<Name>,
    /// The tokens of the API and of SDS.
    pub tokens: TokenSource,
    /// The user's own certificates.
    pub provided: provided::Sources,
    /// True if a name without a certificate is served the self-signed default certificate.
    pub has_default_certificate: bool,
    /// The MAC keys of external accounts.
    pub mac_keys: MacKeys,
    /// The supervision of certificates once they are served.
    pub upkeep: Upkeep,
    /// Envoy's plaintext entry points, through which a silent engine is woken.
    pub wake_addresses: Vec<SocketAddr>,
    /// The options of DNS look-ups.
    pub dns: DnsOptions,
}

/// The unix sockets, and who may use them.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// The socket of the API.
    pub api: PathBuf,
    /// The socket of SDS and ADS.
    pub sds: PathBuf,
    /// An SDS socket that asks for no token, for the control planes of meshes.
    pub mesh_sds: Option<PathBuf>,
    /// The group that the sockets are given to.
    pub group: Option<u32>,
    /// Users whose processes may connect, besides root and the sidecar's own.
    pub uids: Vec<u32>,
}

/// The source of the API's and SDS's tokens.
pub enum TokenSource {
    /// Files, which are followed; if none is named, a file beside the storage, created if missing.
    Files {
        /// The file of the API's tokens.
        api: Option<PathBuf>,
        /// The file of SDS's tokens.
        sds: Option<PathBuf>,
    },
    /// Fixed tokens, for as long as the sidecar lives.
    Given(SocketTokens),
}

/// The supervision of certificates once they are served.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {
    /// Envoy's TLS entry points: a handshake there shows whether visitors get a new certificate.
    pub verify_addresses: Vec<SocketAddr>,
    /// True if the revocation lists that certificates name are checked.
    pub checks_crls: bool,
    /// True if revocation lists may be at private addresses.
    pub allows_private_crls: bool,
}

/// The options of DNS look-ups.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// The port of a zone's own name servers.
    pub name_server_port: u16,
    /// Name servers that requests may name although their port is not 53.
    pub resolvers: Vec<String>,
    /// Zones that CNAMEs of challenges may lead into, with every provider.
    pub delegation_zones: Vec<DelegationZone>,
}
