//! Envoy's messages about a configuration that it refuses, in a form that may be shown.
//!
//! Envoy prints the whole protobuf message that it rejects, field by field. Promises: the fault is shown, and nothing
//! of the rejected message; no token is.

use protocol::SecretText;

use dns01::provider::Scrub;

/// The most lines that are shown.
const MAX_LINES: usize = 20;

/// The prefix of a protobuf message's debug text.
const WRITTEN_OUT: &str = "goo.gle/debug";

/// The prefixes of a reason in brackets, which precedes or follows the rejected message.
const REASONS: [&str; 2] = ["Proto constraint validation failed (", "Unable to parse JSON as proto ("];

/// The lines that state the fault, without time, thread and position in Envoy's source. `tokens` are those of the
/// configuration. The last line is the reason why Envoy ended.
pub(crate) fn lines(said: &str, tokens: &[SecretText]) -> Vec<String> {
    let scrub = tokens.iter().fold(Scrub::default(), |scrub, token| scrub.and(token.expose()));
    let mut shown: Vec<String> = Vec::new();
    for record in records(said) {
        let told = scrub.text(&headline(&record)).replace(char::is_control, " ");
        // Protobuf varies the spaces of its debug text, so that nobody relies on them.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        if !told.is_empty() && !shown.iter().any(|known| known.ends_with(&told)) {
            shown.push(told);
        }
    }
    shown.drain(..shown.len().saturating_sub(MAX_LINES));
    if shown.is_empty() {
        shown.push("it did not say why".to_owned());
    }
    shown
}

/// Envoy's reason for refusing a configuration, as one sentence: its last error, and in brackets the messages before
/// it.
pub(crate) fn refusal(said: &str, tokens: &[SecretText]) -> String {
    let mut lines = lines(said, tokens);
    let last = lines.pop().unwrap_or_default();
    // The caller knows the name of the file.
    let why = last.strip_prefix('\'').and_then(|rest| rest.split_once("': ")).map_or(last.as_str(), |(_, why)| why);
    if lines.is_empty() { why.to_owned() } else { format!("{why} ({})", lines.join("; ")) }
}

/// A message of Envoy's log as it may be shown: without the configuration message it is about.
pub(crate) fn shown(message: &str, tokens: &[SecretText]) -> String {
    let is_complaint = REASONS.iter().chain([&WRITTEN_OUT]).any(|sign| message.contains(sign));
    let told = if is_complaint { headline(&message.lines().collect::<Vec<_>>()) } else { message.to_owned() };
    tokens.iter().fold(Scrub::default(), |scrub, token| scrub.and(token.expose())).text(&told)
}

/// The warning of an Envoy built without a runtime for WebAssembly, or without any WebAssembly.
const NO_RUNTIME: [&str; 2] = ["Wasm VM", "compiled without support for it"];
const NO_WASM: [&str; 2] = ["could not find @type 'type.googleapis.com/envoy.extensions.", ".wasm.v3."];
/// The error of an Envoy that has not loaded a plugin, whatever the reason.
const NOT_LOADED: &str = "Failed to load Wasm code";

/// True if this output may come from an Envoy that can't run any plugin: that Envoy says so where warnings are logged.
pub(crate) fn may_lack_wasm(said: &str) -> bool {
    said.contains(NOT_LOADED) || lacks_wasm(said)
}

/// True if this output comes from an Envoy that can't run any plugin.
pub(crate) fn lacks_wasm(said: &str) -> bool {
    let has = |line: &str, parts: [&str; 2]| parts.iter().all(|part| line.contains(part));
    said.lines().any(|line| has(line, NO_RUNTIME) || has(line, NO_WASM))
}

/// The lines of each log record. Lines before Envoy's first record come from others, such as a system that can't start
/// Envoy.
fn records(said: &str) -> Vec<Vec<&str>> {
    let mut records: Vec<Vec<&str>> = Vec::new();
    let mut is_in_one = false;
    for line in said.lines() {
        let begins = is_logged(line) || line.starts_with("error initializing ");
        match records.last_mut() {
            Some(record) if is_in_one && !begins => record.push(line),
            _ => records.push(vec![line]),
        }
        is_in_one |= begins;
    }
    records
}

/// True for a line that begins a record of Envoy's log: `[2026-11-24 12:00:00.000][1][critical][main] …`
fn is_logged(line: &str) -> bool {
    line.strip_prefix('[').and_then(|date| date.split_once('-')).is_some_and(|(year, _)| year.parse::<u16>().is_ok())
}

/// The fault of a record, without the rejected message.
fn headline(record: &[&str]) -> String {
    let mut told = record.first().copied().unwrap_or_default();
    if is_logged(told) {
        while let Some((_, rest)) = told.strip_prefix('[').and_then(|field| field.split_once(']')) {
            told = rest.trim_start();
        }
    }
    let told = told.trim_start_matches("error initializing configuration ");
    let before = |end: &str| told.split_once(end).map(|(before, _)| before);
    let start = before(WRITTEN_OUT).or_else(|| REASONS.iter().find_map(|reason| before(reason))).unwrap_or(told);
    let start = start.trim().trim_end_matches(':');
    let lines = || record.iter().copied();
    let reason =
        REASONS.iter().find_map(|reason| lines().find_map(|line| Some(bracketed(line.get(line.find(reason)?..)?))));
    // The reason follows the debug text; no line of the debug text begins like this.
    let reason = reason.or_else(|| lines().skip(1).rev().find_map(|line| line.strip_prefix(": ")));
    match reason {
        Some(reason) if start.is_empty() => reason.to_owned(),
        Some(reason) => format!("{start}: {reason}"),
        None => start.to_owned(),
    }
}

/// The text up to its closing bracket, or, if a quoted bracket confuses that, up to a message in JSON.
fn bracketed(text: &str) -> &str {
    let text = text.find("): {").and_then(|end| text.get(..=end)).unwrap_or(text);
    let mut depth = 0_usize;
    for (index, character) in text.char_indices() {
        match character {
            '(' => depth = depth.saturating_add(1),
            ')' if depth <= 1 => return text.get(..=index).unwrap_or(text),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    const LOGGED: &str =
        "[2026-11-30 02:02:52.839][22750][critical][main] [source/server/config_validation/server.cc:76] ";

    fn told(said: &str) -> Vec<String> {
        lines(said, &[SecretText::new("0123456789abcdef-token".to_owned())])
    }

    #[test]
    fn a_line_of_envoys_log_is_cut_to_what_it_says() {
        let said = "error initializing configuration 'a.yaml': no such field: 'x' in a[0] b\n";
        assert_eq!(told(&format!("{LOGGED}{said}{said}\n")), ["'a.yaml': no such field: 'x' in a[0] b"]);
        assert_eq!(told(""), ["it did not say why"]);
        assert_eq!(told("envoy: libc.so.6: not found\n"), ["envoy: libc.so.6: not found"]);
    }

    /// M4: as Envoy 1.40 says it.
    #[test]
    fn nothing_is_shown_of_a_message_that_is_wrong() {
        let constraint = "Proto constraint validation failed (SdsSecretConfigValidationError.Name: value length must be \
                          at least 1 characters (of UTF-8))";
        for said in [
            format!("goo.gle/debugonly  \ninitial_metadata {{\n  value: \"s3cret\"\n}}\n: {constraint}\n"),
            format!("{constraint}: initial_metadata {{\n  value: \"s3cret\"\n}}\n"),
            format!("{constraint}: value: \"s3cret\"\n"),
        ] {
            let said = format!("{LOGGED}error initializing configuration 'a.json': {said}");
            assert_eq!(told(&said), [format!("'a.json': {constraint}")]);
        }
        let said = format!(
            "{LOGGED}error initializing configuration 'b.json': Invalid duration: Expected positive duration: \
             goo.gle/debugstr  \nseconds: -1\n\n"
        );
        assert_eq!(told(&said), ["'b.json': Invalid duration: Expected positive duration"]);
        for json in ["{\"a\": \"s3cret\"}", "{\n[\n\"s3cret\",\n\"b)\"]\n}"] {
            for reason in ["near 1:8 (offset 7): it must end with a single 's'", "what is this: \"(\"?"] {
                let said = format!(
                    "{LOGGED}error initializing configuration 'c.json': Unable to parse JSON as proto ({reason}): {json}\n"
                );
                let [line] = told(&said).try_into().unwrap_or_else(|lines: Vec<_>| panic!("{lines:?}"));
                assert!(
                    line.starts_with("'c.json': Unable to parse JSON as proto (") && line.contains(reason),
                    "{line}"
                );
                assert!(!line.contains("s3cret"), "{line}");
            }
        }
    }

    #[test]
    fn a_line_of_the_log_of_a_running_envoy_shows_as_little() {
        let tokens = [SecretText::new("0123456789abcdef-token".to_owned())];
        let refused = "Error adding/updating listener(s) web: Proto constraint validation failed (Invalid: a | caused by b): \
                       name: \"s3cret\"\nport: 1\n";
        let expected =
            "Error adding/updating listener(s) web: Proto constraint validation failed (Invalid: a | caused by b)";
        assert_eq!(shown(refused, &tokens), expected);
        let other = "caught SIGSEGV\nBacktrace of 0123456789abcdef-token";
        assert_eq!(shown(other, &tokens), "caught SIGSEGV\nBacktrace of …");
    }

    /// A7.
    #[test]
    fn a_refusal_is_one_sentence() {
        let file = format!("{LOGGED}error initializing configuration 'a.yaml': ");
        let dump = "goo.gle/debugstr  \nroute_config {\n  virtual_hosts {\n    name: \"s3cret\"\n  }\n}\n";
        let nested = "Proto constraint validation failed (BootstrapValidationError.Admin: embedded message failed validation | \
                      caused by PipeValidationError.Mode: value must be less than or equal to 511)";
        for (said, why) in [
            (format!("{file}{dump}: {nested}\n"), nested),
            (format!("{file}{dump}: Something else is   wrong\n"), "Something else is wrong"),
            (format!("{file}no  such   field: 'x'\n"), "no such field: 'x'"),
            (
                format!("{LOGGED}Wasm VM failed\n{LOGGED}Plugin failed\n{file}Unable to create Wasm plugin\n"),
                "Unable to create Wasm plugin (Wasm VM failed; Plugin failed)",
            ),
            (String::new(), "it did not say why"),
        ] {
            assert_eq!(refusal(&said, &[]), why);
        }
        let many: String = (0..MAX_LINES).map(|n| format!("{LOGGED}line {n}\n")).collect();
        assert!(refusal(&format!("{many}{file}the reason\n"), &[]).starts_with("the reason ("));
    }

    /// The first as Envoy 1.38.3 of a wheel without V8 says it.
    #[test]
    fn an_envoy_that_runs_no_plugin_is_known() {
        let runtime = "Failed to create Wasm VM using  runtime. Envoy was compiled without support for it";
        let service = "Unable to parse JSON as proto (INVALID_ARGUMENT: could not find @type \
                       'type.googleapis.com/envoy.extensions.wasm.v3.WasmService'): {";
        let filter = service.replace("wasm.v3.WasmService", "filters.http.wasm.v3.Wasm");
        for said in [runtime, service, filter.as_str()] {
            assert!(lacks_wasm(&format!("{LOGGED}a line\n{LOGGED}{said}\n")), "{said}");
        }
        let selector = service.replace("wasm.v3.WasmService", "cert_selectors.on_demand_secret.v3.Config");
        for said in [selector.as_str(), "Unable to create Wasm plugin envoy-autocert", ""] {
            assert!(!lacks_wasm(said), "{said}");
        }
    }

    #[test]
    fn a_token_is_shown_nowhere() {
        let said = format!("{LOGGED}error initializing configuration 'a': invalid value '0123456789abcdef-token'\n");
        assert_eq!(told(&said), ["'a': invalid value '…'"]);
    }
}
