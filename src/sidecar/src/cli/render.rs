//! `render`: a configuration in Traefik's words, as Envoy's configuration.

mod commands;
mod into;
mod mesh;
mod replaced;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use protocol::tokens::Tokens;
use setup::envoy::limits::Connections;
use setup::envoy::standing::Standing;
use setup::envoy::version::Version;
use setup::envoy::{HEADER, Options, Rendered, Wants, bootstrap, ca, filter, istio};
use setup::model::Setup;
use setup::{ClosedRouter, Reading};

use super::dns::known_providers;
use super::{InputArgs, failed, wake};
use crate::closed;
use crate::envoy;
use base::environment::for_envoy;
use base::files::atomic_file;
use base::files::{Directory, FileError, users};
use sds::tokens::{Kind, first};

use commands::{Around, notes};
use mesh::MeshArgs;

/// The largest PEM file of roots that is read, in bytes: the system's own has some 230 KiB.
const MAX_PEM: u64 = 4 * 1024 * 1024;
/// The largest file that is inspected before it is replaced, in bytes.
const MAX_OUTPUT: u64 = 1024 * 1024 * 1024;
/// The mode of a file without secrets, which the umask restricts.
const OUTPUT_MODE: u32 = 0o666;
/// The mode of a file with tokens: only the user who starts Envoy reads them.
const SECRET_MODE: u32 = 0o600;

/// The upstream written in pieces: the configuration they are merged into has the routes.
const NOWHERE: &str = "127.0.0.1:9";

/// The heading of the flags that go with `--into`.
const INTO: &str = "Into your own configuration";

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
    fn is_mesh(self) -> bool {
        matches!(self, Self::Istio | Self::EnvoyGateway)
    }
}

/// Renders; returns the exit status.
pub(super) fn run(args: &RenderArgs) -> ExitCode {
    match render(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(lines) => failed(&lines.join("\nenvoy-autocert: ")),
    }
}

fn render(args: &RenderArgs) -> Result<(), Vec<String>> {
    if let Some(bootstrap) = &args.into {
        return into::render(args, bootstrap);
    }
    let mut inputs = args.inputs.clone();
    if args.format != Format::Bootstrap && !inputs.domain.is_empty() {
        inputs.upstream.get_or_insert_with(|| NOWHERE.to_owned());
    }
    let inputs = inputs.read().map_err(|why| vec![why])?;
    let reading = setup::read(&inputs.sources).map_err(|mistakes| lines(&mistakes))?;
    known_providers(&reading)?;
    let rendered = rendered(&reading, args)?;
    let standing = Standing::of(&rendered.text);
    write(&rendered.text, &standing, WHOLE, args)?;
    for warning in reading.warnings.iter().chain(&rendered.warnings) {
        eprintln!("warning: {warning}");
    }
    match args.format {
        Format::Bootstrap => closed::lines(&reading.closed).iter().for_each(|line| eprintln!("{line}")),
        Format::Filter | Format::Istio | Format::EnvoyGateway => unguarded(&reading.closed),
    }
    let notes = match args.format.is_mesh() {
        true => mesh::notes(&reading.setup, args),
        false => {
            let around = Around { wake: wake::addresses(&reading.setup), ..Around::default() };
            notes(&reading.setup, &around, &standing, args)
        }
    };
    for note in notes {
        eprintln!("{note}");
    }
    Ok(())
}

/// Warns of routers that the user's own configuration has to guard, since it does the routing.
fn unguarded(closed: &[ClosedRouter]) {
    for router in closed {
        eprintln!("warning: {}: your own configuration must see to {}", router.path(), router.why.join("; "));
    }
}

/// The kind of file written, and what it may replace.
#[derive(Clone, Copy)]
struct Written {
    /// The first line of a file that may be replaced.
    mark: &'static str,
    /// The most permissive mode.
    most: u32,
}

/// A file rendered from the configuration alone, which has no secrets.
const WHOLE: Written = Written { mark: HEADER, most: OUTPUT_MODE };

/// Writes the text to the output. It may hold tokens.
fn write(text: &str, standing: &Standing, kind: Written, args: &RenderArgs) -> Result<(), Vec<String>> {
    let mode = if standing.has_token { SECRET_MODE } else { OUTPUT_MODE & kind.most };
    match &args.output {
        Some(path) => replace(path, text, args.force, mode, kind.mark).map_err(|why| vec![why]),
        None => {
            if standing.has_token {
                eprintln!(
                    "warning: the sidecar's tokens go to the standard output; --output makes a file of it that its owner \
                     alone can read (0600)"
                );
            }
            let written = io::stdout().write_all(text.as_bytes());
            written.map_err(|error| vec![format!("stdout can't be written to: {error}")])
        }
    }
}

fn options(setup: &Setup, args: &RenderArgs) -> Result<Options, Vec<String>> {
    Ok(Options {
        plugin: args.plugin.clone(),
        api_socket: args.api_socket(),
        sds_socket: args.sds_socket.clone(),
        admin: args.admin.clone(),
        connections: args.max_connections.map(Connections::of_clients).unwrap_or_default(),
        ca_bundle: args.ca_bundle.clone(),
        pem_files: match args.format {
            Format::Bootstrap | Format::Filter | Format::EnvoyGateway => {
                pem_files(setup, &args.ca_bundle).map_err(|why| vec![why])?
            }
            Format::Istio => BTreeMap::new(),
        },
        tokens: tokens(args)?,
        version: version(args).map_err(|why| vec![why])?,
        wants: Wants::OfConfiguration,
    })
}

/// The version of the Envoy to render for.
fn version(args: &RenderArgs) -> Result<Version, String> {
    let version = match (args.envoy_version, &args.envoy) {
        (Some(version), _) => version,
        (None, Some(path)) => {
            let said = envoy::version(path, &for_envoy(&[])).map_err(|error| format!("{}: {error}", path.display()))?;
            said.ok_or_else(|| {
                format!(
                    "{}: found no version in what its --version says, expected --envoy-version with it",
                    path.display()
                )
            })?
        }
        (None, None) => Version::NEWEST,
    };
    version.refusal().map_or(Ok(version), Err)
}

/// The tokens to put into the text; without token files, placeholders.
fn tokens(args: &RenderArgs) -> Result<Tokens, Vec<String>> {
    let first = |kind, file: &Option<PathBuf>| {
        file.as_deref().map(|path| first(kind, path)).transpose().map_err(|error| vec![error.to_string()])
    };
    Ok(Tokens { api: first(Kind::Api, &args.api_token_file)?, sds: first(Kind::Sds, &args.sds_token_file)? })
}

fn rendered(reading: &Reading, args: &RenderArgs) -> Result<Rendered, Vec<String>> {
    let setup = &reading.setup;
    let options = options(setup, args)?;
    let rendered = match args.format {
        Format::Bootstrap => bootstrap::bootstrap(setup, &options),
        Format::Filter => filter::filter(setup, &options),
        Format::Istio => args.mesh.istio(setup, &options),
        Format::EnvoyGateway => args.mesh.envoy_gateway(setup, &options),
    };
    rendered.map_err(|mistakes| {
        lines(&mistakes.into_iter().map(|mistake| reading.flags.reworded(mistake)).collect::<Vec<_>>())
    })
}

/// The files of roots to be put into the configuration, since Envoy takes one file and there are several.
pub(super) fn pem_files(setup: &Setup, ca_bundle: &str) -> Result<BTreeMap<String, String>, String> {
    ca::files(&setup.resolvers, ca_bundle).into_iter().map(|path| Ok((path.clone(), pem(&path)?))).collect()
}

/// The roots in a file.
pub(super) fn pem(path: &str) -> Result<String, String> {
    let unfit = || format!("{path}: found no PEM certificates in at most {MAX_PEM} bytes, expected roots to trust");
    let bytes = users::read(Path::new(path), MAX_PEM).map_err(|error| match error {
        FileError::TooLarge { .. } => unfit(),
        FileError::Io { error, .. } => format!("{path}: the roots can't be read: {error}"),
        other => other.to_string(),
    })?;
    let text = String::from_utf8(bytes).map_err(|error| format!("{path}: the roots can't be read: {error}"))?;
    if !text.contains("-----BEGIN CERTIFICATE-----") {
        return Err(unfit());
    }
    Ok(text)
}

/// Atomically replaces a file that `render` has written.
fn replace(path: &Path, text: &str, force: bool, mode: u32, mark: &str) -> Result<(), String> {
    let replaced = || -> io::Result<bool> {
        // A file with tokens is secret, and others must not be able to replace it either.
        let (directory, name) = if mode == SECRET_MODE { Directory::of(path)? } else { Directory::of_output(path)? };
        let is_ours = match directory.read(&name, MAX_OUTPUT)? {
            Some(there) => there.bytes.is_empty() || there.bytes.starts_with(mark.as_bytes()),
            None => true,
        };
        if !is_ours && !force {
            return Ok(false);
        }
        atomic_file::replace(&directory, &name, mode, text.as_bytes())?;
        Ok(true)
    };
    match replaced() {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "{}: found a file that `render` has not written, expected none or one of its own; --force replaces it",
            path.display()
        )),
        Err(error) => Err(format!("{}: can't be written: {error}", path.display())),
    }
}

impl RenderArgs {
    /// The sidecar's socket for the plugin, or its default path.
    fn api_socket(&self) -> String {
        let default = match self.format {
            Format::Istio => istio::API_SOCKET.to_owned(),
            Format::Bootstrap | Format::Filter | Format::EnvoyGateway => Options::default().api_socket,
        };
        self.api_socket.clone().unwrap_or(default)
    }
}

fn lines(mistakes: &[impl ToString]) -> Vec<String> {
    mistakes.iter().map(ToString::to_string).collect()
}

/// Parses `ADDRESS:PORT` or a path.
fn admin(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') || text.starts_with("unix:");
    if is_path || text.parse::<std::net::SocketAddr>().is_ok() {
        return Ok(text.to_owned());
    }
    Err("expected an IP address with a port, as in 127.0.0.1:9901, or the path of a unix socket".into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn only_a_file_of_our_own_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("envoy.yaml");
        let ours = format!("{HEADER}\nfirst\n");
        replace(&path, &ours, false, OUTPUT_MODE, HEADER).unwrap();
        replace(&path, &format!("{HEADER}\nsecond\n"), false, OUTPUT_MODE, HEADER).unwrap();
        assert!(fs::read_to_string(&path).unwrap().ends_with("second\n"));
        fs::write(&path, "admin: {}\n").unwrap();
        assert!(replace(&path, &ours, false, OUTPUT_MODE, HEADER).unwrap_err().contains("--force"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "admin: {}\n");
        replace(&path, &ours, true, SECRET_MODE, HEADER).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), ours);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600, "it may have tokens in it");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_admin_interface_has_an_address_or_a_socket() {
        assert!(admin("127.0.0.1:9901").is_ok());
        assert!(admin("/run/envoy/admin.sock").is_ok());
        assert!(admin("localhost:9901").is_err());
    }
}
