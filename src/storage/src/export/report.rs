//! What an export did, for people and for scripts. Nothing of a key is in it.

use std::io::{self, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::Certificate;
use base::date::day;

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Directories whose pair is new.
    pub written: Vec<Exported>,
    /// Directories whose pair was there already.
    pub unchanged: Vec<Exported>,
    /// Directories of certificates that are no longer stored. They stay.
    pub left: Vec<PathBuf>,
    /// What was not done, and why.
    pub problems: Vec<String>,
}

/// A certificate in its directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exported {
    /// Where it is.
    pub directory: PathBuf,
    /// Whose it is.
    pub resolver: String,
    /// Its names, the main one first.
    pub names: Vec<String>,
    /// Its end, seconds since 1970.
    pub not_after: i64,
}

impl Exported {
    pub(super) fn new(directory: PathBuf, certificate: &Certificate) -> Self {
        let id = certificate.facts.id();
        Self { directory, resolver: id.resolver, names: id.names, not_after: certificate.facts.not_after }
    }
}

impl Report {
    /// One line of JSON with everything.
    ///
    /// # Errors
    /// When nobody can be told any more.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        writeln!(out)
    }

    /// A line for everything that was done or left, and the problems on `errors`; only what `before` did not tell.
    ///
    /// # Errors
    /// When nobody can be told any more.
    pub fn write_text(&self, before: &Self, mut out: impl Write, mut errors: impl Write) -> io::Result<()> {
        for Exported { directory, resolver, names, not_after } in &self.written {
            let (directory, names) = (directory.display(), names.join(", "));
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

    /// Whether there is something in it that `before` did not tell.
    pub fn is_news_after(&self, before: &Self) -> bool {
        !self.written.is_empty() || (&self.left, &self.problems) != (&before.left, &before.problems)
    }
}
