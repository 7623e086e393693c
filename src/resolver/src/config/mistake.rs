//! A mistake in a configuration, as the user reads it.

use std::fmt;

/// A mistake in a configuration: where it is, what stands there, what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The path of the field: `certificatesResolvers.le.acme.keyType`.
    pub path: String,
    /// What stands there, shortened and escaped; a secret's value never.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// The nearest known key or value, when one is near.
    pub nearest: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: found {}, expected {}", self.path, self.found, self.expected)?;
        match &self.nearest {
            Some(nearest) => write!(f, "; did you mean {nearest}?"),
            None => Ok(()),
        }
    }
}

/// How alike two words must be for the one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.6;

/// The known word that is most like this one, when one is alike.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| known.to_owned())
}
