//! Checks the tokens by which the sidecar knows its own clients: each SDS stream has one, and so has the plugin.
//!
//! Only the sidecar knows the right tokens. The first placeholder of each kind is a warning: all are filled in at once.
//! The text in a token's place is never shown.

use std::collections::HashSet;
use std::ptr;

use config::is_token;
use protocol::SecretText;

use super::clusters::once;
use super::document::Document;
use super::plugin::{Configured, Plugin};
use super::{Finding, Report};
use protocol::tokens::{METADATA, is_placeholder};
use yaml::{At, Node};

/// Designation of an unfilled token in findings.
const PLACEHOLDER: &str = "a placeholder";

/// Checks the plugin's token for the API; returns the node of a placeholder.
pub(super) fn check(plugins: &[Plugin<'_>], report: &mut Report) {
    let all = once(plugins);
    for Configured { at, .. } in all.iter().filter(|configured| configured.config.sidecar_tokens.is_empty()) {
        let expected = "one of the tokens of the sidecar's --api-token-file: without it the sidecar answers nothing, and \
                        shared data is not signed";
        let finding = Finding {
            path: format!("{}.sidecar.token", at.path),
            line: Some(at.line_of("sidecar")),
            ..Finding::at(at, "nothing", expected)
        };
        report.mistake(finding);
    }
    let stands = |token: &SecretText| is_placeholder(token.expose().as_bytes());
    if let Some(Configured { at, .. }) =
        all.iter().find(|configured| configured.config.sidecar_tokens.iter().any(stands))
    {
        let path = format!("{}.sidecar.token", at.path);
        let line = Some(at.line_of("sidecar.token"));
        report.warning(Finding { path, line, ..Finding::at(at, PLACEHOLDER, filled_in("--api-token-file")) });
    }
}

fn filled_in(flag: &str) -> String {
    format!("the sidecar's token: `envsubst` fills it in, or `envoy-autocert render` with {flag}")
}

/// All tokens: the plugin's, and the metadata of any stream.
pub(super) fn all(documents: &[Document], plugins: &[Plugin<'_>]) -> Vec<SecretText> {
    let configs = plugins.iter().filter_map(|plugin| plugin.config.as_ref());
    let mut tokens: Vec<SecretText> = configs.flat_map(|configured| configured.config.sidecar_tokens.clone()).collect();
    let mut seen: HashSet<*const Node> = HashSet::new();
    let mut left: Vec<At<'_>> = documents.iter().map(Document::top).collect();
    while let Some(at) = left.pop() {
        // An alias occurs in many places.
        if seen.insert(ptr::from_ref(at.node.shared())) {
            let metadata = at.list("initial_metadata");
            let values = metadata.iter().filter_map(|entry| entry.text_of("value"));
            tokens.extend(values.map(|value| SecretText::new(value.to_owned())));
            left.extend(at.items());
            left.extend(at.members().into_iter().map(|(_, member)| member));
        }
    }
    tokens
}

/// Checks the tokens of streams: `sources` are configurations that lead to the sidecar's SDS.
pub(super) fn streams<'a>(sources: impl IntoIterator<Item = At<'a>>, report: &mut Report) {
    let mut reported: HashSet<usize> = HashSet::new();
    let mut placeholder = None;
    for source in sources {
        // An alias occurs in many places.
        if reported.insert(source.node.shared().start) {
            let found = stream(&source, report);
            placeholder = placeholder.or(found);
        }
    }
    if let Some(at) = placeholder {
        report.warning(Finding::at(&at, PLACEHOLDER, filled_in("--sds-token-file")));
    }
}

/// Checks the token of one stream; returns the node of a placeholder. `grpc_services` are in an `api_config_source`, or
/// in an `ads_config`.
fn stream<'a>(source: &At<'a>, report: &mut Report) -> Option<At<'a>> {
    let source = source.get("api_config_source").unwrap_or_else(|| source.clone());
    let service = source.list("grpc_services").into_iter().next()?;
    let is_token = |entry: &At<'_>| entry.text_of("key").is_some_and(|key| key.eq_ignore_ascii_case(METADATA));
    let expected = "one of the tokens of the sidecar's --sds-token-file: without it the sidecar serves no secret";
    match service.list("initial_metadata").iter().find(|entry| is_token(entry)) {
        None => {
            let expected = format!("`{{ key: {METADATA}, value: TOKEN }}` with {expected}");
            report.mistake(match service.get("initial_metadata") {
                Some(at) => Finding::at(&at, format!("no {METADATA}"), expected),
                None => Finding::missing(&service, "initial_metadata", expected),
            });
        }
        Some(entry) => match entry.get("value") {
            None => report.mistake(Finding::missing(entry, "value", expected)),
            Some(at) => return value(at, expected, report),
        },
    }
    None
}

/// The text that is sent as the token.
fn value<'a>(at: At<'a>, expected: &str, report: &mut Report) -> Option<At<'a>> {
    let text = at.text().unwrap_or_default();
    if is_placeholder(text.as_bytes()) {
        return Some(at);
    }
    if text.is_empty() {
        report.mistake(Finding::at(&at, "nothing", expected));
    // For an asynchronous stream, Envoy sends the text without expanding it.
    } else if text.contains('%') {
        report.mistake(Finding::at(&at, "a text with %", format!("{expected}; Envoy replaces nothing in it")));
    } else if !is_token(text) {
        let expected = format!("{expected}: 16 to 4096 printable ASCII characters, none of them a space");
        report.mistake(Finding::at(&at, "something else", expected));
    }
    None
}
