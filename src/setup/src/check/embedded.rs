//! Envoy configurations embedded as texts in Kubernetes ConfigMaps, with the ConfigMap's line numbers.

use yaml::At;

use super::document::Document;
use super::foreign::texts;
use super::{Finding, Report};

/// An Envoy configuration in a ConfigMap.
#[derive(Debug)]
pub struct Embedded {
    /// The text.
    pub text: String,
    /// The documents; their source and their lines are the ConfigMap's.
    pub documents: Vec<Document>,
    /// The line of a quoted or folded text, which stands for all of its lines.
    line: Option<usize>,
    /// The name of the ConfigMap's key.
    path: String,
}

impl Embedded {
    /// Finds the configurations in a document; invalid YAML is a mistake.
    pub fn all(document: &Document, text: &str, report: &mut Report) -> Vec<Self> {
        let mut found = Vec::new();
        for (_, at) in texts(document) {
            let own = at.text().unwrap_or_default();
            let header = at.line.checked_sub(1).and_then(|index| text.lines().nth(index)).unwrap_or_default();
            let is_literal = at.node.block && header.split_whitespace().any(|word| word.starts_with('|'));
            let line = (!is_literal).then_some(at.line);
            match Document::all(&document.source, &below(own, &at, is_literal)) {
                Ok(documents) => found.push(Self { text: own.to_owned(), documents, line, path: at.path.clone() }),
                Err(broken) => {
                    let finding =
                        Finding { line: line.or(broken.line), ..Finding::at(&at, broken.what, "YAML, each key once") };
                    report.mistake(finding);
                }
            }
        }
        found
    }

    /// Converts findings in the text to findings in the ConfigMap.
    pub fn placed(&self, report: Report) -> Report {
        let converted = |finding: Finding| {
            let path = match finding.path.as_str() {
                "" => self.path.clone(),
                below => format!("{}: {below}", self.path),
            };
            Finding { line: self.line.or(finding.line), path, ..finding }
        };
        Report {
            mistakes: report.mistakes.into_iter().map(converted).collect(),
            warnings: report.warnings.into_iter().map(converted).collect(),
        }
    }
}

/// The text padded to the lines of the ConfigMap: a literal block begins on the line after its indicator.
fn below(text: &str, at: &At<'_>, is_literal: bool) -> String {
    if is_literal { "\n".repeat(at.line) + text } else { text.to_owned() }
}
