//! `dns-providers`: the providers of DNS-01, and their variables.

use std::io::Write;
use std::process::ExitCode;

use clap::Args;

use super::failure::failed;
use dns01::provider;

/// The format of the list.
#[derive(Debug, Args)]
pub struct DnsProvidersArgs {
    /// Prints JSON instead of Markdown.
    #[arg(long, env = "ENVOY_AUTOCERT_JSON")]
    json: bool,
}

/// Prints the providers.
pub(super) fn run(args: &DnsProvidersArgs) -> ExitCode {
    let text = if args.json { provider::json() } else { provider::markdown() };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&format!("the list can't be written: {error}")),
    }
}
