//! Reports that the plugin is missing, and how to add it to the listeners.

use super::document::Document;
use super::gather::Envoy;
use super::kind::{DocumentKind, kind};
use super::listeners::is_asked;
use super::typed::typed;
use super::{Finding, Report, foreign};

/// Beginning of the instruction: the plugin comes first in every list.
const PLUGIN: &str = "the plugin in http_filters of";
/// The command that prints the plugin and everything it needs, for manual editing.
const PIECES: &str = "`envoy-autocert render --format filter` prints it";

/// Reports a configuration without the plugin, in the bootstrap or in files that were given without one.
pub(super) fn check(envoy: &Envoy<'_>, documents: &[Document], report: &mut Report) {
    let Some(top) = documents.first().map(Document::top) else { return };
    let has_bootstrap = documents.iter().any(|document| kind(&document.top()) == DocumentKind::Bootstrap);
    let before = report.mistakes.len();
    if !has_bootstrap {
        documents
            .iter()
            .filter_map(|document| foreign::resources(&document.top()))
            .for_each(|file| report.mistake(file));
    }
    if report.mistakes.len() > before {
        return;
    }
    let finding = Finding::at(&top, "no filter or service with the plugin", expected(envoy, documents));
    let asked = envoy.listeners.iter().find(|listener| is_asked(listener));
    let finding = Finding { line: asked.map(|listener| listener.at.line), ..finding };
    if envoy.all_listeners { report.mistake(finding) } else { report.warning(finding) }
}

fn expected(envoy: &Envoy<'_>, documents: &[Document]) -> String {
    let is_file = |document: &&Document| {
        let top = document.top();
        let is_listener = |at: &_| typed(at).is_some_and(|typed| typed.name == "Listener");
        kind(&top) == DocumentKind::Pieces && top.list("resources").iter().chain([&top]).any(is_listener)
    };
    if let Some(file) = documents.iter().find(is_file) {
        return format!("{PLUGIN} the listener on port 80, in {}: {PIECES}", file.source);
    }
    if !envoy.all_listeners {
        return format!("{PLUGIN} the listener on port 80, wherever that comes from: {PIECES}");
    }
    let listener = match envoy.listeners.iter().any(is_asked) {
        true => "the listener on port 80",
        false => "a listener on port 80, or tlsChallenge, which needs none",
    };
    format!("{PLUGIN} {listener}; `envoy-autocert render --into` adds it")
}
