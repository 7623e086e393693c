//! Mistakes in the inputs, with their positions.

use std::fmt;

use crate::closed_router::ClosedRouter;

/// Maximum number of mistakes: more help nobody, and each costs a search for the nearest name.
const MAX_MISTAKES: usize = 100;

/// A mistake in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file's name, `environment`, `flags` or `command line`; `None` if the mistake is in no single source.
    pub source: Option<String>,
    /// Line and column in the file, from 1, if its text can't be read.
    pub position: Option<(u64, u64)>,
    /// The path of the field, the value found, the value expected, and the nearest known name.
    pub mistake: config::Mistake,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A flag is recognizable as one by its dashes.
        if let Some(source) = self.source.as_ref().filter(|_| !self.mistake.path.starts_with("--")) {
            f.write_str(&config::shortened(source))?;
            if let Some((line, column)) = self.position {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        self.mistake.fmt(f)
    }
}

/// Collects mistakes and warnings while the inputs are read.
#[derive(Default)]
pub(crate) struct InputReport {
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) warnings: Vec<String>,
    /// The routers that are closed, sorted by name.
    pub(crate) closed: Vec<ClosedRouter>,
    /// True if a source could not be read at all: a key that is missing may be in that source.
    pub(crate) is_partial: bool,
    more: usize,
}

impl InputReport {
    /// True if the maximum number of mistakes is reached.
    pub(crate) fn is_full(&self) -> bool {
        self.mistakes.len() >= MAX_MISTAKES
    }

    pub(crate) fn push(&mut self, mistake: Mistake) {
        if self.is_full() {
            self.more += 1;
        } else if !self.mistakes.iter().any(|known| *known == mistake || is_cause(&known.mistake, &mistake.mistake)) {
            self.mistakes.push(mistake);
        }
    }

    pub(crate) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// All mistakes; the last one says how many were dropped.
    pub(crate) fn into_mistakes(mut self) -> Vec<Mistake> {
        if self.more > 0 {
            let found = format!("{} more mistakes", self.more);
            self.mistakes.push(Mistake {
                source: None,
                position: None,
                mistake: wrong("configuration", &found, "none"),
            });
        }
        self.mistakes
    }
}

/// True if `one` explains `other`: a missing value was refused, or its key was misspelt.
fn is_cause(one: &config::Mistake, other: &config::Mistake) -> bool {
    if other.found != NOTHING && !other.found.starts_with(TWO_VALUES) {
        return false;
    }
    let misspelt = one.nearest.as_deref().zip(one.path.rsplit_once('.')).map(|(key, (parent, _))| (parent, key));
    one.path == other.path || misspelt.is_some_and(|meant| other.path.rsplit_once('.') == Some(meant))
}

/// The `found` of a mistake about a missing value.
const NOTHING: &str = "nothing";

/// The `found` of a mistake about two files that disagree.
pub(crate) const TWO_VALUES: &str = "one value here and another in";

/// A mistake without a nearest name.
pub(crate) fn wrong(path: &str, found: &str, expected: &str) -> config::Mistake {
    config::Mistake { path: path.to_owned(), found: found.to_owned(), expected: expected.to_owned(), nearest: None }
}

/// A text in quotes, on one line, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", config::shortened(text))
}
