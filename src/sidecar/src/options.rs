//! All that a sidecar is told when it starts, in the types it works with.
//!
//! The command line ([`crate::cli`]) makes them of flags, and `run` of a configuration; nothing below either knows which.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::provided;
use base::clock::Clock;
use dns01::DelegationZone;
use pki::Name;
use pki::keys::eab::MacKeys;
use sds::tokens::Doors;
use storage::{LeaseBounds, Storages};

/// All that a sidecar is told when it starts.
pub struct Options {
    /// The clock of the whole sidecar.
    pub clock: Clock,
    /// Where accounts, keys and certificates are kept. State of other kinds is beside the default storage.
    pub storages: Storages,
    /// How long engines may hold the lease without a heartbeat.
    pub lease: LeaseBounds,
    /// The unix sockets.
    pub sockets: Sockets,
    /// A loopback address at which the API is answered as well, for whoever has a token.
    pub api_address: Option<SocketAddr>,
    /// An address at which health and metrics are answered as well.
    pub status_address: Option<SocketAddr>,
    /// Names by which the API and the status address are called.
    pub allowed_hosts: Vec<Name>,
    /// The tokens of the API and of SDS.
    pub tokens: TokenSource,
    /// The user's own certificates.
    pub provided: provided::Sources,
    /// False: a name that nothing covers is served no certificate, not even a self-signed one.
    pub has_default_certificate: bool,
    /// The MAC keys of external accounts.
    pub mac_keys: MacKeys,
    /// How certificates are looked after once they are served.
    pub upkeep: Upkeep,
    /// Plaintext entry points of Envoy's, through which an engine that fell silent is woken.
    pub wake_addresses: Vec<SocketAddr>,
    /// Questions to name servers.
    pub dns: DnsOptions,
}

/// The unix sockets, and who may use them.
#[derive(Clone, Debug, Default)]
pub struct Sockets {
    /// The API's.
    pub api: PathBuf,
    /// That of SDS and ADS.
    pub sds: PathBuf,
    /// One of SDS that asks for no token, for the control planes of meshes.
    pub mesh_sds: Option<PathBuf>,
    /// The group that the sockets are given to.
    pub group: Option<u32>,
    /// Users whose processes may connect, besides root and the sidecar's own.
    pub uids: Vec<u32>,
}

/// Where tokens come from.
pub enum TokenSource {
    /// Files, which are followed; where none is named, a file beside the storage, which is made.
    Files {
        /// The file of the API's tokens.
        api: Option<PathBuf>,
        /// The file of SDS's tokens.
        sds: Option<PathBuf>,
    },
    /// These, for as long as the sidecar lives.
    Given(Doors),
}

/// How certificates are looked after once they are served.
#[derive(Clone, Debug, Default)]
pub struct Upkeep {
    /// Envoy's TLS entry points: a handshake there shows whether visitors get a new certificate.
    pub verify_addresses: Vec<SocketAddr>,
    /// True when the revocation lists that certificates name are looked through.
    pub checks_crls: bool,
    /// True when revocation lists may be at private addresses.
    pub allows_private_crls: bool,
}

/// Questions to name servers.
#[derive(Clone, Debug)]
pub struct DnsOptions {
    /// The port of a zone's own name servers.
    pub name_server_port: u16,
    /// Name servers on other ports than 53 that requests may name.
    pub resolvers: Vec<String>,
    /// Zones that CNAMEs of challenges may lead into, whatever the provider.
    pub delegation_zones: Vec<DelegationZone>,
}
