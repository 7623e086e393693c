//! What is wrong with an input, and where.

use std::fmt;

use crate::assemble::ClosedRouter;

/// More mistakes than this help nobody, and looking for the nearest name takes time with each.
const MAX_MISTAKES: usize = 100;

/// A mistake in an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file's name, `environment`, `flags` or `command line`; none when it is in no single one.
    pub source: Option<String>,
    /// Line and column in the file, from 1, when its text can't be read.
    pub place: Option<(u64, u64)>,
    /// The path of the field, what stands there, what was expected, and the nearest known name.
    pub mistake: config::Mistake,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A flag says itself that it is one.
        if let Some(source) = self.source.as_ref().filter(|_| !self.mistake.path.starts_with("--")) {
            f.write_str(&config::shortened(source))?;
            if let Some((line, column)) = self.place {
                write!(f, ":{line}:{column}")?;
            }
            f.write_str(": ")?;
        }
        self.mistake.fmt(f)
    }
}

/// Takes mistakes and warnings while the inputs are read.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) mistakes: Vec<Mistake>,
    pub(crate) warnings: Vec<String>,
    /// The routers that are closed, sorted by name.
    pub(crate) closed: Vec<ClosedRouter>,
    /// Whether a source could not be read at all, so that what it would have said is missing for no other reason.
    pub(crate) is_partial: bool,
    more: usize,
}

impl Report {
    /// Whether so much is wrong that nobody would read more of it.
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

    /// All mistakes; the last one says how many are not there.
    pub(crate) fn into_mistakes(mut self) -> Vec<Mistake> {
        if self.more > 0 {
            let found = format!("{} more mistakes", self.more);
            self.mistakes.push(Mistake { source: None, place: None, mistake: wrong("configuration", &found, "none") });
        }
        self.mistakes
    }
}

/// Whether the one mistake is the reason for the other: a value that was refused, or whose key was misspelt, is missing.
fn is_cause(one: &config::Mistake, other: &config::Mistake) -> bool {
    if other.found != NOTHING && !other.found.starts_with(TWO_VALUES) {
        return false;
    }
    let misspelt = one.nearest.as_deref().zip(one.path.rsplit_once('.')).map(|(key, (parent, _))| (parent, key));
    one.path == other.path || misspelt.is_some_and(|meant| other.path.rsplit_once('.') == Some(meant))
}

/// What is found where nothing stands.
const NOTHING: &str = "nothing";

/// What is found where two files say different things.
pub(crate) const TWO_VALUES: &str = "one value here and another in";

/// A mistake without a nearest name.
pub(crate) fn wrong(path: &str, found: &str, expected: &str) -> config::Mistake {
    config::Mistake { path: path.to_owned(), found: found.to_owned(), expected: expected.to_owned(), nearest: None }
}

/// A text in quotes, on one line, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", config::shortened(text))
}
