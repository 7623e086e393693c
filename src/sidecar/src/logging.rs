//! Logs: one line for each event, on stderr.
//!
//! Text from outside is in fields, which are written quoted and escaped, so that it can't forge a line.

use std::str::FromStr;

use clap::ValueEnum;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object for each line.
    Json,
    /// Text for people.
    Text,
}

/// The levels of log lines, by module.
#[derive(Clone, Debug)]
pub struct LogLevel(Targets);

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A misspelt level would be taken for a module, and all other modules would be silent.
        let is_level = |part: &str| part.contains('=') || LevelFilter::from_str(part.trim()).is_ok();
        let targets = text.split(',').all(is_level).then(|| Targets::from_str(text).ok()).flatten();
        targets.map(Self).ok_or_else(|| {
            "expected off, error, warn, info, debug or trace, or some of them for modules, as in \
             \"info,dns01=debug\""
                .to_owned()
        })
    }
}

/// The target of Envoy's lines in our log. Envoy's own flags filter its lines, so ours pass all of them on.
pub const ENVOY: &str = "envoy";

impl LogLevel {
    /// The level of modules that are not named.
    pub fn default_level(&self) -> LevelFilter {
        self.0.default_level().unwrap_or(LevelFilter::OFF)
    }

    fn with_envoys(&self) -> Targets {
        let is_named = self.0.iter().any(|(target, _)| target == ENVOY);
        if is_named { self.0.clone() } else { self.0.clone().with_target(ENVOY, LevelFilter::TRACE) }
    }
}

/// Starts logging. Later calls change nothing.
pub fn start(level: &LogLevel, format: LogFormat) {
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(false);
    let layer = match format {
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
        LogFormat::Text => layer.with_target(false).boxed(),
    };
    // Initialization fails when a logger is set already.
    let _ = tracing_subscriber::registry().with(layer.with_filter(level.with_envoys())).try_init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_that_is_misspelt_is_refused() {
        for level in ["info", "off", "info,dns01=debug", "WARN"] {
            assert!(LogLevel::from_str(level).is_ok(), "{level}");
        }
        for level in ["debg", "info,dns01", "sidecar=loud"] {
            assert!(LogLevel::from_str(level).is_err(), "{level}");
        }
    }
}
