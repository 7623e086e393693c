//! How a command fails.

use std::process::ExitCode;

/// Also where logs are off or JSON: a person starts these commands by hand.
pub(super) fn failed(why: &str) -> ExitCode {
    eprintln!("envoy-autocert: {why}");
    ExitCode::FAILURE
}
