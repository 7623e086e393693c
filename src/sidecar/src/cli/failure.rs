//! How a command fails.

use std::process::ExitCode;

/// Prints an error, also if logs are off or JSON: a person starts these commands by hand.
pub(super) fn failed(why: &str) -> ExitCode {
    eprintln!("envoy-autocert: {why}");
    ExitCode::FAILURE
}
