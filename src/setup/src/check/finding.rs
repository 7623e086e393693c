//! Findings of the checks, for users and for scripts.

use std::fmt;

use config::nearest;
use serde::Serialize;
use yaml::At;

use crate::input::Mistake;
pub(super) use crate::input::quoted;

/// A mistake, or a cause for a warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file, or the form of input: `--domain`.
    pub source: String,
    /// The path of the field; empty for the whole file.
    pub path: String,
    /// The value found.
    pub found: String,
    /// The value expected, as an instruction.
    pub expected: String,
    /// The nearest known word, if one is similar.
    pub nearest: Option<String>,
    /// The line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
}

impl fmt::Display for Finding {
    /// Formats as `envoy.yaml:12: static_resources.clusters[0].name: found "x", expected y; did you mean z?`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.source.is_empty() && self.expected.is_empty() {
            return f.write_str(&self.found);
        }
        write!(f, "{}:", self.source)?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if !self.path.is_empty() {
            write!(f, " {}:", self.path)?;
        }
        write!(f, " found {}", self.found)?;
        if !self.expected.is_empty() {
            write!(f, ", expected {}", self.expected)?;
        }
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

impl From<Mistake> for Finding {
    /// Converts a mistake in an input: its file, or the kind of input.
    fn from(Mistake { source, position, mistake }: Mistake) -> Self {
        Self {
            source: source.unwrap_or_else(|| "configuration".to_owned()),
            path: mistake.path,
            found: mistake.found,
            expected: mistake.expected,
            nearest: mistake.nearest,
            line: position.and_then(|(line, _)| usize::try_from(line).ok()),
        }
    }
}

impl Finding {
    /// A foreign program's message, on one line of its own.
    pub fn said(line: &str) -> Self {
        let empty = String::new();
        Self {
            source: empty.clone(),
            path: empty.clone(),
            found: line.to_owned(),
            expected: empty,
            nearest: None,
            line: None,
        }
    }

    /// A finding about this node.
    pub fn at(at: &At<'_>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self {
            source: at.source.to_owned(),
            path: at.path.clone(),
            found: found.into(),
            expected: expected.into(),
            nearest: None,
            line: Some(at.line),
        }
    }

    /// A finding about a missing member of this object.
    pub fn missing(at: &At<'_>, member: &str, expected: impl Into<String>) -> Self {
        let path = member.split('.').fold(at.path.clone(), |path, name| {
            if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
        });
        Self { path, ..Self::at(at, "nothing", expected) }
    }

    /// Adds the known word that is most similar to this one.
    pub fn near<'k>(self, word: &str, known: impl IntoIterator<Item = &'k str>) -> Self {
        Self { nearest: nearest(word, known), ..self }
    }
}

/// The findings of all checks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Findings that make the configuration fail, or unsafe.
    pub mistakes: Vec<Finding>,
    /// Findings about parts that work, but deserve attention.
    pub warnings: Vec<Finding>,
}

impl Report {
    /// Adds a mistake.
    pub fn mistake(&mut self, finding: Finding) {
        self.mistakes.push(finding);
    }

    /// Adds a warning.
    pub fn warning(&mut self, finding: Finding) {
        self.warnings.push(finding);
    }

    /// Adds the findings of another report.
    pub fn extend(&mut self, other: Self) {
        self.mistakes.extend(other.mistakes);
        self.warnings.extend(other.warnings);
    }
}
