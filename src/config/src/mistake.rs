//! A mistake in a configuration, as shown to the user.

use std::fmt;

/// A mistake in a configuration: its path, the value found, the value expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The path of the field: `certificatesResolvers.le.acme.keyType`.
    pub path: String,
    /// The value found, shortened and escaped; never the value of a secret.
    pub found: String,
    /// The value expected.
    pub expected: String,
    /// The nearest known key or value, if one is similar.
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

/// Maximum length of a user's text in a message, in characters.
const MAX_SHOWN: usize = 60;

/// Maximum difference of a suggested word, see [`difference`].
const MAX_DIFFERENCE: usize = 400;

/// Maximum length of a word to compare. Comparing takes time and memory by the product of both lengths, and a key can
/// be as long as the whole configuration.
const MAX_WORD: usize = 64;

/// Maximum number of known words to list; with more, the nearest one is enough.
const MAX_LISTED: usize = 10;

/// The most similar known word, if one is similar enough.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    if word.len() > MAX_WORD {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    known
        .into_iter()
        .map(|known| (difference(&lower, &known.to_ascii_lowercase()), known))
        .filter(|(difference, _)| *difference <= MAX_DIFFERENCE)
        .min_by_key(|(difference, _)| *difference)
        .map(|(_, known)| shortened(known))
}

/// The difference of two words: how many of a thousand characters would have to be changed, inserted, dropped, or
/// swapped with the next.
fn difference(one: &str, other: &str) -> usize {
    let longest = one.chars().count().max(other.chars().count());
    strsim::osa_distance(one, other).saturating_mul(1000).checked_div(longest).unwrap_or_default()
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
