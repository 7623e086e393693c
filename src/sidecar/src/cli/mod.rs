//! The command line. Every flag is also an environment variable, which the flag overrides.
//!
//! Each command has a file with its flags; a command that is more than a call has another file that runs it.

mod check;
mod dns;
mod dns_providers;
mod eab;
mod envoy_environment;
mod export;
mod failure;
mod import;
mod input_files;
mod inputs;
mod logs;
mod render;
mod rendered;
mod run;
mod schema;
mod serve;
mod sidecar;
mod storages;
mod upkeep;
mod user;
mod values;
mod wake;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

pub use check::CheckArgs;
pub use dns::DnsArgs;
pub use dns_providers::DnsProvidersArgs;
pub use eab::{EabChoice, mac_keys};
pub use envoy_environment::EnvoyEnvironmentArgs;
pub use export::ExportArgs;
pub use import::ImportArgs;
pub use inputs::{InputArgs, Inputs, TraefikFlags};
pub use logs::LogArgs;
pub use render::RenderArgs;
pub use run::{ExecEnvoyArgs, RunArgs};
pub use sidecar::SidecarArgs;
pub use storages::{StorageChoice, storages};
pub use upkeep::UpkeepArgs;
pub use user::UserArgs;
pub use values::{DefaultChoice, GroupId, LoopbackAddress, PairChoice, StoragePath, Switch};

/// Automatic HTTPS for Envoy: certificates from an ACME CA, renewed and served without a restart.
#[derive(Debug, Parser)]
#[command(name = "envoy-autocert", version, max_term_width = 120)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Says what is wrong with a configuration: Traefik's, flags, or Envoy's with the plugin in it.
    Check(Box<CheckArgs>),
    /// Prints the DNS providers of DNS-01 with their variables, as Markdown.
    DnsProviders(DnsProvidersArgs),
    /// Writes certificates and keys to PEM files, once or whenever they change.
    Export(ExportArgs),
    /// Takes over certificates and accounts of certbot, acme.sh, Caddy, lego, Traefik and others, without any new order.
    Import(Box<ImportArgs>),
    /// Writes an Envoy configuration that does what Traefik's configuration says.
    Render(Box<RenderArgs>),
    /// Runs the whole of it, sidecar and Envoy, from a configuration of Traefik's or from a few flags.
    Run(Box<RunArgs>),
    /// Prints the JSON Schema of the configuration, by which editors complete it.
    Schema,
    /// Keeps keys and certificates, and serves them to Envoy by SDS.
    Sidecar(Box<SidecarArgs>),
    /// Makes or removes one DNS record, as its standard input says. For the sidecar alone.
    #[command(hide = true)]
    DnsProvider,
    /// Becomes Envoy, and ends with the process that asked for it. For `run` alone.
    #[command(hide = true)]
    ExecEnvoy(ExecEnvoyArgs),
}

impl Cli {
    /// Parses a command line. Traefik's flags may be anywhere in it; they go to the command's [`InputArgs`].
    ///
    /// # Errors
    /// When clap refuses the command line, or it has Traefik's flags for a command that takes none.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        let texts: Option<Vec<String>> =
            arguments.iter().map(|argument| argument.to_str().map(str::to_owned)).collect();
        // Traefik's flags are always UTF-8; our own paths need not be.
        let Some(texts) = texts else { return Self::try_parse_from(arguments) };
        let sorted = setup::input::split_arguments(texts);
        let mut cli = Self::try_parse_from(sorted.others)?;
        if let Some(flag) = sorted.flags.first().or(sorted.config_files.first()) {
            let Some(inputs) = cli.command.inputs() else {
                let name = flag.split('=').next().unwrap_or_default();
                let why = format!("{name} is a flag of Traefik's, which this command does not take");
                return Err(Self::command().error(ErrorKind::UnknownArgument, why));
            };
            inputs.traefik = TraefikFlags(sorted.flags);
            inputs.config.extend(sorted.config_files.into_iter().map(Into::into));
        }
        Ok(cli)
    }
}

impl Command {
    /// The configuration's flags, for the commands that take them.
    fn inputs(&mut self) -> Option<&mut InputArgs> {
        match self {
            Self::Render(args) => Some(&mut args.inputs),
            Self::Check(args) => Some(&mut args.inputs),
            Self::Run(args) => Some(&mut args.inputs),
            Self::DnsProvider
            | Self::DnsProviders(_)
            | Self::ExecEnvoy(_)
            | Self::Export(_)
            | Self::Import(_)
            | Self::Schema
            | Self::Sidecar(_) => None,
        }
    }

    /// Runs the command; returns its exit status.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Check(args) => check::run(*args),
            Self::DnsProvider => dns01::provider::run_worker(),
            Self::DnsProviders(args) => dns_providers::run(&args),
            Self::Export(args) => export::run(args),
            Self::Import(args) => import::run(&args),
            Self::Render(args) => render::run(&args),
            Self::ExecEnvoy(args) => run::exec_envoy(&args),
            Self::Run(args) => run::run(*args),
            Self::Schema => schema::run(),
            Self::Sidecar(args) => serve::run(&args),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_command_without_inputs_takes_no_flag_of_traefiks() {
        let read = |arguments: &[&str]| Cli::read(arguments.iter().map(OsString::from));
        assert!(read(&["envoy-autocert", "schema"]).is_ok());
        let refusal = read(&["envoy-autocert", "schema", "--entryPoints.web.address=:80"]).unwrap_err().to_string();
        assert!(refusal.contains("--entryPoints.web.address is a flag of Traefik's"), "{refusal}");
    }

    #[test]
    fn every_flag_has_an_environment_variable_named_like_it() {
        for command in Cli::command().get_subcommands() {
            for argument in command.get_arguments().filter(|argument| argument.get_id() != "help") {
                let Some(long) = argument.get_long() else { continue };
                let expected = format!("ENVOY_AUTOCERT_{}", long.replace('-', "_").to_uppercase());
                assert_eq!(argument.get_env().unwrap().to_str(), Some(expected.as_str()));
            }
        }
    }
}
