//! The result of an export, for people and for scripts. Keys never appear in it.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::Certificate;
use base::date::day;

/// The result of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Directories whose pair is new.
    pub written: Vec<Exported>,
    /// Directories whose pair was there already.
    pub unchanged: Vec<Exported>,
    /// Directories of certificates that are no longer stored. They are left in place.
    pub left: Vec<PathBuf>,
    /// Problems, each with its reason.
    pub problems: Vec<String>,
}

/// A certificate in its directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// The directory.
    pub directory: PathBuf,
    /// The resolver.
    pub resolver: String,
    /// The names, the main one first.
    pub names: Vec<String>,
    /// End of validity, seconds since 1970.
    pub not_after: i64,
}

impl Exported {
    pub(super) fn new(directory: PathBuf, certificate: &Certificate) -> Self {
        let id = certificate.facts.id();
        Self { directory, resolver: id.resolver, names: id.names, not_after: certificate.facts.not_after }
    }
}

impl Report {
    /// Writes everything as one line of JSON.
    ///
    /// # Errors
    /// When the output can't be written.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)
    }

    /// Writes a line for each directory that was written or left, and the problems to `errors`, without those that
    /// `before` already reported.
    ///
    /// # Errors
    /// When the output can't be written.
    pub fn write_text(&self, before: &Self, mut out: impl Write, mut errors: impl Write) -> io::Result<()> {
        for Exported { directory, resolver, names, not_after } in &self.written {
            let directory = directory.display();
            let names = names.join(", ");
            let end = day(*not_after);
            writeln!(out, "{directory}: written ({resolver}: {names}; valid until {end})")?;
        }
        for directory in self.left.iter().filter(|left| !before.left.contains(left)) {
            let directory = directory.display();
            writeln!(out, "{directory}: left as it is: its certificate is no longer stored")?;
        }
        for problem in self.problems.iter().filter(|problem| !before.problems.contains(problem)) {
            writeln!(errors, "envoy-autocert: {problem}")?;
        }
        out.flush()
    }

    /// True if the report has something that `before` did not.
    pub fn is_news_after(&self, before: &Self) -> bool {
        !self.written.is_empty() || (&self.left, &self.problems) != (&before.left, &before.problems)
    }
}
