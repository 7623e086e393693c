//! The flags that make Envoy log in a format understood here.

use tracing_subscriber::filter::LevelFilter;

/// The format of Envoy's lines: an object that [`super::line::Line`] parses. The message is escaped, so it is one line.
const FORMAT: &str = r#"{"level":"%l","component":"%n","message":"%j"}"#;

/// The flags, together with the user's own, which take precedence. `level` is that of our log.
pub(in crate::run) fn arguments(own: &[String], level: LevelFilter) -> Vec<String> {
    let has = |names: &[&str]| {
        own.iter().any(|argument| {
            let name = argument.split('=').next().unwrap_or_default();
            names.contains(&name) || (names.contains(&"-l") && argument.starts_with("-l"))
        })
    };
    let mut all = Vec::new();
    if !has(&["--log-format"]) {
        all.extend(["--log-format".to_owned(), FORMAT.to_owned()]);
    }
    if !has(&["-l", "--log-level"]) {
        all.extend(["--log-level".to_owned(), envoys(level.min(LevelFilter::WARN)).to_owned()]);
        if !has(&["--component-log-level", "--enable-fine-grain-logging"]) {
            // The plugin's lines: orders, certificates and failures.
            all.extend(["--component-log-level".to_owned(), format!("wasm:{}", envoys(level))]);
        }
    }
    all.extend(own.iter().cloned());
    all
}

/// Envoy's name of a level.
fn envoys(level: LevelFilter) -> &'static str {
    match level.into_level() {
        None => "off",
        Some(tracing::Level::ERROR) => "error",
        Some(tracing::Level::WARN) => "warning",
        Some(tracing::Level::INFO) => "info",
        Some(tracing::Level::DEBUG) => "debug",
        Some(tracing::Level::TRACE) => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(own: &[&str], level: LevelFilter) -> Vec<String> {
        arguments(&own.iter().map(|argument| (*argument).to_owned()).collect::<Vec<_>>(), level)
    }

    #[test]
    fn envoy_is_quiet_and_the_plugin_is_heard_unless_envoys_own_flags_say_otherwise() {
        let quiet = ["--log-level", "warning", "--component-log-level", "wasm:info"];
        assert_eq!(of(&[], LevelFilter::INFO)[2..], quiet);
        assert_eq!(of(&["--concurrency", "2"], LevelFilter::INFO)[6..], ["--concurrency", "2"]);
        for own in [&["-l", "debug"][..], &["-ldebug"], &["--log-level", "debug"], &["--log-level=debug"]] {
            assert_eq!(of(own, LevelFilter::INFO)[2..], *own);
        }
        let own = ["--component-log-level", "upstream:debug,wasm:info"];
        assert_eq!(of(&own, LevelFilter::INFO)[2..], ["--log-level", "warning", own[0], own[1]]);
        assert_eq!(of(&["--log-format", "%v", "-l", "info"], LevelFilter::INFO), ["--log-format", "%v", "-l", "info"]);
    }

    #[test]
    fn a_log_that_is_to_be_quieter_or_louder_is_so() {
        let levels = |level| of(&[], level)[2..].to_vec();
        assert_eq!(levels(LevelFilter::OFF), ["--log-level", "off", "--component-log-level", "wasm:off"]);
        assert_eq!(levels(LevelFilter::ERROR), ["--log-level", "error", "--component-log-level", "wasm:error"]);
        assert_eq!(levels(LevelFilter::DEBUG), ["--log-level", "warning", "--component-log-level", "wasm:debug"]);
    }
}
