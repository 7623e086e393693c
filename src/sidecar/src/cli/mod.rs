//! The command line. Every flag is also an environment variable, which the flag overrides.
//!
//! Each command has a file with its flags; where it is more than a call, another one that runs it.

mod export;
mod import;
mod serve;
mod sidecar;
mod storages;
mod values;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub use export::ExportArgs;
pub use import::ImportArgs;
pub use sidecar::SidecarArgs;
pub use storages::{StorageChoice, storages};
pub use values::{DefaultChoice, GroupId, LoopbackAddress, StoragePath};

/// Automatic HTTPS for Envoy: certificates from an ACME CA, renewed and served without a restart.
#[derive(Debug, Parser)]
#[command(name = "envoy-autocert", version, max_term_width = 120)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes certificates and keys to PEM files, once or whenever they change.
    Export(ExportArgs),
    /// Takes over certificates and accounts of Traefik, certbot, Caddy or lego, without any new order.
    Import(Box<ImportArgs>),
    /// Keeps keys and certificates, and serves them to Envoy by SDS.
    Sidecar(Box<SidecarArgs>),
}

impl Command {
    /// Does it, and says whether it went well.
    pub fn run(self) -> ExitCode {
        match self {
            Self::Export(args) => export::run(args),
            Self::Import(args) => import::run(&args),
            Self::Sidecar(args) => serve::run(&args),
        }
    }
}

/// Also where logs are off or JSON: a person starts these commands by hand.
fn failed(why: &str) -> ExitCode {
    eprintln!("envoy-autocert: {why}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
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
