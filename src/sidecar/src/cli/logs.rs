//! The flags of logging.

use std::process::ExitCode;

use clap::Args;

use super::failure::failed;
use crate::logging::{LogFormat, LogLevel, start};

/// The log's level and format.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Log level: off, error, warn, info, debug or trace; also by module, as in info,dns01=debug.
    #[arg(long, env = "ENVOY_AUTOCERT_LOG_LEVEL", value_name = "LEVEL", default_value = "info", help_heading = "Logs")]
    pub log_level: LogLevel,

    /// Format of log lines.
    #[arg(
        long,
        env = "ENVOY_AUTOCERT_LOG_FORMAT",
        value_name = "FORMAT",
        default_value = "text",
        help_heading = "Logs"
    )]
    pub log_format: LogFormat,
}

impl LogArgs {
    /// Starts logging.
    pub(super) fn start(&self) {
        start(&self.log_level, self.log_format);
    }

    /// Reports a failure as [`super::failure::failed`] does, but as a log line if the log is JSON: its reader takes every line
    /// for an object.
    pub(super) fn failed(&self, why: &str) -> ExitCode {
        if self.log_format == LogFormat::Text || !tracing::enabled!(tracing::Level::ERROR) {
            return failed(why);
        }
        for line in why.lines() {
            tracing::error!("{}", line.strip_prefix("envoy-autocert: ").unwrap_or(line));
        }
        ExitCode::FAILURE
    }
}
