//! The flags of `render`.

use crate::cli::InputArgs;
use clap::{Args, ValueEnum};
use setup::envoy::version::Version;
use setup::envoy::{Options, istio};
use std::path::PathBuf;

use super::mesh_args::MeshArgs;

/// The heading of the flags that go with `--into`.
pub(super) const INTO: &str = "Into your own configuration";

/// The flags of `render`.
///
/// The same configuration gives the same text, byte for byte. What the sidecar must be told, and what is different from
/// Traefik, is said on stderr.
#[derive(Args, Debug)]
pub struct RenderArgs {
    /// The configuration to render.
    #[command(flatten)]
    pub inputs: InputArgs,

    /// Format of the output.
    #[arg(long, env = "ENVOY_AUTOCERT_FORMAT", value_name = "FORMAT", default_value = "bootstrap")]
    pub format: Format,

    /// Your own Envoy bootstrap: what it is missing is added to it, and everything else stays as it is. The names for
    /// certificates are those of its virtual hosts and filter chains, unless --domain or routers of --config say others.
    /// The result goes to stdout or --output, never to this file.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_INTO",
        value_name = "PATH",
        conflicts_with_all = ["format", "http_port", "https_port"],
        help_heading = INTO
    )]
    pub into: Option<PathBuf>,

    /// Put the sidecar's certificates in the place of those that TLS listeners of --into have. How to bring these along, so
    /// that they are served until the first ones are there, is said on stderr.
    #[arg(long, env = "ENVOY_AUTOCERT_REPLACE_CERTIFICATES", requires = "into", help_heading = INTO)]
    pub replace_certificates: bool,

    /// Add a listener with TLS to --into, on port 443 unless another is given, with the routes of the listener without.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ADD_HTTPS",
        value_name = "PORT",
        num_args = 0..=1,
        default_missing_value = "443",
        value_parser = clap::value_parser!(u16).range(1..),
        requires = "into",
        help_heading = INTO
    )]
    pub add_https: Option<u16>,

    /// Lead visitors of the listener without TLS to the one of --add-https. Challenges are answered all the same.
    #[arg(long, env = "ENVOY_AUTOCERT_REDIRECT", requires = "add_https", help_heading = INTO)]
    pub redirect: bool,

    /// Resolver for the names of --into, if --config has several.
    #[arg(long, env = "ENVOY_AUTOCERT_RESOLVER", value_name = "NAME", requires = "into", help_heading = INTO)]
    pub resolver: Option<String>,

    /// File to write to, instead of stdout. A file that `render` has not written is left alone.
    #[arg(long, env = "ENVOY_AUTOCERT_OUTPUT", value_name = "PATH")]
    pub output: Option<PathBuf>,

    /// Write to --output even if the file was not written by `render`.
    #[arg(long, env = "ENVOY_AUTOCERT_FORCE", requires = "output")]
    pub force: bool,

    /// Version of the Envoy that it is for, as 1.38: they differ in what stands where. The newest when neither this nor
    /// --envoy is given.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY_VERSION", value_name = "VERSION", help_heading = "Envoy")]
    pub envoy_version: Option<Version>,

    /// Envoy that it is for, on this machine: it is asked for its version.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY", value_name = "PATH", help_heading = "Envoy")]
    pub envoy: Option<PathBuf>,

    /// The plugin: a file on the machine that Envoy runs on; for Istio one of the image, or an oci:// or https:// URL, for
    /// Envoy Gateway such a URL.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_PLUGIN",
        value_name = "PATH",
        default_value = "/usr/lib/envoy-autocert/envoy_autocert.wasm",
        help_heading = "Envoy"
    )]
    pub plugin: String,

    /// The sidecar's unix socket for the plugin: /run/envoy-autocert/api.sock unless it is given, and for Istio
    /// /var/run/secrets/credential-uds/api.sock.
    #[arg(long, env = "ENVOY_AUTOCERT_API_SOCKET", value_name = "PATH", help_heading = "Envoy")]
    pub api_socket: Option<String>,

    /// The sidecar's unix socket for SDS.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_SDS_SOCKET",
        value_name = "PATH",
        default_value = "/run/envoy-autocert/sds.sock",
        help_heading = "Envoy"
    )]
    pub sds_socket: String,

    /// File with the tokens of the sidecar's API, as `sidecar` has it: its first one is written into the configuration.
    /// Otherwise a placeholder for it is: ${ENVOY_AUTOCERT_API_TOKEN}.
    #[arg(long, env = "ENVOY_AUTOCERT_API_TOKEN_FILE", value_name = "PATH", help_heading = "Tokens")]
    pub api_token_file: Option<PathBuf>,

    /// File with the tokens of the sidecar's SDS, likewise; the placeholder is ${ENVOY_AUTOCERT_SDS_TOKEN}.
    #[arg(long, env = "ENVOY_AUTOCERT_SDS_TOKEN_FILE", value_name = "PATH", help_heading = "Tokens")]
    pub sds_token_file: Option<PathBuf>,

    /// Address of Envoy's admin interface: an address, or the path of a unix socket. Whoever reaches it can stop Envoy.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_ADMIN",
        value_name = "ADDRESS:PORT|PATH",
        default_value = "127.0.0.1:9901",
        value_parser = admin,
        help_heading = "Envoy"
    )]
    pub admin: String,

    /// The most connections of clients at once, of a bootstrap. Two fifths of the files that Envoy may have open there
    /// (`ulimit -Hn`) leave enough for servers and for challenges; 7500 when it is not given, which fits 20000 files.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_MAX_CONNECTIONS",
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Envoy"
    )]
    pub max_connections: Option<u32>,

    /// File with the roots that the system trusts, on the machine that Envoy runs on.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_CA_BUNDLE",
        value_name = "PATH",
        default_value = "/etc/ssl/certs/ca-certificates.crt",
        help_heading = "Envoy"
    )]
    pub ca_bundle: String,

    /// The flags of meshes.
    #[command(flatten)]
    pub mesh: MeshArgs,
}

/// The formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// All that Envoy needs, in one file.
    Bootstrap,
    /// The pieces to merge into a configuration that there is already.
    Filter,
    /// Istio's TrafficExtension, Gateway, ServiceEntry and DestinationRule, and the sidecar in the gateway's pods.
    Istio,
    /// Envoy Gateway's EnvoyExtensionPolicy, Gateway, HTTPRoute and EnvoyProxy, with the sidecar in its pods.
    EnvoyGateway,
}

impl Format {
    /// True for a format for pods, in which every file has its place.
    pub(crate) fn is_mesh(self) -> bool {
        matches!(self, Self::Istio | Self::EnvoyGateway)
    }
}

impl RenderArgs {
    /// The sidecar's socket for the plugin, or its default path.
    pub(crate) fn api_socket(&self) -> String {
        let default = match self.format {
            Format::Istio => istio::API_SOCKET.to_owned(),
            Format::Bootstrap | Format::Filter | Format::EnvoyGateway => Options::default().api_socket,
        };
        self.api_socket.clone().unwrap_or(default)
    }
}

/// Parses `ADDRESS:PORT` or a path.
pub(super) fn admin(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') || text.starts_with("unix:");
    if is_path || text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("expected an IP address with a port, as in 127.0.0.1:9901, or the path of a unix socket".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_admin_interface_has_an_address_or_a_socket() {
        assert!(admin("127.0.0.1:9901").is_ok());
        assert!(admin("/run/envoy/admin.sock").is_ok());
        assert!(admin("localhost:9901").is_err());
    }
}
