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

/// How much is shown of a text of the user's, in characters.
const MAX_SHOWN: usize = 60;

/// How alike two words must be for the one to be meant by the other, from 0 to 1.
const ALIKE: f64 = 0.6;

/// Longer words are like none of ours. Comparing takes time and memory by the product of both lengths, and a key can be
/// as long as the whole configuration.
const MAX_WORD: usize = 64;

/// The most known words that are listed; of more the nearest says enough.
const MAX_LISTED: usize = 10;

/// The known word that is most like this one, when one is alike.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if word.len() > MAX_WORD {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::normalized_damerau_levenshtein(&lower, &known.to_ascii_lowercase()), known))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, known)| shortened(known))
}

/// The first known words, as a list in a sentence.
pub fn listed<'a>(known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known = known.into_iter();
    let mut list = known.by_ref().take(MAX_LISTED).map(shortened).collect::<Vec<_>>().join(", ");
    if known.next().is_some() {
        list.push_str(", …");
    }
    list
}

/// A text of the user's on one line, escaped, cut where it is long.
pub fn shortened(text: &str) -> String {
    let mut start: String = text.chars().take(MAX_SHOWN).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    acme::one_line(&start)
}
