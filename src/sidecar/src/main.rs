//! `envoy-autocert`: the sidecar and the tools around it.

use std::process::ExitCode;

use clap::Parser;
use sidecar::cli::Cli;

fn main() -> ExitCode {
    Cli::parse().command.run()
}
