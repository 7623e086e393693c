//! `envoy-autocert`: the sidecar and the tools around it.

use std::process::ExitCode;

use sidecar::cli::Cli;

fn main() -> ExitCode {
    match Cli::read(std::env::args_os()) {
        Ok(cli) => cli.command.run(),
        Err(error) => error.exit(),
    }
}
