//! Logs: one line for each event, on stderr.
//!
//! Text from outside is in fields, which are written quoted and escaped, so that it can't forge a line.

use std::str::FromStr;

use clap::ValueEnum;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object for each line.
    Json,
    /// For people.
    Text,
}

/// Which log lines are written.
#[derive(Clone, Debug)]
pub struct LogLevel(Targets);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Targets::from_str(text).map(Self).map_err(|_| {
            "expected off, error, warn, info, debug or trace, or some of them for modules, as in \
             \"info,sidecar::sds=debug\""
                .to_owned()
        })
    }
}

/// Starts to log. Later calls change nothing.
pub fn start(level: &LogLevel, format: LogFormat) {
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.with_target(false).boxed(),
    };
    // It fails when there is one already.
    let _ = tracing_subscriber::registry().with(layer.with_filter(level.0.clone())).try_init();
}
