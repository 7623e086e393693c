//! The flags of whoever logs.

use std::process::ExitCode;

use clap::Args;

use super::failure::failed;
use crate::logging::{LogFormat, LogLevel, start};

/// What is logged, and how it looks.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// Which log lines are written: off, error, warn, info, debug or trace; also for modules, as in
    /// info,sidecar::sds=debug.
    #[arg(long, env = "ENVOY_AUTOCERT_LOG_LEVEL", value_name = "LEVEL", default_value = "info", help_heading = "Logs")]
    pub log_level: LogLevel,

    /// How log lines look.
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
    /// Starts to log.
    pub(super) fn start(&self) {
        start(&self.log_level, self.log_format);
    }

    /// As [`super::failure::failed`], but by the log where that is JSON: who reads it takes every line for an object.
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
