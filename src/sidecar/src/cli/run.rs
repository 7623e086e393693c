//! `run`: its flags, and the options of Envoy and the sidecar made from them.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, getrlimit};
use setup::envoy::limits::Connections;
use setup::envoy::version::Version;
use setup::model::Setup;

use super::dns::{DnsArgs, other_ports};
use super::eab::{EabChoice, mac_keys};
use super::envoy_environment::EnvoyEnvironmentArgs;
use super::inputs::InputArgs;
use super::logs::LogArgs;
use super::render::pem;
use super::rendered::TraefiksWords;
use super::storages::{choices, storages};
use super::upkeep::UpkeepArgs;
use super::user::UserArgs;
use super::values::{Switch, host, seconds};
use super::wake;
use storage::LeaseBounds;

use crate::options::{Options, Sockets, TokenSource};
use crate::privileges::{self, Keeps, PrivilegeError};
use crate::provided::{self, Files};
use crate::run::{Directory, Layout, Run, RunError, exec, run as run_all};
use base::clock::Clock;
use base::hardening;
use pki::Name;

/// The file of the system's trusted roots in Debian and others.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The flags of `run`.
///
/// It makes Envoy's configuration of yours, starts the sidecar in this process and Envoy as a child, and ends both when
/// it is told to. Changes of routers and services are picked up as they are written; a bad change is reported, and what
/// was there stays. SIGHUP reads everything anew at once, SIGUSR1 has Envoy open its log files anew.
#[derive(Args, Debug)]
#[command(
    verbatim_doc_comment,
    after_help = "Examples:\n  envoy-autocert run --config traefik.yml\n  envoy-autocert run --domain example.com --email \
                  me@example.com --upstream 127.0.0.1:8080"
)]
pub struct RunArgs {
    /// The configuration.
    #[command(flatten)]
    pub inputs: InputArgs,

    /// Envoy; by default the one on PATH.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY", value_name = "PATH", help_heading = "Running")]
    pub envoy: Option<PathBuf>,

    /// Version of Envoy, as 1.38, instead of the one it reports.
    #[arg(long, env = "ENVOY_AUTOCERT_ENVOY_VERSION", value_name = "VERSION", help_heading = "Running")]
    pub envoy_version: Option<Version>,

    /// The part of this program's environment that Envoy gets.
    #[command(flatten)]
    pub envoy_environment: EnvoyEnvironmentArgs,

    /// The plugin, envoy_autocert.wasm; by default searched for beside this program and in /usr/lib/envoy-autocert.
    #[arg(long, env = "ENVOY_AUTOCERT_PLUGIN", value_name = "PATH", help_heading = "Running")]
    pub plugin: Option<PathBuf>,

    /// The user to run as. Envoy runs as the same user, and may listen on ports below 1024.
    #[command(flatten)]
    pub user: UserArgs,

    /// Directory for sockets and for Envoy's files, created if missing; by default a temporary one.
    #[arg(long, env = "ENVOY_AUTOCERT_RUNTIME_DIR", value_name = "PATH", help_heading = "Running")]
    pub runtime_dir: Option<PathBuf>,

    /// File with the roots that the system trusts.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_CA_BUNDLE",
        value_name = "PATH",
        default_value = CA_BUNDLE,
        help_heading = "Running"
    )]
    pub ca_bundle: PathBuf,

    /// The most client connections at once; by default two fifths of the files that Envoy may have open (`ulimit -Hn`).
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_MAX_CONNECTIONS",
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u32).range(1..),
        help_heading = "Running"
    )]
    pub max_connections: Option<u32>,

    /// Seconds that requests under way may take at the end.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_GRACE_SECONDS",
        value_name = "SECONDS",
        default_value = "10",
        value_parser = seconds,
        help_heading = "Running"
    )]
    pub grace_seconds: Duration,

    /// Answer /healthz, /readyz, /status and /metrics of the sidecar on this address.
    #[arg(long, env = "ENVOY_AUTOCERT_STATUS_ADDRESS", value_name = "ADDRESS:PORT", help_heading = "Running")]
    pub status_address: Option<SocketAddr>,

    /// The supervision of certificates once they are served.
    #[command(flatten)]
    pub upkeep: UpkeepArgs,

    /// Verify by a handshake at each TLS entry point that visitors get a new certificate, and roll back to the previous
    /// one if not. --verify-address names other addresses.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_VERIFY",
        value_name = "WHETHER",
        default_value = "on",
        help_heading = "Certificates"
    )]
    pub verify: Switch,

    /// Host name that the status address accepts, besides addresses, localhost and this machine's own name. May be
    /// given several times.
    #[arg(
        long = "allowed-host",
        env = "ENVOY_AUTOCERT_ALLOWED_HOST",
        value_name = "NAME",
        value_delimiter = ',',
        value_parser = host,
        help_heading = "Running"
    )]
    pub allowed_hosts: Vec<Name>,

    /// The flags of DNS look-ups.
    #[command(flatten)]
    pub dns: DnsArgs,

    /// The logs. They include Envoy's warnings and the plugin's lines; Envoy's own flags change that: -- --log-level
    /// info.
    #[command(flatten)]
    pub logs: LogArgs,

    /// More arguments for Envoy.
    #[arg(last = true, value_name = "ENVOY-ARGUMENT")]
    pub envoy_arguments: Vec<String>,
}

/// The arguments of `exec-envoy`.
#[derive(Args, Debug)]
pub struct ExecEnvoyArgs {
    /// The process that Envoy must not outlive.
    pub parent: u32,
    /// Envoy's path.
    pub binary: PathBuf,
    /// Envoy's arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
}

/// Becomes Envoy.
pub(super) fn exec_envoy(args: &ExecEnvoyArgs) -> ExitCode {
    exec(args.parent, &args.binary, &args.arguments)
}

/// Runs until a signal asks for the end; returns the exit status.
pub(super) fn run(args: RunArgs) -> ExitCode {
    let logs = args.logs.clone();
    logs.start();
    if let Err(error) = give_up_root(&args.user) {
        return logs.failed(&error.to_string());
    }
    // After the change of user, which would undo it.
    hardening::keep_memory_private();
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let runtime = match threads.enable_all().on_thread_start(privileges::on_thread_start).build() {
        Ok(runtime) => runtime,
        Err(error) => return logs.failed(&format!("there are no threads to run on: {error}")),
    };
    // On this thread, which lives as long as the process: Envoy ends when the thread that started it does.
    let ended = runtime.block_on(async { run_all(prepared(args)?).await });
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => logs.failed(&why.to_string()),
    }
}

/// Keeps the capability to listen on ports below 1024 for Envoy alone, and gives up root if another user is named.
fn give_up_root(user: &UserArgs) -> Result<(), PrivilegeError> {
    user.apply(Keeps::Ports)?;
    if privileges::is_root() {
        tracing::warn!(
            "this runs as root, and so does Envoy, which strangers talk to: --user NAME runs both as that user, and \
             Envoy can listen on ports below 1024 all the same"
        );
        return Ok(());
    }
    privileges::give_up(Keeps::Ports)
}

fn prepared(args: RunArgs) -> Result<Run, RunError> {
    roots(&args.ca_bundle).map_err(|why| RunError::Configuration(vec![why]))?;
    let words = TraefiksWords::read(args.inputs.clone(), &args.ca_bundle, connections(args.max_connections))
        .map_err(RunError::Configuration)?;
    let mut sidecar = sidecar(&args, words.first()).map_err(RunError::Sidecar)?;
    let directory = Directory::open(args.runtime_dir.as_deref())?;
    let layout = Layout::new(directory.path());
    sidecar.sockets = Sockets { api: layout.api_socket(), sds: layout.sds_socket(), ..Sockets::default() };
    Ok(Run {
        sidecar,
        directory,
        envoy: args.envoy,
        envoy_version: args.envoy_version,
        envoy_arguments: args.envoy_arguments,
        envoy_environment: args.envoy_environment.passed(),
        log_level: args.logs.log_level.default_level(),
        plugin: args.plugin,
        is_verifying: args.verify == Switch::On,
        grace: args.grace_seconds,
        cas: words.cas(),
        source: Box::new(words),
    })
}

/// Checks the file of roots, since Envoy's error would not name the flag.
fn roots(path: &Path) -> Result<(), String> {
    if path == Path::new(CA_BUNDLE) {
        return Ok(());
    }
    pem(&path.display().to_string()).map(drop).map_err(|why| format!("--ca-bundle: {why}"))
}

/// The given limit of connections, or the one that Envoy's file limit allows: Envoy raises it to the hard limit.
fn connections(most: Option<u32>) -> Connections {
    let files = || getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    most.map_or_else(|| Connections::of_descriptors(files()), Connections::of_clients)
}

/// The sidecar's options for this setup, except its sockets and tokens.
fn sidecar(args: &RunArgs, setup: &Setup) -> Result<Options, String> {
    let files = |pair: &setup::model::PairOfFiles| Files {
        certificate: PathBuf::from(&pair.cert_file),
        key: PathBuf::from(&pair.key_file),
    };
    let eab: Vec<EabChoice> = setup.mac_keys.iter().map(|(resolver, key)| EabChoice::new(resolver, key)).collect();
    let mut dns = args.dns.options();
    dns.resolvers.extend(other_ports(setup));
    Ok(Options {
        clock: Clock::system(),
        storages: storages(&choices(setup))?,
        lease: LeaseBounds::default(),
        sockets: Sockets::default(),
        api_address: None,
        status_address: args.status_address,
        allowed_hosts: args.allowed_hosts.clone(),
        // `run` creates new tokens for its own Envoy at each start.
        tokens: TokenSource::Files { api: None, sds: None },
        provided: provided::Sources {
            directories: Vec::new(),
            pairs: setup.certificates.iter().map(files).collect(),
            default: setup.default_certificate.as_ref().map(files),
        },
        has_default_certificate: true,
        mac_keys: mac_keys(&eab)?,
        upkeep: args.upkeep.options(),
        wake_addresses: wake::addresses(setup),
        dns,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::{Cli, Command};
    use crate::options::Upkeep;

    /// The sidecar's flags that `run` sets itself, with their source.
    const OF_ITS_OWN: [&str; 17] = [
        // From the runtime directory.
        "api-socket",
        "sds-socket",
        // Only its own Envoy, of the same user, uses the sockets.
        "api-uid",
        "socket-group",
        "api-address",
        "mesh-sds-socket",
        // Created at each start.
        "api-token-file",
        "sds-token-file",
        // From the configuration: tls.certificates, tls.stores, eab.
        "cert",
        "cert-dir",
        "default-certificate",
        "eab",
        // There is one Envoy, whose end `run` notices by itself.
        "lease-min-seconds",
        "lease-max-seconds",
        // From the configuration's entry points.
        "wake-address",
        // Common to all commands.
        "help",
        "version",
    ];

    /// A command's flags with their variables.
    fn flags(command: &str) -> Vec<(String, Option<String>)> {
        let command = Cli::command().find_subcommand(command).unwrap().clone();
        let variable = |flag: &clap::Arg| flag.get_env().map(|name| name.to_string_lossy().into_owned());
        command.get_arguments().filter_map(|flag| Some((flag.get_long()?.to_owned(), variable(flag)))).collect()
    }

    /// F8: who went from one to the other lost what he had switched on.
    #[test]
    fn run_has_every_flag_of_the_sidecar_but_those_that_it_sets_itself() {
        let of_run = flags("run");
        let missing: Vec<_> = flags("sidecar").into_iter().filter(|flag| !of_run.contains(flag)).collect();
        let missing: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
        let unexplained: Vec<_> = missing.iter().filter(|name| !OF_ITS_OWN.contains(name)).collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
    }

    #[test]
    fn what_is_said_of_certificates_that_are_served_reaches_the_sidecar() {
        let arguments =
            ["--crl-checks", "off", "--crl-allow-private", "--verify-address", "127.0.0.1:443,127.0.0.1:8443"];
        let parsed = Cli::try_parse_from(["envoy-autocert", "run"].iter().chain(&arguments)).unwrap();
        let Command::Run(args) = parsed.command else { unreachable!("the command is run") };
        let Upkeep { verify_addresses, checks_crls, allows_private_crls } =
            sidecar(&args, &Setup::default()).unwrap().upkeep;
        assert_eq!((verify_addresses.len(), checks_crls, allows_private_crls), (2, false, true));
    }
}
