//! The tokens by which the sidecar knows its own clients: each stream for secrets has one, and so has the plugin.
//!
//! Whether it is the right one only the sidecar knows. A placeholder is as good: somebody is to fill it in.

use std::collections::HashSet;

use super::clusters::once;
use super::finding::quoted;
use super::plugin::Plugin;
use super::{Finding, Report};
use crate::envoy::tokens::METADATA;
use crate::located::At;

/// The plugin's, for the API.
pub(super) fn check(plugins: &[Plugin<'_>], report: &mut Report) {
    for configured in once(plugins).into_iter().filter(|configured| configured.config.sidecar_tokens.is_empty()) {
        let at = &configured.at;
        let expected = "one of the tokens of the sidecar's --api-token-file: without it the sidecar answers nothing, and \
                        what instances share is not signed";
        let finding = Finding {
            path: format!("{}.sidecar.token", at.path),
            line: Some(at.line_of("sidecar")),
            ..Finding::at(at, "nothing", expected)
        };
        report.mistake(finding);
    }
}

/// Those of streams: `sources` are configurations that lead to the sidecar's SDS.
pub(super) fn streams<'a>(sources: impl IntoIterator<Item = At<'a>>, report: &mut Report) {
    let mut told: HashSet<usize> = HashSet::new();
    for source in sources {
        // An alias stands in many places.
        if told.insert(source.node.start) {
            stream(&source, report);
        }
    }
}

/// `grpc_services` stand in an `api_config_source`, or in an `ads_config`.
fn stream(source: &At<'_>, report: &mut Report) {
    let source = source.get("api_config_source").unwrap_or_else(|| source.clone());
    let Some(service) = source.list("grpc_services").into_iter().next() else { return };
    let is_token = |entry: &At<'_>| entry.text_of("key").is_some_and(|key| key.eq_ignore_ascii_case(METADATA));
    let expected = "one of the tokens of the sidecar's --sds-token-file: without it no secret is there";
    match service.list("initial_metadata").iter().find(|entry| is_token(entry)) {
        None => {
            let expected = format!("`{{ key: {METADATA}, value: TOKEN }}` with {expected}");
            report.mistake(match service.get("initial_metadata") {
                Some(at) => Finding::at(&at, format!("no {METADATA}"), expected),
                None => Finding::missing(&service, "initial_metadata", expected),
            });
        }
        Some(entry) => match entry.text_of("value").filter(|value| !value.is_empty()) {
            None => report.mistake(Finding::missing(entry, "value", expected)),
            // Of an asynchronous stream Envoy sends it as it stands here.
            Some(value) if value.contains('%') => {
                report.mistake(Finding::at(entry, quoted(value), format!("{expected}; Envoy replaces nothing in it")))
            }
            Some(_) => {}
        },
    }
}
