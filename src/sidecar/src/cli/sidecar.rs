//! The flags of `sidecar`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::dns::DnsArgs;
use super::eab::{EabChoice, mac_keys};
use super::logs::LogArgs;
use super::storages::{DEFAULT, StorageChoice, storages};
use super::upkeep::UpkeepArgs;
use super::user::UserArgs;
use super::values::{DefaultChoice, GroupId, LoopbackAddress, PairChoice, host, seconds, uid};
use crate::options::{Options, Sockets, TokenSource};
use crate::provided;
use base::clock::Clock;
use pki::Name;
use storage::LeaseBounds;

/// The flags of `sidecar`.
///
/// The ACME client is the plugin in Envoy; this process keeps what must outlive it: account and certificate keys,
/// orders, certificates. It answers the plugin on one unix socket, and Envoy's SDS clients on another.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "It ends on SIGTERM or SIGINT, with everything saved. It never forks, tells systemd when it is ready \
                  (Type=notify), and logs to stderr."
)]
pub struct SidecarArgs {
    /// File with accounts, keys and certificates, in the format of Traefik's acme.json (Traefik's files can be used as
    /// they are). It is created if missing, and must be readable by its owner alone. A resolver can have a file of its
    /// own: RESOLVER=PATH, given besides, once for each; several may share one.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_STORAGE",
        value_name = "[RESOLVER=]PATH",
        value_delimiter = ',',
        default_value = DEFAULT
    )]
    pub storage: Vec<StorageChoice>,

    /// Unix socket for the plugin. Its directory is created if missing.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_API_SOCKET",
        value_name = "PATH",
        default_value = "/run/envoy-autocert/api.sock",
        help_heading = "Sockets"
    )]
    pub api_socket: PathBuf,

    /// Unix socket for SDS and ADS.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_SDS_SOCKET",
        value_name = "PATH",
        default_value = "/run/envoy-autocert/sds.sock",
        help_heading = "Sockets"
    )]
    pub sds_socket: PathBuf,

    /// User, by name or number, whose processes may use both sockets, besides root and the sidecar's own user. It is
    /// Envoy's. May be given several times.
    #[arg(
        long = "api-uid",
        env = "ENVOY_AUTOCERT_API_UID",
        value_name = "USER",
        value_delimiter = ',',
        value_parser = uid,
        help_heading = "Sockets"
    )]
    pub api_uids: Vec<u32>,

    /// Group, by name or number, that the sockets are given to, so that Envoy may connect if it runs as another user.
    #[arg(long, env = "ENVOY_AUTOCERT_SOCKET_GROUP", value_name = "GROUP", help_heading = "Sockets")]
    pub socket_group: Option<GroupId>,

    /// Also serve the API on this loopback address. Needs --api-token-file.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_API_ADDRESS",
        value_name = "ADDRESS:PORT",
        requires = "api_token_file",
        help_heading = "Sockets"
    )]
    pub api_address: Option<LoopbackAddress>,

    /// File with the tokens of the API, one a line, at least 16 characters each: a request must have one, so that no
    /// other filter of Envoy's uses the API. The plugin's is sidecar.token in its configuration. Changes are picked up:
    /// to replace a token, add the new one, change Envoy's configuration, remove the old one. By default, a random
    /// token is created in a file beside the storage: its path with .api-token.
    #[arg(long, env = "ENVOY_AUTOCERT_API_TOKEN_FILE", value_name = "PATH", help_heading = "Tokens")]
    pub api_token_file: Option<PathBuf>,

    /// File with the tokens of SDS, likewise: every stream must have one, in initial_metadata x-envoy-autocert-token of
    /// each SDS configuration. Names may follow a token (a.example *.b.example): it is for these secrets alone. By
    /// default, it is the storage's path with .sds-token.
    #[arg(long, env = "ENVOY_AUTOCERT_SDS_TOKEN_FILE", value_name = "PATH", help_heading = "Tokens")]
    pub sds_token_file: Option<PathBuf>,

    /// Unix socket for SDS that asks for no token: for Istio and Envoy Gateway, whose own configuration of Envoy can't
    /// carry one. Whoever may enter its directory gets the keys, every filter of such an Envoy among them; the
    /// directory must be this user's or root's, and only its group may enter it (0750).
    #[arg(long, env = "ENVOY_AUTOCERT_MESH_SDS_SOCKET", value_name = "PATH", help_heading = "Sockets")]
    pub mesh_sds_socket: Option<PathBuf>,

    /// Serve /healthz, /readyz, /status and /metrics on this address, as in 127.0.0.1:9970. They are on the API's
    /// socket in any case.
    #[arg(long, env = "ENVOY_AUTOCERT_STATUS_ADDRESS", value_name = "ADDRESS:PORT", help_heading = "Sockets")]
    pub status_address: Option<SocketAddr>,

    /// Host name that the status address and the API accept, as in sidecar.monitoring.svc. By default only addresses,
    /// localhost and this machine's own name are accepted, so that no page in a browser reads them through a name that
    /// resolves to this machine. May be given several times.
    #[arg(
        long = "allowed-host",
        env = "ENVOY_AUTOCERT_ALLOWED_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = host,
        help_heading = "Sockets"
    )]
    pub allowed_hosts: Vec<Name>,

    /// Directory with certificates of your own, served for names that no ACME certificate covers. Changes are picked
    /// up. May be given several times.
    #[arg(
        long = "cert-dir",
        env = "ENVOY_AUTOCERT_CERT_DIR",
        value_name = "PATH",
        value_delimiter = ',',
        help_heading = "Certificates"
    )]
    pub cert_dirs: Vec<PathBuf>,

    /// Certificate of your own and its key, as in --cert-dir. May be given several times.
    #[arg(
        long = "cert",
        env = "ENVOY_AUTOCERT_CERT",
        value_name = "CERTIFICATE,KEY",
        value_delimiter = ' ',
        help_heading = "Certificates"
    )]
    pub certs: Vec<PairChoice>,

    /// Certificate for names that no other covers: self-signed, none, or PEM files: CERTIFICATE,KEY or one file with
    /// both.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_DEFAULT_CERTIFICATE",
        value_name = "WHAT",
        default_value = "self-signed",
        help_heading = "Certificates"
    )]
    pub default_certificate: DefaultChoice,

    /// Source of the MAC key of a resolver's external account (eab): a file, or a variable of this process. It holds
    /// the key in base64url and nothing else. May be given several times.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_EAB",
        value_name = "RESOLVER=file:PATH|RESOLVER=env:NAME",
        value_delimiter = ',',
        value_parser = EabChoice::parse,
        hide_env_values = true,
        help_heading = "Accounts"
    )]
    pub eab: Vec<EabChoice>,

    /// The shortest lease of an engine without a heartbeat, in seconds.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_LEASE_MIN_SECONDS",
        value_name = "SECONDS",
        default_value = "2",
        value_parser = seconds,
        help_heading = "Engine"
    )]
    pub lease_min_seconds: Duration,

    /// The longest lease of an engine without a heartbeat, in seconds: how long issuance can rest after an Envoy was
    /// killed.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_LEASE_MAX_SECONDS",
        value_name = "SECONDS",
        default_value = "60",
        value_parser = seconds,
        help_heading = "Engine"
    )]
    pub lease_max_seconds: Duration,

    /// Envoy's plaintext entry point, as this process reaches it: 127.0.0.1:80. When the engine falls silent, requests
    /// are sent through it, by which Envoy restarts a plugin that trapped. May be given several times.
    #[arg(
        long = "wake-address",
        env = "ENVOY_AUTOCERT_WAKE_ADDRESS",
        value_name = "ADDRESS:PORT",
        value_delimiter = ',',
        help_heading = "Engine"
    )]
    pub wake_addresses: Vec<SocketAddr>,

    /// The supervision of certificates once they are served.
    #[command(flatten)]
    pub upkeep: UpkeepArgs,

    /// The flags of DNS look-ups.
    #[command(flatten)]
    pub dns: DnsArgs,

    /// The logs.
    #[command(flatten)]
    pub logs: LogArgs,

    /// The user to run as.
    #[command(flatten)]
    pub user: UserArgs,
}

impl SidecarArgs {
    /// The sidecar's options from these flags.
    ///
    /// # Errors
    /// When flags contradict each other: one line.
    pub fn options(&self) -> Result<Options, String> {
        let lease = LeaseBounds { shortest: self.lease_min_seconds, longest: self.lease_max_seconds };
        if lease.shortest > lease.longest {
            return Err("--lease-min-seconds is larger than --lease-max-seconds".to_owned());
        }
        Ok(Options {
            clock: Clock::system(),
            storages: storages(&self.storage)?,
            lease,
            sockets: Sockets {
                api: self.api_socket.clone(),
                sds: self.sds_socket.clone(),
                mesh_sds: self.mesh_sds_socket.clone(),
                group: self.socket_group.map(|group| group.0),
                uids: self.api_uids.clone(),
            },
            api_address: self.api_address.map(|address| address.0),
            status_address: self.status_address,
            allowed_hosts: self.allowed_hosts.clone(),
            tokens: TokenSource::Files { api: self.api_token_file.clone(), sds: self.sds_token_file.clone() },
            provided: provided::Sources {
                directories: self.cert_dirs.clone(),
                pairs: self.certs.iter().map(|PairChoice(files)| files.clone()).collect(),
                default: self.default_certificate.files(),
            },
            has_default_certificate: self.default_certificate != DefaultChoice::None,
            mac_keys: mac_keys(&self.eab)?,
            upkeep: self.upkeep.options(),
            wake_addresses: self.wake_addresses.clone(),
            dns: self.dns.options(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn sidecar(arguments: &[&str]) -> Result<Box<SidecarArgs>, String> {
        let arguments = ["envoy-autocert", "sidecar"].iter().chain(arguments);
        match Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.command {
            Command::Sidecar(args) => Ok(args),
            _ => unreachable!("the command is sidecar"),
        }
    }

    #[test]
    fn the_api_is_never_on_a_network() {
        let with = |address| sidecar(&["--api-token-file", "/t", "--api-address", address]);
        assert!(with("127.0.0.1:9971").is_ok());
        assert!(with("[::1]:9971").is_ok());
        assert!(with("0.0.0.0:9971").unwrap_err().contains("loopback"));
        assert!(sidecar(&["--api-address", "127.0.0.1:9971"]).unwrap_err().contains("--api-token-file"));
    }

    #[test]
    fn uids_are_repeated_or_listed() {
        assert_eq!(sidecar(&["--api-uid", "1", "--api-uid", "2,3"]).unwrap().api_uids, [1, 2, 3]);
    }
}
