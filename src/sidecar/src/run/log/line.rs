//! A line of Envoy's log.

use protocol::SecretText;
use serde::Deserialize;
use tracing::Level;

use crate::complaint;
use crate::logging::ENVOY;

/// The prefix of this program's plugin's lines, and Envoy's own prefix of any plugin's lines.
const PLUGIN: &str = "envoy-autocert: ";
const OF_A_PLUGIN: &str = "wasm log ";

/// A line of Envoy's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    level: Level,
    /// The component of Envoy; `None` if the line is no part of its log, but the system's, for example.
    component: Option<String>,
    message: String,
}

/// The line in the format of [`super::arguments`].
#[derive(Deserialize)]
struct Written {
    level: String,
    component: String,
    message: String,
}

impl Line {
    /// Parses a line. A line outside of Envoy's format becomes a warning: a crashing program writes such lines.
    pub(super) fn parse(text: &str) -> Self {
        match serde_json::from_str(text) {
            Ok(Written { level, component, message }) => {
                Self { level: ours(&level), component: Some(component), message }
            }
            Err(_) => Self { level: Level::WARN, component: None, message: text.to_owned() },
        }
    }

    /// The message of this program's plugin.
    fn of_plugin(&self) -> Option<&str> {
        let (_, said) = self.message.strip_prefix(OF_A_PLUGIN)?.split_once(": ")?;
        said.starts_with(PLUGIN).then_some(said)
    }

    /// Writes the line to our log, with these tokens removed.
    pub(super) fn write(&self, hidden: &[SecretText]) {
        let component = self.component.as_deref();
        let text = match self.of_plugin() {
            Some(said) => return self.log(&acme::one_line(said), None),
            None if self.message.starts_with(PLUGIN) => self.message.clone(),
            None => format!("Envoy: {}", complaint::shown(&self.message, hidden)),
        };
        self.log(&acme::one_line(&text), component);
    }

    /// True if the line is a warning.
    pub(super) fn is_warning(&self) -> bool {
        self.level == Level::WARN
    }

    fn log(&self, text: &str, component: Option<&str>) {
        match self.level {
            Level::ERROR => tracing::error!(target: ENVOY, component, "{text}"),
            Level::WARN => tracing::warn!(target: ENVOY, component, "{text}"),
            Level::INFO => tracing::info!(target: ENVOY, component, "{text}"),
            Level::DEBUG => tracing::debug!(target: ENVOY, component, "{text}"),
            Level::TRACE => tracing::trace!(target: ENVOY, component, "{text}"),
        }
    }
}

/// Our level for Envoy's name of a level.
fn ours(level: &str) -> Level {
    match level {
        "trace" => Level::TRACE,
        "debug" => Level::DEBUG,
        "info" => Level::INFO,
        "warning" => Level::WARN,
        // error and critical
        _ => Level::ERROR,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_of_the_plugin_is_known_and_said_in_its_own_words() {
        let text = r#"{"level":"info","component":"wasm","message":"wasm log envoy-autocert envoy-autocert: envoy-autocert: a.example: issued"}"#;
        let line = Line::parse(text);
        assert_eq!((line.level, line.of_plugin()), (Level::INFO, Some("envoy-autocert: a.example: issued")));
        let other = r#"{"level":"info","component":"wasm","message":"wasm log other: a.example: issued"}"#;
        assert_eq!(Line::parse(other).of_plugin(), None);
    }

    #[test]
    fn a_line_of_envoys_keeps_its_level_its_part_and_all_of_its_message() {
        let line = Line::parse(r#"{"level":"critical","component":"backtrace","message":"a\nb \"c\""}"#);
        let expected =
            Line { level: Level::ERROR, component: Some("backtrace".into()), message: "a\nb \"c\"".to_owned() };
        assert_eq!(line, expected);
    }

    #[test]
    fn what_is_no_line_of_envoys_log_is_not_lost() {
        for text in ["terminate called without an active exception", "{", r#"{"level":1}"#, ""] {
            let line = Line::parse(text);
            assert_eq!((line.level, line.component, line.message.as_str()), (Level::WARN, None, text));
        }
    }
}
